//! Files of a step of GitHub Actions, and the paths of annotations.

use std::fs;
use std::path::Path;

use flowbind::sandbox::Options;

use crate::support::{Outcome, file, flowbind, folder, package, serve, tenant, yaml_binding_connector_1};

const SUMMARY_LIMIT: usize = 1 << 20;

/// Creates a checkout whose folder `identity` has a file and the snapshot of its tenant. The plan has one change.
fn checkout() -> tempfile::TempDir {
    let folder = folder();
    let identity = folder.path().join("identity");
    fs::create_dir(&identity).unwrap();
    file(&identity, "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 0, 0)]).to_json());
    folder
}

/// Plans a file in a folder of a checkout, with these step files.
fn plan(checkout: &Path, within: &str, path: &str, variables: &[(&str, &Path)]) -> Outcome {
    let sandbox = checkout.join("tenant.json");
    let arguments = ["plan", path, "--format", "github", "--sandbox", sandbox.to_str().unwrap()];
    let mut command = flowbind(arguments).env("GITHUB_WORKSPACE", checkout.to_str().unwrap());
    for (name, path) in variables {
        command = command.env(name, path.to_str().unwrap());
    }
    command.within(&checkout.join(within)).run()
}

fn annotated_file(outcome: &Outcome) -> &str {
    outcome.stdout.split_once("file=").unwrap().1.split(',').next().unwrap()
}

/// GitHub shows an annotation at a line only if its path is that of the file in the repository.
#[test]
fn annotation_has_the_path_in_the_repository() {
    let checkout = checkout();
    let root = checkout.path();
    fs::create_dir(root.join("other")).unwrap();
    file(&root.join("other"), "50%, a:b.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let absolute = root.join("identity/flowbind.yaml");
    for (within, path, expected) in [
        ("", "identity/flowbind.yaml", "identity/flowbind.yaml"),
        ("", "./identity/../identity/flowbind.yaml", "identity/flowbind.yaml"),
        ("identity", "flowbind.yaml", "identity/flowbind.yaml"),
        ("identity", "./flowbind.yaml", "identity/flowbind.yaml"),
        ("other", "../identity/flowbind.yaml", "identity/flowbind.yaml"),
        ("other", absolute.to_str().unwrap(), "identity/flowbind.yaml"),
        ("other", "50%, a:b.yaml", "other/50%25%2C a%3Ab.yaml"),
    ] {
        let outcome = plan(root, within, path, &[]);
        assert_eq!(annotated_file(&outcome), expected, "{path} in {within}: {outcome}");
    }
}

/// Symbolic links to folders.
#[cfg(unix)]
#[test]
fn annotation_of_a_file_through_a_link_has_its_real_path() {
    use std::os::unix::fs::symlink;
    let checkout = checkout();
    let root = checkout.path();
    symlink("identity", root.join("current")).unwrap();
    let elsewhere = folder();
    symlink(root, elsewhere.path().join("checkout")).unwrap();
    let through = elsewhere.path().join("checkout/current/flowbind.yaml");
    for (within, path) in
        [("", "current/flowbind.yaml"), ("current", "flowbind.yaml"), ("identity", through.to_str().unwrap())]
    {
        let outcome = plan(root, within, path, &[]);
        assert_eq!(annotated_file(&outcome), "identity/flowbind.yaml", "{path} in {within}: {outcome}");
    }
    let workspace = elsewhere.path().join("checkout");
    let outcome = plan(root, "identity", "flowbind.yaml", &[("GITHUB_WORKSPACE", &workspace)]);
    assert_eq!(annotated_file(&outcome), "identity/flowbind.yaml", "{outcome}");
}

#[test]
fn annotation_of_a_file_outside_of_the_workspace_keeps_its_path() {
    let (checkout, elsewhere) = (checkout(), folder());
    let outcome =
        plan(checkout.path(), "identity", "flowbind.yaml", &[("GITHUB_WORKSPACE", elsewhere.path())]);
    assert_eq!(annotated_file(&outcome), "flowbind.yaml", "{outcome}");
    let outcome = plan(
        checkout.path(),
        "identity",
        "../identity/flowbind.yaml",
        &[("GITHUB_WORKSPACE", Path::new(""))],
    );
    assert_eq!(annotated_file(&outcome), "../identity/flowbind.yaml", "{outcome}");
}

/// A saved plan has the lines of its guards, also of those in a base.
#[test]
fn saved_plan_has_the_annotations_of_its_run() {
    let case = package("tests/cases/extends-guards-field-by-field");
    let folder = folder();
    let saved = folder.path().join("plan.json");
    let planned =
        flowbind(["plan", "desired.yaml", "--sandbox", "tenant.json", "--format", "github", "--out"])
            .args([&saved])
            .within(&case)
            .run();
    let shown = flowbind(["show", "--format", "github"]).args([&saved]).within(&case).run();
    assert_eq!(shown.stdout, planned.stdout);
    let guard = "::error file=base.yaml,line=4,col=16,title=guard-max-disables (contoso.onmicrosoft.com)::";
    assert!(shown.stdout.contains(guard), "{shown}");
}

#[test]
fn summary_begins_after_a_blank_line() {
    let checkout = checkout();
    let summary = checkout.path().join("summary.md");
    for (before, expected) in [
        ("", "<!-- flowbind:plan"),
        ("a", "a\n\n<!-- flowbind:plan"),
        ("a\n", "a\n\n<!-- flowbind:plan"),
        ("a\n\n", "a\n\n<!-- flowbind:plan"),
        ("\n", "\n\n<!-- flowbind:plan"),
    ] {
        fs::write(&summary, before).unwrap();
        let outcome = plan(checkout.path(), "identity", ".", &[("GITHUB_STEP_SUMMARY", &summary)]);
        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{outcome}");
        let written = fs::read_to_string(&summary).unwrap();
        assert!(written.starts_with(expected), "{before:?}: {written}");
    }
}

/// GitHub drops a longer summary completely.
#[test]
fn summary_never_exceeds_its_limit() {
    let checkout = checkout();
    let flows: Vec<_> = (0..100).map(|number| format!("B2C_1_{number:03}")).collect();
    let yaml = yaml_binding_connector_1(&flows);
    let flows: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect();
    let planned =
        serve(tenant(&flows), Options::default()).plan(&yaml, &["--format", "json", "--rate", "1000/1"]);
    file(checkout.path(), "plan.json", planned.stdout);
    let summary = checkout.path().join("summary.md");
    let mut written = Vec::new();
    for room in [0, 1, 2, 100, 2_000, 5_000, 10_000, SUMMARY_LIMIT] {
        fs::write(&summary, "a".repeat(SUMMARY_LIMIT - room)).unwrap();
        let outcome = flowbind(["show", "plan.json", "--format", "github"])
            .env("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())
            .within(checkout.path())
            .run();
        assert_eq!(outcome.code, 0, "{outcome}");
        let text = fs::read_to_string(&summary).unwrap();
        assert!(text.len() <= SUMMARY_LIMIT, "{}", text.len());
        let warning = "warning[step-limit]: cannot add the summary: the file of the step would exceed 1,048,576 bytes\n";
        let rows = text.matches("\n| ➕ enable").count();
        assert_eq!(outcome.stderr.contains(warning), text.len() + room == SUMMARY_LIMIT, "{room}: {outcome}");
        assert_eq!(text.contains(" more changes\n"), (1..100).contains(&rows), "{room}: {rows}");
        written.push(rows);
    }
    assert!(written.is_sorted() && written[..4] == [0; 4] && written[5] > 10, "{written:?}");
    assert_eq!(written.last(), Some(&100));
}

#[test]
fn summary_beyond_its_limit_is_left_as_it_is() {
    let checkout = checkout();
    let summary = file(checkout.path(), "summary.md", "a".repeat(SUMMARY_LIMIT + 7));
    let outcome = plan(checkout.path(), "identity", ".", &[("GITHUB_STEP_SUMMARY", &summary)]);
    assert!(outcome.code == 0 && outcome.stderr.starts_with("warning[step-limit]: "), "{outcome}");
    assert_eq!(fs::metadata(&summary).unwrap().len(), (SUMMARY_LIMIT + 7) as u64);
}

#[test]
fn outputs_begin_on_a_new_line() {
    let checkout = checkout();
    let outputs = checkout.path().join("outputs");
    for (before, expected) in
        [("", "changes=1\n"), ("a=1", "a=1\nchanges=1\n"), ("a=1\n", "a=1\nchanges=1\n")]
    {
        fs::write(&outputs, before).unwrap();
        let outcome = plan(checkout.path(), "identity", ".", &[("GITHUB_OUTPUT", &outputs)]);
        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{outcome}");
        let written = fs::read_to_string(&outputs).unwrap();
        assert!(written.starts_with(expected), "{before:?}: {written}");
    }
}

/// The fingerprints of thousands of tenants are more than the outputs of a job can have.
#[test]
fn outputs_beyond_their_limit_are_left_out() {
    let checkout = checkout();
    // Room for 200 characters, of two bytes each.
    let outputs = file(checkout.path(), "outputs", "a".repeat((1 << 19) - 201) + "\n");
    let outcome = plan(checkout.path(), "identity", ".", &[("GITHUB_OUTPUT", &outputs)]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let warning = "warning[step-limit]: cannot add the output `fingerprints`: 1,048,576 bytes of UTF-16 would be exceeded\n";
    assert!(outcome.stderr.contains(warning), "{outcome}");
    let written = fs::read_to_string(&outputs).unwrap();
    assert!(written.contains("\nchanges=1\n") && !written.contains("fingerprints="), "{outcome}");
}

/// Step files are opened before the first request, and never replace or change another file of the run.
#[test]
fn step_file_that_is_unusable_ends_the_run_before_the_tenant_is_read() {
    let checkout = checkout();
    let root = checkout.path();
    let (missing, report) = (root.join("missing/file"), root.join("plan.md"));
    let input = root.join("identity/flowbind.yaml");
    let content = fs::read_to_string(&input).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(root, root.join("link")).unwrap();
    let linked = if cfg!(unix) { root.join("link/plan.md") } else { report.clone() };
    for variable in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        for (path, id) in [
            (missing.as_path(), "output-not-writable"),
            (root, "output-not-writable"),
            (&report, "output-conflict"),
            (&linked, "output-conflict"),
            (&input, "output-conflict"),
        ] {
            let outcome = flowbind(["plan", "--format", "github", "--graph-url", "http://127.0.0.1:9/beta"])
                .args(["--out", report.to_str().unwrap()])
                .env(variable, path.to_str().unwrap())
                .within(&root.join("identity"))
                .run();
            let error = format!("error[{id}]: ");
            assert!(
                outcome.code == 1 && outcome.stderr.starts_with(&error),
                "{variable} {path:?}: {outcome}"
            );
            assert!(outcome.stdout.is_empty() && !report.exists(), "{outcome}");
        }
    }
    assert_eq!(fs::read_to_string(&input).unwrap(), content);
}

#[test]
fn step_files_of_an_empty_variable_are_not_written() {
    let checkout = checkout();
    let none = Path::new("");
    let variables = [("GITHUB_OUTPUT", none), ("GITHUB_STEP_SUMMARY", none), ("GITHUB_WORKSPACE", none)];
    let outcome = plan(checkout.path(), "identity", ".", &variables);
    assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{outcome}");
    assert_eq!(annotated_file(&outcome), "flowbind.yaml");
}
