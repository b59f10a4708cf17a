//! `validate`: counts, unreadable files and limits. The files in `tests/bad` have its diagnostics.

use crate::support::{file, flowbind, folder, package};

/// `plan` reports the same problems as `validate`, also in JSON.
#[test]
fn plan_of_bad_file_reports_the_problems_of_validate() {
    let folder = folder();
    file(folder.path(), "bad.yaml", "version: 1\ntenant: a.com\nflows:\n  x: {}\n  y: {}\n");
    let run = |args: &[&str]| flowbind(args).within(folder.path()).run();
    let validate = run(&["validate", "bad.yaml"]);
    for format in ["text", "json"] {
        let plan = run(&["plan", "bad.yaml", "--format", format]);
        assert_eq!((plan.code, &plan.stderr), (1, &validate.stderr), "{plan}");
    }
    let plan = run(&["plan", "bad.yaml", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let places: Vec<_> = plan["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (&error["file"], &error["line"], &error["column"]))
        .collect();
    let (file, three) = (&"bad.yaml".into(), &3.into());
    assert_eq!(places, [(file, &4.into(), three), (file, &5.into(), three)]);
}

#[test]
fn validate_of_good_file_prints_its_counts() {
    let outcome = flowbind(["validate", "examples/quickstart/flowbind.yaml"]).within(&package("")).run();
    let expected = "examples/quickstart/flowbind.yaml: valid, 3 flows, 5 managed bindings\n";
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, expected, ""));
}

#[test]
fn validate_without_path_reads_flowbind_yaml() {
    let folder = folder();
    let outcome = flowbind(["validate"]).within(folder.path()).run();
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("cannot read `flowbind.yaml`"), "{outcome}");
    file(folder.path(), "flowbind.yaml", "version: 1\ntenant: a.com\nflows: {}\n");
    assert_eq!(flowbind(["validate"]).within(folder.path()).run().code, 0);
}

#[test]
fn validate_of_unreadable_file_is_an_error() {
    let folder = folder();
    file(folder.path(), "large.yaml", vec![b'#'; (16 << 20) + 1]);
    file(
        folder.path(),
        "fits.yaml",
        [b"version: 1\ntenant: a.com\nflows: {}\n", vec![b'#'; 16 << 20].as_slice()]
            .concat()
            .split_at(16 << 20)
            .0,
    );
    let validate = |path: &str| flowbind(["validate", path]).within(folder.path()).run();
    assert!(validate("large.yaml").stderr.contains("`large.yaml` is larger than 16 MiB"));
    assert_eq!(validate("fits.yaml").code, 0);
    for path in ["no/such.yaml", "a\u{1b}[31mb"] {
        let outcome = validate(path);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("cannot read `") && !outcome.stderr.contains('\u{1b}'), "{outcome}");
    }
}

#[test]
fn file_with_too_many_anchors_is_an_error() {
    let folder = folder();
    let anchors: String = (0..50_001).map(|anchor| format!("- &a{anchor} x\n")).collect();
    file(folder.path(), "anchors.yaml", anchors);
    let outcome = flowbind(["validate", "anchors.yaml"]).within(folder.path()).run();
    let message = "error[yaml-limit]: the file has more than 50000 anchors\n";
    assert!(outcome.code == 1 && outcome.stderr.starts_with(message), "{outcome}");
}

/// Nine levels of ten aliases each expand to a billion values.
#[test]
fn file_with_alias_bomb_is_an_error() {
    let mut yaml =
        "version: 1\ntenant: a.com\nflows: {}\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*x{}", level - 1);
        yaml.push_str(&format!("x{level}: &x{level} [{}]\n", [alias.as_str(); 10].join(", ")));
    }
    let folder = folder();
    file(folder.path(), "bomb.yaml", yaml);
    let outcome = flowbind(["validate", "bomb.yaml"]).within(folder.path()).run();
    assert_eq!(outcome.code, 1);
    let message =
        "error[yaml-limit]: YAML aliases expand to more than 1000000 keys and values\n --> bomb.yaml:";
    assert!(outcome.stderr.starts_with(message), "{outcome}");
}
