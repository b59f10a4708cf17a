//! Composition of files with `extends`, and runs over several tenants.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use flowbind::sandbox::{Effect, Options};
use flowbind::snapshot::Snapshot;

use crate::support::{Outcome, file, flowbind, folder, on_put, serve};

/// Number of a connector or null, and optional `protect` and `hold`, which is null or has a connector or null.
type Binding = (Option<u8>, Option<bool>, Option<Option<Option<u8>>>);

/// Keys of one file of a chain.
#[derive(Debug, Clone)]
struct Keys {
    /// Short name → (displayName, targetUrl).
    connectors: BTreeMap<u8, (Option<u8>, Option<u8>)>,
    /// Flow → step → (connector or null, protect, hold).
    flows: BTreeMap<u8, BTreeMap<bool, Binding>>,
    guards: (Option<u8>, Option<u8>),
    prune: Option<bool>,
}

fn keys() -> impl Strategy<Value = Keys> {
    let connectors = btree_map(0..4u8, (prop::option::of(0..9u8), prop::option::of(0..9u8)), 0..4);
    let connector = || prop::option::of(0..4u8);
    let hold = prop::option::of(prop::option::of(connector()));
    let binding = (connector(), prop::option::of(any::<bool>()), hold);
    let flows = btree_map(0..5u8, btree_map(any::<bool>(), binding, 0..3), 0..5);
    let guards = (prop::option::of(0..9u8), prop::option::of(0..9u8));
    (connectors, flows, guards, prop::option::of(any::<bool>()))
        .prop_map(|(connectors, flows, guards, prune)| Keys { connectors, flows, guards, prune })
}

impl Keys {
    /// Returns the YAML of the file. `extends` comes last, so that the other line numbers do not change.
    fn yaml(&self, first: &str, extends: &str) -> String {
        let mut yaml = format!("version: 1\n{first}connectors:\n");
        if self.connectors.is_empty() {
            yaml = yaml.replace("connectors:", "connectors: {}");
        }
        for (name, (display_name, url)) in &self.connectors {
            yaml.push_str(&format!("  c{name}:\n"));
            let display_name = display_name.map(|name| format!("    displayName: Name {name}\n"));
            let url = url.map(|url| format!("    targetUrl: https://a.com/{url}\n"));
            let fields = display_name.unwrap_or_default() + &url.unwrap_or_default();
            yaml.push_str(if fields.is_empty() { "    {}\n" } else { &fields });
        }
        yaml.push_str(if self.flows.is_empty() { "flows: {}\n" } else { "flows:\n" });
        for (flow, steps) in self.flows.iter().rev() {
            yaml.push_str(&format!("  B2C_1_f{flow}:\n"));
            for (step, (connector, protect, hold)) in steps {
                let step = if *step { "postFederationSignup" } else { "postAttributeCollection" };
                let named = |name: &Option<u8>| name.map_or("null".into(), |name| format!("c{name}"));
                let connector = named(connector);
                let protect = protect.map(|protect| format!(", protect: {protect}"));
                let hold = hold.as_ref().map(|hold| match hold {
                    None => ", hold: null".to_owned(),
                    Some(bind) => {
                        format!(", hold: {{bind: {}, until: 2026-12-01, reason: why}}", named(bind))
                    }
                });
                yaml.push_str(&match protect.into_iter().chain(hold).collect::<String>() {
                    keys if keys.is_empty() => format!("    {step}: {connector}\n"),
                    keys => format!("    {step}: {{connector: {connector}{keys}}}\n"),
                });
            }
            if steps.is_empty() {
                yaml.push_str("    {}\n");
            }
        }
        let guards = [("maxChanges", self.guards.0), ("maxDisables", self.guards.1)];
        for (at, (key, most)) in guards.iter().filter(|(_, most)| most.is_some()).enumerate() {
            let head = if at == 0 { "guards:\n" } else { "" };
            yaml.push_str(&format!("{head}  {key}: {}\n", most.unwrap_or_default()));
        }
        if let Some(steps) = self.prune {
            yaml.push_str(if steps { "prune: steps\n" } else { "prune: none\n" });
        }
        yaml + extends
    }
}

/// File with all connectors, so that every name resolves.
const ALL: &str = "version: 1\nconnectors: {c0: N, c1: N, c2: N, c3: N}\n";

