//! `show` prints saved plans and reports again, and joins several.

use std::fs;

use flowbind::sandbox::Options;
use flowbind::saved::{self, Saved};
use serde_json::Value;

use crate::saved::{FLOWS, planned, run, three};
use crate::support::{file, flowbind, folder, package, serve, yaml_binding_connector_1};

#[test]
fn show_prints_the_saved_plan_with_its_exit_code() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let show = |args: &[&str]| flowbind(["show"]).args(args).within(folder.path()).run();
    let planned = run(&served, folder.path(), &["plan", "--out", "again.txt", "--out", "again.json"]);
    let shown = show(&["plan.json"]);
    assert_eq!((shown.code, &shown.stdout), (0, &planned.stdout));
    assert_eq!(fs::read_to_string(folder.path().join("again.txt")).unwrap(), planned.stdout);
    assert_eq!(show(&["plan.json", "--detailed-exitcode"]).code, 2);
    let json = show(&["plan.json", "--format", "json"]);
    assert_eq!(json.stdout, fs::read_to_string(folder.path().join("plan.json")).unwrap());

    let applied = run(&served, folder.path(), &["apply", "--yes", "--out", "report.json"]);
    let shown = show(&["report.json"]);
    assert_eq!(shown.code, 0, "{shown}");
    assert!(applied.stdout.ends_with(&shown.stdout), "{shown}");
    let json = show(&["report.json", "--format", "json"]);
    assert_eq!(json.stdout, fs::read_to_string(folder.path().join("report.json")).unwrap());

    // If both were applied, one PUT would undo the other.
    let both = show(&["plan.json", "plan.json", "--out", "both.json"]);
    let why = "two of the plans contain `B2C_1_a` `postFederationSignup` of `contoso.onmicrosoft.com`";
    assert!(both.code == 1 && both.stderr.contains(why), "{both}");
    assert!(!folder.path().join("both.json").exists());
    let mixed = show(&["plan.json", "report.json"]);
    assert!(mixed.code == 1 && mixed.stderr.contains("cannot join files of different kinds"), "{mixed}");
    assert_eq!(show(&[]).code, 1);
}

#[test]
fn show_of_plans_with_aliased_tenant_is_incomplete() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let plan = fs::read_to_string(folder.path().join("plan.json")).unwrap();
    let guid = "11111111-1111-1111-1111-111111111111";
    for (name, tenant) in [("domain.json", "contoso.onmicrosoft.com"), ("guid.json", guid)] {
        let Ok(Saved::Plan(mut plan, at)) = saved::read(&plan) else { panic!("{plan}") };
        plan.tenants[0].targets[0].tenant = tenant.parse().unwrap();
        plan.tenants[0].targets[0].tenant_id = Some(guid.to_owned());
        file(folder.path(), name, saved::plan::to_json(&plan, &at));
    }
    let show = ["show", "domain.json", "guid.json", "--out", "both.json"];
    let both = flowbind(show).within(folder.path()).run();
    assert!(both.code == 1 && both.stderr.contains("are the same tenant, `11111111-"), "{both}");
    assert_eq!(run(&served, folder.path(), &["apply", "--plan", "both.json"]).code, 3);
    assert_eq!(served.puts(), 0);
}

#[test]
fn show_of_invalid_report_is_an_error() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    assert_eq!(run(&served, folder.path(), &["apply", "--yes", "--out", "report.json"]).code, 0);
    let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
    for (name, text, code, why) in [
        (
            "truncated.json",
            report[..report.len() / 2].to_owned(),
            1,
            "not a flowbind plan, drift or report: EOF",
        ),
        (
            "newer.json",
            report.replace(r#""formatVersion": "2""#, r#""formatVersion": "3""#),
            1,
            "format version 3 is not supported; this flowbind reads version 2",
        ),
        (
            "odd.json",
            report.replace(r#""outcome": "applied""#, r#""outcome": "perhaps""#),
            1,
            "unknown variant `perhaps`, expected one of `applied`, `already`, `failed`, `unverified`, `not-attempted`",
        ),
        (
            "missing-one.json",
            report.replacen("applied", "failed", 1).replacen(r#""error": null"#, r#""error": "no""#, 1),
            1,
            "`exitCode`: 0, although not all changes are done",
        ),
        (
            "contradiction.json",
            report.replacen("applied", "failed", 1),
            1,
            "invalid plan, drift or report: `outcome`: `failed` contradicts `attempts`, `requestId`, `error` or `hint`",
        ),
        ("odd-action.json", report.replacen("replace", "disable", 1), 1, "`action`: `disable`"),
    ] {
        file(folder.path(), name, text);
        let outcome = flowbind(["show", name]).within(folder.path()).run();
        assert_eq!(outcome.code, code, "{outcome}");
        assert!(outcome.stderr.contains(name) && outcome.stderr.contains(why), "{outcome}");
    }
    let outcome = run(&served, folder.path(), &["apply", "--plan", "report.json"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("is an apply report, not a plan"), "{outcome}");
}

/// The exit code of a report is that of its run. Of several, it is the highest.
#[test]
fn show_of_report_has_the_exit_code_of_the_run() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let show = |args: &[&str]| flowbind(["show"]).args(args).within(folder.path()).run();
    let blocked =
        run(&served, folder.path(), &["apply", "--expect", "000000000000", "--out", "blocked.json"]);
    assert_eq!(blocked.code, 3, "{blocked}");
    let shown = show(&["blocked.json"]);
    assert_eq!(shown.code, 3, "{shown}");
    assert!(shown.stderr.contains("the plan is not the approved one"), "{shown}");
    assert_eq!(run(&served, folder.path(), &["apply", "--yes", "--out", "done.json"]).code, 0);
    assert_eq!(show(&["done.json"]).code, 0);
    assert_eq!(show(&["done.json", "blocked.json"]).code, 3);

    file(
        folder.path(),
        "broken.yaml",
        yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "Connector One"),
    );
    let broken = run(&served, folder.path(), &["plan", "broken.yaml", "--out", "broken.json"]);
    let shown = show(&["broken.json"]);
    assert_eq!((broken.code, shown.code), (1, 1), "{shown}");
    assert!(
        shown.stderr.contains("the tenant has no connector named `Connector One`\n --> broken.yaml:5:27\n"),
        "{shown}"
    );
}

#[test]
fn joined_fingerprint_does_not_depend_on_file_order() {
    let folder = folder();
    for (number, flow) in FLOWS.iter().enumerate() {
        file(folder.path(), "tenant.json", three([2, 2, 2]).to_json());
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&[flow]));
        let out = format!("{number}.json");
        let outcome = flowbind(["apply", "--yes", "--sandbox", "tenant.json", "--out", &out])
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 0, "{outcome}");
    }
    let joined = |files: [&str; 3]| {
        let outcome = flowbind(["show", "--format", "json"]).args(files).within(folder.path()).run();
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()["fingerprint"].clone()
    };
    assert_eq!(joined(["0.json", "1.json", "2.json"]), joined(["2.json", "0.json", "1.json"]));
}

