//! Registry of problem ids: `docs/troubleshooting.md`, and a test for each id.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use expect_test::expect_file;
use flowbind::diagnostic::Code;
use flowbind::diagnostic::code::{Area, Explanation};
use flowbind::sandbox::{Effect, Fault, Options};
use strum::VariantArray as _;

#[cfg(unix)]
use crate::support::{Start as _, signal, wait_until};
use crate::support::{
    answer_get, file, flowbind, folder, on_put, package, serve, tenant, yaml_binding_connector_1,
};

#[test]
fn troubleshooting_page_matches_the_registry() {
    expect_file![package("docs/troubleshooting.md")].assert_eq(&page());
}

/// Returns the page: a heading for each area and each id. The id is the anchor of its heading.
fn page() -> String {
    let mut page = String::from(
        "<!-- Generated from src/diagnostic/code.rs by `UPDATE_EXPECT=1 cargo test --locked troubleshooting`. -->\n\n\
         # Troubleshooting\n\n\
         Every error, warning and blocker has a stable id, such as `stale-plan` in `error[stale-plan]`. It is `id` in\n\
         JSON, `type` in JUnit, and part of the title of an annotation in GitHub Actions. `flowbind explain ID`\n\
         prints the text of this page.\n",
    );
    for area in Area::VARIANTS.iter().copied() {
        let codes = || Code::VARIANTS.iter().filter(move |code| code.area() == area);
        let links: Vec<_> = codes().map(|code| format!("[`{code}`](#{code})")).collect();
        _ = write!(page, "\n## {}\n\n{}\n", area.title(), links.join(" ·\n"));
        for code in codes() {
            let Explanation { title, meaning, changed, action } = code.explanation();
            _ = write!(page, "\n### {code}\n\n**{title}**\n\n{meaning}\n");
            _ = write!(page, "\n*What was changed:* {changed}\n\n*What to do:* {action}\n");
        }
    }
    page
}

#[test]
fn explanation_of_every_id_has_four_parts() {
    for code in Code::VARIANTS {
        let Explanation { title, meaning, changed, action } = code.explanation();
        assert!(!title.is_empty() && !title.ends_with('.') && title.len() <= 70, "{code}: {title}");
        for part in [meaning, changed, action] {
            assert!(part.len() > 10 && part.ends_with('.') && !part.contains("  "), "{code}: {part}");
        }
        assert!(!meaning.contains(title), "{code}: the meaning repeats the title");
    }
}

/// An id that no test produces may be one that the program cannot produce.
#[test]
fn every_id_is_produced_by_a_test() {
    let mut texts = Vec::new();
    for folder in ["cases", "runs", "formats", "bad", "it"] {
        collect(&package("tests").join(folder), &mut texts);
    }
    let is_produced = |code: &&Code| {
        let forms = [format!("[{code}]"), format!("\"id\": \"{code}\"")];
        texts.iter().any(|text| forms.iter().any(|form| text.contains(form)))
    };
    let missing: Vec<_> =
        Code::VARIANTS.iter().filter(|code| !is_produced(code)).map(|code| code.id()).collect();
    assert!(missing.is_empty(), "no test produces {missing:?}");
}

/// Adds the text of every file of a folder.
fn collect(path: &Path, texts: &mut Vec<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), texts);
        }
    } else {
        texts.extend(fs::read_to_string(path));
    }
}

/// Faults of Graph that no folder of expectations can have.
#[test]
fn fault_of_graph_has_its_id() {
    let answer = |path, status, headers, body| answer_get(path, 0, status, headers, body);
    let effect =
        |effect| Fault { method: None, path_contains: "Configuration".into(), skip: 0, times: None, effect };
    let self_service = r#"{"error": {"code": "AADB2C99039", "message": "Not enabled."}}"#;
    for (fault, id) in [
        (answer("Configuration", 401, &[], "{}"), "error[token-rejected]"),
        (answer("Configuration", 403, &[], "{}"), "error[permission-missing]"),
        (answer("Configuration", 400, &[], "{}"), "error[graph-rejected]"),
        (answer("Configuration", 400, &[], self_service), "error[self-service-disabled]"),
        (answer("Configuration", 200, &[], "Sign in to the proxy"), "error[graph-unexpected-response]"),
        (answer("Configuration", 302, &[("Location", "https://a.com")], ""), "error[graph-redirect]"),
        (answer("Configuration", 429, &[("Retry-After", "900")], ""), "error[graph-throttled]"),
        (effect(Effect::Hang), "error[timeout]"),
        (effect(Effect::DropBefore), "error[graph-no-response]"),
        (answer("/apiConnectors", 403, &[], "{}"), "error[connectors-unreadable]"),
        (answer("b2cUserFlows", 403, &[], "{}"), "error[flows-unreadable]"),
    ] {
        let served =
            serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults: vec![fault], ..Options::default() });
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]) + "prune: flows\n";
        let outcome = served.plan(&yaml, &["--timeout", "2"]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(id), "{id}: {outcome}");
    }
}