fn printed(files: &[(&str, String)]) -> Outcome {
    let folder = folder();
    for (name, text) in files {
        file(folder.path(), name, text);
    }
    flowbind(["validate", "--print", "d.yaml"]).within(folder.path()).run()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Merging three files gives the same result, whichever two are merged first.
    #[test]
    fn composition_of_a_chain_is_associative(parts in vec(keys(), 3)) {
        let [a, b, d] = &parts[..] else { panic!() };
        let tenant = "tenant: contoso.onmicrosoft.com\n";
        let all = ("all.yaml", ALL.to_owned());
        let one_by_one = printed(&[
            all.clone(),
            ("a.yaml", a.yaml("", "extends: all.yaml\n")),
            ("b.yaml", b.yaml("", "extends: a.yaml\n")),
            ("d.yaml", d.yaml(tenant, "extends: b.yaml\n")),
        ]);
        let listed = printed(&[
            all.clone(),
            ("a.yaml", a.yaml("", "")),
            ("b.yaml", b.yaml("", "")),
            ("d.yaml", d.yaml(tenant, "extends: [all.yaml, a.yaml, b.yaml]\n")),
        ]);
        let mixed = printed(&[
            all,
            ("a.yaml", a.yaml("", "")),
            ("b.yaml", b.yaml("", "extends: a.yaml\n")),
            ("d.yaml", d.yaml(tenant, "extends: [all.yaml, b.yaml]\n")),
        ]);
        prop_assert_eq!(one_by_one.code, 0, "{}", one_by_one);
        prop_assert_eq!(&one_by_one, &listed);
        prop_assert_eq!(&one_by_one, &mixed);
    }

    /// A common base is merged once, before all files that extend it.
    #[test]
    fn composition_with_common_base_never_overrides_derived_files(parts in vec(keys(), 4)) {
        let [root, p, q, d] = &parts[..] else { panic!() };
        let tenant = "tenant: contoso.onmicrosoft.com\n";
        let all = ("all.yaml", ALL.to_owned());
        let chain = printed(&[
            all.clone(),
            ("root.yaml", root.yaml("", "extends: all.yaml\n")),
            ("p.yaml", p.yaml("", "extends: root.yaml\n")),
            ("q.yaml", q.yaml("", "extends: p.yaml\n")),
            ("d.yaml", d.yaml(tenant, "extends: q.yaml\n")),
        ]);
        prop_assert_eq!(chain.code, 0, "{}", chain);
        for (of_p, of_q, of_d) in [
            ("root.yaml", "root.yaml", "[p.yaml, q.yaml]"),
            ("[all.yaml, root.yaml]", "root.yaml", "[p.yaml, q.yaml]"),
            ("root.yaml", "[root.yaml, p.yaml]", "[p.yaml, q.yaml]"),
            ("root.yaml", "[all.yaml, root.yaml]", "[all.yaml, p.yaml, q.yaml]"),
        ] {
            let diamond = printed(&[
                all.clone(),
                ("root.yaml", root.yaml("", "extends: all.yaml\n")),
                ("p.yaml", p.yaml("", &format!("extends: {of_p}\n"))),
                ("q.yaml", q.yaml("", &format!("extends: {of_q}\n"))),
                ("d.yaml", d.yaml(tenant, &format!("extends: {of_d}\n"))),
            ]);
            prop_assert_eq!(&chain, &diamond, "{} {} {}", of_p, of_q, of_d);
        }
    }

    /// The output of `--print` is a file with the same content.
    #[test]
    fn printed_composition_is_equivalent_to_the_file(base in keys(), over in keys()) {
        let tenant = "tenant: contoso.onmicrosoft.com\n";
        let first = printed(&[
            ("all.yaml", ALL.to_owned()),
            ("base.yaml", base.yaml("", "")),
            ("d.yaml", over.yaml(tenant, "extends: [all.yaml, base.yaml]\n")),
        ]);
        let second = printed(&[("d.yaml", first.stdout.clone())]);
        let bare = |outcome: &Outcome| -> Vec<String> {
            outcome.stdout.lines().map(|line| line.split("  # ").next().unwrap().trim_end().to_owned()).collect()
        };
        prop_assert_eq!(second.code, 0, "{}", &second);
        prop_assert_eq!(bare(&first), bare(&second));
    }
}