/// The sum of very large counts must not overflow.
#[test]
fn show_of_overflowing_counts_does_not_panic() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let plan = fs::read_to_string(folder.path().join("plan.json")).unwrap();
    let huge = plan.replace(r#""unchanged": 0"#, &format!(r#""unchanged": {}"#, u64::MAX));
    assert_ne!(plan, huge);
    file(folder.path(), "huge.json", huge);
    let outcome = flowbind(["show", "huge.json"]).within(folder.path()).run();
    assert!(outcome.code == 0 && !outcome.panicked(), "{outcome}");
}

#[test]
fn saved_plan_matches_its_schema() {
    let schema = crate::schema::schema("plan");
    let mut seen = 0;
    for case in fs::read_dir(package("tests/cases")).unwrap() {
        let path = case.unwrap().path().join("plan.json");
        let plan: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        crate::schema::assert_fits(&schema, &plan, &path);
        seen += 1;
    }
    assert!(seen > 40);
}

/// A binding that one plan manages is not unmanaged in a joined plan.
#[test]
fn joined_plans_do_not_list_managed_bindings_as_unmanaged() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = folder();
    let head = "version: 1\ntenant: contoso.onmicrosoft.com\n";
    let prunes = format!(
        "{head}prune: flows\nsteps: [postFederationSignup]\nguards: {{maxDisables: 3}}\nflows: {{B2C_1_a: {{}}}}\n"
    );
    let enables = format!("{head}flows: {{B2C_1_c: {{postAttributeCollection: Connector 1}}}}\n");
    for (name, yaml) in [("a", prunes), ("b", enables)] {
        file(folder.path(), &format!("{name}.yaml"), yaml);
        let out = format!("{name}.json");
        let plan = run(&served, folder.path(), &["plan", &format!("{name}.yaml"), "--out", &out]);
        assert_eq!(plan.code, 0, "{plan}");
    }
    let planned_together = run(&served, folder.path(), &["plan", "a.yaml", "b.yaml"]);
    let joined = flowbind(["show", "a.json", "b.json"]).within(folder.path()).run();
    assert_eq!((joined.code, &joined.stdout), (0, &planned_together.stdout), "{joined}");
    assert!(!joined.stdout.contains("Not in the file"), "{joined}");
}

/// The same plan or report given twice must not be counted twice.
#[test]
fn show_of_same_file_twice_is_an_error() {
    let served = serve(three([1, 1, 1]), Options::default());
    let folder = planned(&served);
    let twice = flowbind(["show", "plan.json", "plan.json"]).within(folder.path()).run();
    assert!(twice.code == 1 && twice.stderr.contains("two of the plans contain"), "{twice}");
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    assert_eq!(run(&served, folder.path(), &["apply", "--yes", "--out", "report.json"]).code, 0);
    let twice = flowbind(["show", "report.json", "report.json"]).within(folder.path()).run();
    assert!(twice.code == 1 && twice.stderr.contains("two of the reports contain"), "{twice}");
}

/// Joins the reports of two runs of one plan.
#[test]
fn show_joins_two_reports_of_one_plan() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    for out in ["one.json", "two.json"] {
        assert_eq!(run(&served, folder.path(), &["apply", "--plan", "plan.json", "--out", out]).code, 0);
    }
    let both = flowbind(["show", "one.json", "two.json"]).within(folder.path()).run();
    assert!(both.code == 0 && both.stdout.contains("3 applied, 3 already"), "{both}");
}