#[test]
fn output_in_a_missing_folder_has_its_id() {
    let folder = folder();
    let outcome = flowbind(["plan", "--out", "missing/plan.json"]).within(folder.path()).run();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(outcome.stderr.starts_with("error[output-not-writable]: "), "{outcome}");
}

#[test]
fn unreachable_host_has_its_id() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let outcome = flowbind(["plan", "--graph-url", "http://127.0.0.1:9/beta", "--timeout", "1"])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder.path())
        .run();
    assert!(outcome.stderr.contains("error[graph-unreachable]"), "{outcome}");
}

#[test]
fn failed_change_has_its_id_in_the_report() {
    let answer = |status| Effect::Answer { status, headers: Vec::new(), body: "{}".into() };
    let faults = vec![on_put("B2C_1_a/", 0, answer(400)), on_put("B2C_1_b/", 0, Effect::AcceptOnly)];
    let flows = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];
    let served = serve(tenant(&flows.map(|flow| (flow, 0, 0))), Options { faults, ..Options::default() });
    let yaml = yaml_binding_connector_1(&flows);
    let (outcome, _) = served.apply(&yaml, &["--verify-timeout", "1s"]);
    for id in ["[change-failed]", "[change-unverified]"] {
        assert!(outcome.stdout.contains(id), "{id}: {outcome}");
    }
    let (outcome, _) = served.apply(&yaml, &["--fail-fast", "--parallelism", "1", "--verify-timeout", "1s"]);
    assert!(outcome.stdout.contains("[change-not-attempted]"), "{outcome}");
}

/// By a signal.
#[cfg(unix)]
#[test]
fn interrupted_apply_has_its_id() {
    let hang = answer_get("Configuration", 0, 429, &[("Retry-After", "30")], "");
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults: vec![hang], ..Options::default() });
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let child = flowbind(["apply", "--yes"])
        .connect_to(&served.graph_url())
        .within(folder.path())
        .command()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .start();
    wait_until("a request arrives", || served.request_count() > 0);
    signal(&child, "INT");
    let output = child.wait_with_output();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("error[interrupted]"), "{stderr}");
}

#[test]
fn token_of_another_tenant_has_its_id() {
    let served = serve(tenant(&[]), Options::default());
    let claims = r#"{"aud": "https://graph.microsoft.com", "tid": "11111111-2222-4333-8444-555555555555"}"#;
    let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
    let folder = folder();
    let yaml = yaml_binding_connector_1(&["B2C_1_a"])
        .replace("contoso.onmicrosoft.com", "8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11");
    file(folder.path(), "flowbind.yaml", yaml);
    let outcome = flowbind(["plan", "--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", &token)
        .within(folder.path())
        .run();
    assert!(outcome.stderr.contains("error[tenant-mismatch]"), "{outcome}");
}

#[test]
fn saved_plan_for_another_graph_has_its_id() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let run = |args: &[&str]| {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
        let run = flowbind(args).args(["--graph-url", &served.graph_url()]);
        run.env("FLOWBIND_ACCESS_TOKEN", "t").within(folder.path()).run()
    };
    assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
    let outcome = run(&["apply", "--plan", "plan.json"]);
    assert_eq!(outcome.code, 3, "{outcome}");
    assert!(outcome.stderr.contains("error[wrong-target]"), "{outcome}");
}

#[test]
fn file_beyond_a_limit_has_its_id() {
    let folder = folder();
    File::create(folder.path().join("large.yaml")).unwrap().set_len((16 << 20) + 1).unwrap();
    for level in 0..200 {
        let base = format!("extends: level-{}.yaml\nversion: 1\n", level + 1);
        file(folder.path(), &format!("level-{level}.yaml"), base);
    }
    file(folder.path(), "level-200.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    for (path, id) in [("large.yaml", "error[file-too-large]"), ("level-0.yaml", "error[extends-depth]")] {
        let outcome = flowbind(["validate", path]).within(folder.path()).run();
        assert!(outcome.stderr.contains(id), "{path}: {outcome}");
    }
}

/// A symbolic link.
#[cfg(unix)]
#[test]
fn link_out_of_the_repository_has_its_id() {
    let folder = folder();
    let secret = file(folder.path(), "secret.yaml", "password: s3cr3t");
    let repository = folder.path().join("repository");
    fs::create_dir_all(repository.join(".git")).unwrap();
    fs::create_dir(repository.join("tenants")).unwrap();
    std::os::unix::fs::symlink(secret, repository.join("tenants/link.yaml")).unwrap();
    let outcome = flowbind(["validate", "tenants"]).within(&repository).run();
    assert!(outcome.stderr.contains("error[input-not-allowed]"), "{outcome}");
    assert!(!outcome.stderr.contains("s3cr3t"), "{outcome}");
}