/// The resolved path counts, after symlinks and `..`.
#[cfg(unix)]
#[test]
fn base_outside_the_repository_is_an_error() {
    use std::os::unix::fs::symlink;
    let outside = folder();
    file(outside.path(), "secret.yaml", "password: hunter2\n");
    let repository = folder();
    let at = repository.path();
    fs::create_dir_all(at.join(".git")).unwrap();
    fs::create_dir_all(at.join("stages/..data")).unwrap();
    file(at, ".git/config", "token: hunter2\n");
    file(at, "base.yaml", "version: 1\nflows: {}\n");
    file(at, "stages/..data/mounted.yaml", "version: 1\nflows: {}\n");
    symlink(outside.path().join("secret.yaml"), at.join("stages/link.yaml")).unwrap();
    symlink(outside.path(), at.join("stages/folder")).unwrap();
    symlink("..data/mounted.yaml", at.join("stages/mounted.yaml")).unwrap();
    symlink("/proc/self/environ", at.join("stages/environ.yaml")).unwrap();
    symlink("nowhere", at.join("stages/dangling.yaml")).unwrap();
    let extends = |base: &str| {
        file(
            &at.join("stages"),
            "t.yaml",
            format!("version: 1\ntenant: contoso.onmicrosoft.com\nextends: {base}\n"),
        );
        flowbind(["validate", "t.yaml"]).env("PASSWORD", "hunter2").within(&at.join("stages")).run()
    };
    for inside in ["../base.yaml", "mounted.yaml", "../stages/./mounted.yaml"] {
        assert_eq!(extends(inside).code, 0, "{inside}");
    }
    for outside in [
        "link.yaml",
        "folder/secret.yaml",
        "environ.yaml",
        "dangling.yaml",
        "../.git/config",
        "../../etc/passwd",
        "..",
        ".",
        "\"a\\0b\"",
    ] {
        let outcome = extends(outside);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outside}: {outcome}");
        assert!(!outcome.stderr.contains("hunter2") && !outcome.stderr.contains("password"), "{outcome}");
        assert!(outcome.stderr.contains("t.yaml:3:10"), "{outcome}");
    }
    // A symlink in place of the named file is also rejected.
    symlink("/proc/self/environ", at.join("flowbind.yaml")).unwrap();
    symlink(".git/config", at.join("config.yaml")).unwrap();
    symlink(outside.path(), at.join("envs")).unwrap();
    for link in ["flowbind.yaml", "config.yaml", "envs", "envs/secret.yaml", "stages/link.yaml"] {
        let outcome = flowbind(["validate", link]).env("PASSWORD", "hunter2").within(at).run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(&format!("`{link}` is not allowed as an input")), "{outcome}");
        assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
    }
    // The spelling of the path does not matter, nor does a symlink outside the repository that leads to it.
    let beside = folder();
    symlink(at, beside.path().join("way")).unwrap();
    for link in ["envs", "envs/", "envs/.", "./envs/", "envs/./secret.yaml", "stages/../envs/secret.yaml"] {
        for base in [Path::new(""), at, &beside.path().join("way")] {
            let outcome = flowbind(["validate"]).args([base.join(link)]).within(at).run();
            assert_eq!(outcome.code, 1, "{outcome}");
            assert!(outcome.stderr.contains("the resolved path is not inside `"), "{link}: {outcome}");
            assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
        }
    }
    assert_eq!(extends("../base.yaml").code, 0);
    for way in [beside.path().join("way/stages/t.yaml"), at.join("stages/t.yaml")] {
        let outcome = flowbind(["validate"]).args([&way]).within(at).run();
        assert_eq!(outcome.code, 0, "{outcome}");
    }
    // A file found in a folder was not named by the user either.
    assert_eq!(extends("../base.yaml").code, 0);
    let outcome = flowbind(["validate", "stages"]).env("PASSWORD", "hunter2").within(at).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    for link in ["stages/link.yaml", "stages/environ.yaml"] {
        assert!(outcome.stderr.contains(&format!("`{link}` is not allowed as an input")), "{outcome}");
    }
    assert!(outcome.stderr.contains("cannot read `stages/dangling.yaml`"), "{outcome}");
    assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
}

/// Without a repository, bases must be inside the working directory. If that is the root directory, they
/// must be in the folder of the file.
#[test]
fn base_without_repository_must_be_in_the_working_directory() {
    let (folder, elsewhere) = (folder(), folder());
    let at = folder.path();
    fs::create_dir_all(at.join("stages")).unwrap();
    file(at, "base.yaml", "version: 1\nflows: {}\n");
    file(at, "stages/beside.yaml", "version: 1\nflows: {}\n");
    for (base, here, code) in [
        ("../base.yaml", at, 0),
        ("../base.yaml", elsewhere.path(), 1),
        ("../base.yaml", Path::new("/"), 1),
        ("beside.yaml", elsewhere.path(), 1),
        ("beside.yaml", Path::new("/"), 0),
    ] {
        let tenant = format!("version: 1\ntenant: contoso.onmicrosoft.com\nextends: {base}\n");
        let path = file(&at.join("stages"), "t.yaml", tenant);
        let outcome = flowbind(["validate"]).args([&path]).within(here).run();
        assert_eq!(outcome.code, code, "{base} from {}: {outcome}", here.display());
        assert_eq!(outcome.stderr.contains("the resolved path is not inside `"), code == 1, "{outcome}");
        // A base that is not allowed needs no tenant.
        let outcome = flowbind(["validate"]).args([&path, &at.join("stages").join(base)]).within(here).run();
        assert_eq!(outcome.stderr.matches("error[").count(), usize::from(code == 1), "{outcome}");
    }
}

/// A file that is linked into two folders extends the files next to each link.
#[cfg(unix)]
#[test]
fn base_through_symlink_resolves_extends_next_to_the_link() {
    let folder = folder();
    for number in [1, 2] {
        let at = folder.path().join(format!("d{number}"));
        fs::create_dir_all(&at).unwrap();
        let common = format!("version: 1\nflows: {{B2C_1_a: {{postFederationSignup: In {number}}}}}\n");
        file(&at, "common.yaml", common);
        file(&at, "t.yaml", format!("version: 1\ntenant: t{number}.com\nextends: base.yaml\n"));
    }
    file(&folder.path().join("d1"), "base.yaml", "version: 1\nextends: common.yaml\n");
    std::os::unix::fs::symlink("../d1/base.yaml", folder.path().join("d2/base.yaml")).unwrap();
    let print =
        |files: &[&str]| flowbind(["validate", "--print"]).args(files).within(folder.path()).run().stdout;
    let both = format!("{}---\n{}", print(&["d1/t.yaml"]), print(&["d2/t.yaml"]));
    assert!(both.contains("In 1") && both.contains("In 2"), "{both}");
    assert_eq!(print(&["d1/t.yaml", "d2/t.yaml"]), both);
    // Each file extends the one in the folder below, so this is not a cycle.
    let below = folder.path().join("d3/below");
    fs::create_dir_all(below.join("below")).unwrap();
    file(&folder.path().join("d3"), "base.yaml", "version: 1\nextends: below/base.yaml\n");
    std::os::unix::fs::symlink("../base.yaml", below.join("base.yaml")).unwrap();
    file(&below.join("below"), "base.yaml", "version: 1\nflows: {B2C_1_a: {postFederationSignup: In 3}}\n");
    file(&folder.path().join("d3"), "t.yaml", "version: 1\ntenant: t3.com\nextends: base.yaml\n");
    assert!(print(&["d3/t.yaml"]).contains("In 3"));
}

#[test]
fn endless_chain_of_bases_is_an_error() {
    let folder = folder();
    for at in 0..100 {
        file(folder.path(), &format!("{at}.yaml"), format!("version: 1\nextends: {}.yaml\n", at + 1));
    }
    file(folder.path(), "t.yaml", "version: 1\ntenant: contoso.onmicrosoft.com\nextends: 0.yaml\n");
    let outcome = flowbind(["validate", "t.yaml"]).within(folder.path()).run();
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("more than 32 files extend one another in a chain"), "{outcome}");
    // The same if the base was read before.
    let files: Vec<_> = (0..=100).rev().map(|at| format!("{at}.yaml")).collect();
    file(folder.path(), "100.yaml", "version: 1\nflows: {}\n");
    let outcome = flowbind(["validate"]).args(files).args(["t.yaml"]).within(folder.path()).run();
    assert!(outcome.stderr.contains("more than 32 files extend one another in a chain"), "{outcome}");
}

/// Opening a pipe without a writer would block.
#[cfg(unix)]
#[test]
fn base_that_is_a_pipe_is_never_opened() {
    let folder = folder();
    crate::support::named_pipe(&folder.path().join("pipe.yaml"));
    file(folder.path(), "t.yaml", "version: 1\ntenant: contoso.onmicrosoft.com\nextends: pipe.yaml\n");
    for files in ["t.yaml", "."] {
        let outcome = flowbind(["validate", files]).within(folder.path()).run();
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains("not a regular file"), "{outcome}");
    }
}

/// Creates a tenant of a fleet. Names of flows and connectors are the same in all tenants, ids differ.
fn snapshot(number: usize, flows: usize) -> String {
    // The ids are the same in another order, so that every tenant would accept a mixed-up id.
    let connectors: Vec<_> = (0..4)
        .map(|name| {
            let id = (name + number) % 4;
            let id = if number.is_multiple_of(2) {
                format!("{id:08}-0000-4000-8000-000000000000")
            } else {
                format!("{id:08}-0000-4000-8000-{number:012}")
            };
            serde_json::json!({"id": id, "displayName": format!("Check {name}"), "targetUrl": null})
        })
        .collect();
    let flows: Vec<_> = (0..flows)
        .map(|flow| {
            serde_json::json!({"id": format!("B2C_1_f{flow}"), "userFlowType": "signUp", "userFlowTypeVersion": 3, "bindings": {}})
        })
        .collect();
    serde_json::json!({
        "formatVersion": "1", "tenant": format!("t{number}.onmicrosoft.com"), "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z", "connectors": connectors, "flows": flows,
    })
    .to_string()
}

fn fleet(folder: &Path, tenants: usize, flows: usize) -> Vec<String> {
    let mut base = "version: 1\nflows:\n".to_owned();
    for flow in 0..flows {
        base.push_str(&format!("  B2C_1_f{flow}:\n    postFederationSignup: Check {}\n", flow % 4));
    }
    fs::create_dir_all(folder.join("f")).unwrap();
    file(&folder.join("f"), "base.yaml", base);
    let mut args = Vec::new();
    for number in 0..tenants {
        let yaml = format!("version: 1\ntenant: t{number}.onmicrosoft.com\nextends: base.yaml\n");
        file(&folder.join("f"), &format!("t{number:03}.yaml"), yaml);
        file(folder, &format!("{number}.json"), snapshot(number, flows));
        args.extend(["--sandbox".to_owned(), format!("{number}.json")]);
    }
    args
}

/// Plans fifty tenants concurrently. Every binding must use the connector id of its own tenant.
#[test]
fn tenants_with_equal_names_and_different_ids_are_not_mixed() {
    let (tenants, flows) = (50, 6);
    let folder = folder();
    let sandboxes = fleet(folder.path(), tenants, flows);
    let run = |args: &[&str]| flowbind(args).args(&sandboxes).within(folder.path()).run();
    let applied = run(&["apply", "f", "--yes", "--out", "report.json"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{applied}");
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    for number in 0..tenants {
        let text = fs::read_to_string(folder.path().join(format!("{number}.json"))).unwrap();
        let truth: serde_json::Value = serde_json::from_str(&text).unwrap();
        let target = &report["targets"][number];
        assert_eq!(target["tenant"], truth["tenant"]);
        for flow in 0..flows {
            let wanted = truth["connectors"]
                .as_array()
                .unwrap()
                .iter()
                .find(|connector| connector["displayName"] == format!("Check {}", flow % 4));
            let wanted = &wanted.unwrap()["id"];
            assert_eq!(truth["flows"][flow]["bindings"]["postFederationSignup"], *wanted, "{number} {flow}");
            let change = &target["changes"][flow];
            assert_eq!((&change["desired"]["id"], &change["attempts"]), (wanted, &1.into()));
        }
    }
    let again = run(&["plan", "f", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{again}");
}

/// Neither the order of the files nor the number of concurrent tenants changes the results.
#[test]
fn file_order_affects_only_the_order_of_results() {
    let folder = folder();
    let sandboxes = fleet(folder.path(), 5, 3);
    let plan = |files: &[usize], at_once: &str| {
        let files: Vec<_> = files.iter().map(|number| format!("f/t{number:03}.yaml")).collect();
        let outcome = flowbind(["plan", "--format", "json", "--tenants-at-once", at_once])
            .args(&files)
            .args(&sandboxes)
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 0, "{outcome}");
        serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap()
    };
    let first = plan(&[0, 1, 2, 3, 4], "16");
    for (order, at_once) in [([4, 3, 2, 1, 0], "1"), ([2, 0, 4, 1, 3], "2"), ([0, 1, 2, 3, 4], "1")] {
        let mut other = plan(&order, at_once);
        let targets = other["targets"].as_array().unwrap();
        assert_eq!(
            targets.iter().map(|target| target["tenant"].clone()).collect::<Vec<_>>(),
            order.map(|number| format!("t{number}.onmicrosoft.com"))
        );
        let sorted: Vec<_> =
            (0..5).map(|at| targets[order.iter().position(|it| *it == at).unwrap()].clone()).collect();
        other["targets"] = sorted.into();
        assert_eq!(other, first);
    }
}

/// A stale tenant blocks only itself. The run ends with the highest exit code.
#[test]
fn apply_with_one_stale_tenant_changes_the_others() {
    let folder = folder();
    let sandboxes = fleet(folder.path(), 3, 2);
    let run = |args: &[&str]| flowbind(args).args(&sandboxes).within(folder.path()).run();
    assert_eq!(run(&["plan", "f", "--out", "plan.json"]).code, 0);
    let path = folder.path().join("1.json");
    let mut moved: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    moved["flows"][0]["bindings"]["postFederationSignup"] = moved["connectors"][3]["id"].clone();
    fs::write(&path, moved.to_string()).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let outcome = run(&["apply", "--plan", "plan.json", "--out", "report.json"]);
    assert_eq!(outcome.code, 3, "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("t1.onmicrosoft.com: plan is stale: the tenant changed after the plan was made"),
        "{outcome}"
    );
    assert!(outcome.stdout.ends_with("Apply: 4 applied, 2 not attempted.\n"), "{outcome}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let shown = flowbind(["show", "report.json"]).within(folder.path()).run();
    assert_eq!(shown.code, 3, "{shown}");
}

/// `--fail-fast` stops all files of the tenant.
#[test]
fn apply_after_failure_skips_other_files_of_the_tenant() {
    let folder = folder();
    _ = fleet(folder.path(), 1, 2);
    for (name, flow, check) in [("a", 0, 1), ("b", 1, 2)] {
        let flows = format!("flows: {{B2C_1_f{flow}: {{postFederationSignup: Check {check}}}}}\n");
        file(
            folder.path(),
            &format!("{name}.yaml"),
            format!("version: 1\ntenant: t0.onmicrosoft.com\n{flows}"),
        );
    }
    let snapshot = Snapshot::parse(&fs::read_to_string(folder.path().join("0.json")).unwrap()).unwrap();
    let rejected = Effect::Answer { status: 403, headers: Vec::new(), body: "{}".into() };
    let options = Options { faults: vec![on_put("B2C_1_f0", 0, rejected)], ..Options::default() };
    let served = serve(snapshot, options);
    let apply = |args: &[&str]| {
        let run = flowbind(["apply", "a.yaml", "b.yaml", "--yes"]).args(args).within(folder.path());
        run.connect_to(&served.graph_url()).run()
    };
    let outcome = apply(&["--fail-fast"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert!(outcome.stdout.ends_with("Apply: 1 failed, 1 not attempted.\n"), "{outcome}");
    let outcome = apply(&[]);
    assert!(outcome.stdout.ends_with("Apply: 1 applied, 1 failed.\n"), "{outcome}");
}

/// A blocked tenant is not a failure.
#[test]
fn apply_with_fail_fast_blocks_all_files_of_a_blocked_tenant() {
    let folder = folder();
    _ = fleet(folder.path(), 1, 2);
    let head = "version: 1\ntenant: t0.onmicrosoft.com\nguards: {maxChanges: 0}\nflows: ";
    for (name, flow) in [("a", 0), ("b", 1)] {
        let flows = format!("{{B2C_1_f{flow}: {{postFederationSignup: Check 1}}}}\n");
        file(folder.path(), &format!("{name}.yaml"), head.to_owned() + &flows);
    }
    let outcome = flowbind(["apply", "a.yaml", "b.yaml", "--yes", "--fail-fast", "--sandbox", "0.json"])
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 3, "{outcome}");
}
