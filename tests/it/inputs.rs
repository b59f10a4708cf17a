//! Inputs as users name and write them: stdin, encodings, names and patterns.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use expect_test::expect;

use crate::support::{Outcome, file, flowbind, folder, tenant, yaml_binding_connector_1};

const VALID: &str = "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {}\n";

/// Folder with a snapshot, in which a file of one flow has a change.
fn folder_with_snapshot() -> (tempfile::TempDir, String) {
    let folder = folder();
    file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 2, 0)]).to_json());
    (folder, yaml_binding_connector_1(&["B2C_1_a"]))
}

fn with_stdin(folder: &Path, args: &str, input: impl AsRef<[u8]>) -> Outcome {
    flowbind(args.split(' ')).within(folder).run_with_stdin(input)
}

#[test]
fn stdin_is_a_file_of_every_command_with_files() {
    let (folder, yaml) = folder_with_snapshot();
    let run = |args: &str| with_stdin(folder.path(), args, &yaml);
    let outcome = run("validate -");
    assert_eq!(outcome.stdout, "<stdin>: valid, 1 flow, 1 managed binding\n", "{outcome}");
    assert!(run("validate - --print").stdout.starts_with("# <stdin>\nversion: 1"));
    let plan = run("plan - --sandbox tenant.json --format markdown");
    let fingerprint =
        plan.stdout.split("flowbind apply - --expect ").nth(1).unwrap_or_else(|| panic!("{plan}"));
    let fingerprint = fingerprint.lines().next().unwrap();
    let drift = run("drift - --sandbox tenant.json");
    assert_eq!(drift.code, 2, "{drift}");
    assert!(drift.stdout.contains("flowbind apply - --sandbox tenant.json\n"), "{drift}");
    assert!(!drift.stdout.contains("flowbind accept"), "{drift}");
    let apply = run(&format!("apply - --sandbox tenant.json --expect {fingerprint}"));
    assert_eq!(apply.code, 0, "{apply}");
    let apply = run("apply - --sandbox tenant.json");
    assert_eq!(apply.code, 0, "nothing is left to approve: {apply}");
}

#[test]
fn stdin_with_an_apply_that_asks_is_an_error() {
    let (folder, yaml) = folder_with_snapshot();
    let apply = with_stdin(folder.path(), "apply - --sandbox tenant.json", yaml);
    assert_eq!(apply.code, 3, "{apply}");
    expect![[r#"
        error[approval-required]: cannot ask for approval: stdin is the desired-state file
          = hint: after reviewing the plan, run again with `--expect FINGERPRINT` or `--yes`
          = docs: flowbind explain approval-required
    "#]]
    .assert_eq(&apply.stderr);
}

#[test]
fn stdin_in_annotations_has_no_file() {
    let (folder, yaml) = folder_with_snapshot();
    for args in
        ["plan - --sandbox tenant.json --format github", "drift - --sandbox tenant.json --format github"]
    {
        let outcome = with_stdin(folder.path(), args, &yaml);
        assert!(outcome.stdout.contains("::") && !outcome.stdout.contains("file="), "{outcome}");
    }
    let outcome = with_stdin(folder.path(), "plan - --format github", "version: 1\nflows: {}\n");
    assert!(outcome.stdout.contains("::error title=missing-key"), "{outcome}");
}

#[test]
fn stdin_that_is_invalid_is_shown_with_its_name() {
    let folder = folder();
    let outcome = with_stdin(folder.path(), "validate -", "version: 2\n");
    assert!(outcome.code == 1 && outcome.stderr.contains("\n --> <stdin>:1:10\n"), "{outcome}");
    let outcome = with_stdin(folder.path(), "validate - -", VALID);
    assert!(outcome.stderr.contains("`<stdin>` is given twice"), "{outcome}");
    let outcome = with_stdin(folder.path(), "validate -", vec![b'#'; (16 << 20) + 1]);
    assert!(outcome.stderr.contains("`<stdin>` is larger than 16 MiB"), "{outcome}");
    let outcome = with_stdin(folder.path(), "accept - --write", VALID);
    assert!(outcome.code == 1 && outcome.stderr.contains("`accept` changes files"), "{outcome}");
}

#[test]
fn stdin_with_bases_finds_them_from_the_working_directory() {
    let folder = folder();
    fs::create_dir(folder.path().join("part")).unwrap();
    file(folder.path(), "base.yaml", "version: 1\nextends: part/-\nflows: {}\n");
    file(folder.path(), "part/-", "version: 1\nguards: {maxChanges: 3}\n");
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nextends: base.yaml\n";
    let outcome = with_stdin(folder.path(), "validate --print -", yaml);
    assert!(outcome.stdout.contains("maxChanges: 3"), "{outcome}");
    assert!(outcome.stdout.contains("# part/-:2\n"), "{outcome}");
}

/// In `extends`, and with a folder, `-` is a file.
#[test]
fn file_named_like_stdin_is_read_as_a_file() {
    let folder = folder();
    file(folder.path(), "-", VALID);
    let outcome = with_stdin(folder.path(), "validate ./-", "not read");
    assert_eq!(outcome.stdout, "./-: valid, 0 flows, 0 managed bindings\n", "{outcome}");
    file(folder.path(), "-", "version: 1\nflows: {}\n");
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nextends: ['-']\n";
    let outcome = with_stdin(folder.path(), "validate - ./-", yaml);
    assert_eq!(outcome.stdout, "<stdin>: valid, 0 flows, 0 managed bindings\n", "{outcome}");
}

#[test]
fn stdout_as_an_output_file_is_a_usage_error() {
    let folder = folder();
    for (args, hint) in [
        ("plan --out -", "stdout has the format of `--format`; pass the name of a file"),
        ("apply -o -", "stdout has the format of `--format`; pass the name of a file"),
        ("drift --out=-", "stdout has the format of `--format`; pass the name of a file"),
        ("show plan.json --out -", "stdout has the format of `--format`; pass the name of a file"),
        ("compare a b --out -", "stdout has the format of `--format`; pass the name of a file"),
        ("export --tenant a.com --out -", "to write to stdout, leave the option out"),
        ("export --tenant a.com --out-dir -", "to write to stdout, leave the option out"),
    ] {
        let outcome = flowbind(args.split(' ')).within(folder.path()).run();
        assert!(outcome.code == 1 && outcome.stderr.starts_with("error[usage]: "), "{outcome}");
        assert!(outcome.stderr.contains(hint), "{outcome}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Returns a text in the encodings that are accepted, and in those that are not.
fn encoded(text: &str) -> ([Vec<u8>; 2], [Vec<u8>; 4]) {
    let utf16 = |text: &str, to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect();
    let marked = format!("\u{feff}{text}");
    (
        [text.into(), marked.clone().into()],
        [
            utf16(&marked, u16::to_le_bytes),
            utf16(&marked, u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ],
    )
}

/// Each input is read with and without a byte order mark. UTF-16, which PowerShell 5.1 writes, has an error that names
/// it.
#[test]
fn input_in_each_encoding_is_read_or_its_encoding_is_named() {
    let folder = folder();
    let snapshot = tenant(&[("B2C_1_a", 2, 0)]).to_json();
    let base =
        "version: 1\nflows:\n  B2C_1_a: {postFederationSignup: 00000000-0000-4000-8000-000000000001}\n";
    file(folder.path(), "base.yaml", base);
    let desired = "version: 1\ntenant: contoso.onmicrosoft.com\nextends: base.yaml\n";
    file(folder.path(), "flowbind.yaml", desired);
    file(folder.path(), "tenant.json", &snapshot);
    let run = |args: &str| flowbind(args.split(' ')).within(folder.path()).run();
    let write = run("drift --sandbox tenant.json --out drift.json");
    assert_eq!(write.code, 2, "{write}");
    assert_eq!(run("plan --sandbox tenant.json --out plan.json").code, 0);
    assert_eq!(run("apply --yes --sandbox tenant.json --out report.json").code, 0);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let [plan, drift, report] = ["plan.json", "drift.json", "report.json"].map(read);
    for (name, text, args, code) in [
        ("flowbind.yaml", desired, "plan --sandbox tenant.json", 0),
        ("base.yaml", base, "validate", 0),
        ("tenant.json", &*snapshot, "plan --sandbox tenant.json", 0),
        ("tenant.json", &*snapshot, "compare tenant.json flowbind.yaml", 0),
        ("plan.json", &*plan, "show plan.json", 0),
        ("plan.json", &*plan, "apply --plan plan.json --sandbox tenant.json", 0),
        ("drift.json", &*drift, "drift --since drift.json --sandbox tenant.json", 2),
        ("report.json", &*report, "plan --undo report.json --sandbox tenant.json", 0),
    ] {
        let (valid, invalid) = encoded(text);
        for bytes in invalid {
            file(folder.path(), name, bytes);
            let outcome = run(args);
            let names_it = outcome.stderr.contains("UTF-16, not UTF-8");
            let hint = "  = hint: write the file with `--out FILE` in place of `>`, or save it as UTF-8";
            assert!(outcome.code == 1 && names_it && outcome.stderr.contains(hint), "{args}: {outcome}");
        }
        for bytes in valid.into_iter().rev() {
            file(folder.path(), name, bytes);
            if name != "tenant.json" {
                file(folder.path(), "tenant.json", &snapshot);
            }
            let outcome = run(args);
            assert_eq!(outcome.code, code, "{args}: {outcome}");
        }
    }
}

#[test]
fn pattern_that_matches_no_file_is_an_error_with_a_hint() {
    let folder = folder();
    fs::create_dir(folder.path().join("tenants")).unwrap();
    for args in ["validate tenants/*.yaml", "compare tenants/?.yaml a", "validate [ab].yaml"] {
        let outcome = flowbind(args.split(' ')).within(folder.path()).run();
        let hint = "hint: no file matches the pattern, or the shell does not expand patterns: name the files, or their \
                    folder";
        assert!(outcome.code == 1 && outcome.stderr.contains(hint), "{outcome}");
    }
    for args in ["show plans/*.json", "plan --sandbox *.json"] {
        let outcome = flowbind(args.split(' ')).within(folder.path()).run();
        let hint =
            "hint: no file matches the pattern, or the shell does not expand patterns: name the files\n";
        assert!(outcome.code == 1 && outcome.stderr.contains(hint), "{outcome}");
    }
    // A file can be named like a pattern, except on Windows.
    let name = if cfg!(windows) { "[a].yaml" } else { "[a]*?.yaml" };
    file(folder.path(), name, VALID);
    assert_eq!(flowbind(["validate", name]).within(folder.path()).run().code, 0);
}

/// A shell expands `*.yaml` to both.
#[test]
fn files_of_a_pattern_may_be_bases_and_tenants() {
    let folder = folder();
    file(folder.path(), "base.yaml", "version: 1\nflows: {}\n");
    file(folder.path(), "a.yaml", "version: 1\ntenant: a.onmicrosoft.com\nextends: base.yaml\n");
    file(folder.path(), "b.yaml", "version: 1\ntenant: b.onmicrosoft.com\nextends: base.yaml\n");
    let outcome = flowbind(["validate", "a.yaml", "b.yaml", "base.yaml"]).within(folder.path()).run();
    let valid = "valid, 0 flows, 0 managed bindings\n";
    assert_eq!(outcome.stdout, format!("a.yaml: {valid}b.yaml: {valid}"), "{outcome}");
    let outcome = flowbind(["validate", ".", "a.yaml"]).within(folder.path()).run();
    assert!(outcome.stderr.starts_with("error[file-given-twice]: `a.yaml` is given twice"), "{outcome}");
}

/// Names of files with blanks, quotes and leading dashes, and suggestions that a shell reads as the same names.
#[test]
fn file_with_an_unusual_name_is_read_and_written() {
    let folder = folder();
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    for (name, word) in [
        ("my file.yaml", "'my file.yaml'"),
        ("./-x.yaml", "./-x.yaml"),
        ("it's $HOME.yaml", r"'it'\''s $HOME.yaml'"),
        ("é 漢.yaml", "'é 漢.yaml'"),
        ("#a;b&c.yaml", "'#a;b&c.yaml'"),
    ] {
        file(folder.path(), name, &yaml);
        file(folder.path(), "my tenant.json", tenant(&[("B2C_1_a", 2, 0)]).to_json());
        let args = ["drift", name, "--sandbox", "my tenant.json", "--out", "my drift.json"];
        let outcome = flowbind(args).within(folder.path()).run();
        assert_eq!(outcome.code, 2, "{outcome}");
        let command = format!("flowbind apply {word} --sandbox 'my tenant.json'\n");
        assert!(outcome.stdout.contains(&command), "{outcome}");
        let args = ["show", "my drift.json"];
        assert_eq!(flowbind(args).within(folder.path()).run().code, 2);
    }
    for args in [&["validate", "-x.yaml"][..], &["validate", "--", "-x.yaml"]] {
        let outcome = flowbind(args).within(folder.path()).run();
        assert_eq!(outcome.code == 0, args.contains(&"--"), "{outcome}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn file_with_a_name_that_is_not_utf8_is_read_and_written() {
    use std::os::unix::ffi::OsStringExt as _;

    let folder = folder();
    let name = |extension: &str| OsString::from_vec([b"caf\xe9.", extension.as_bytes()].concat());
    let (yaml, snapshot, plan) = (name("yaml"), name("tenant.json"), name("json"));
    fs::write(folder.path().join(&yaml), yaml_binding_connector_1(&["B2C_1_a"])).unwrap();
    fs::write(folder.path().join(&snapshot), tenant(&[("B2C_1_a", 2, 0)]).to_json()).unwrap();
    let run = |args: &[&OsString]| flowbind(args).within(folder.path()).run();
    let [command, sandbox, out, by_plan] = ["plan", "--sandbox", "--out", "--plan"].map(OsString::from);
    let [show, apply] = ["show", "apply"].map(OsString::from);
    let outcome = run(&[&command, &yaml, &sandbox, &snapshot, &out, &plan]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    assert!(outcome.stdout.contains("from caf\u{fffd}.yaml\n"), "{outcome}");
    assert_eq!(run(&[&show, &plan]).code, 0);
    assert_eq!(run(&[&apply, &by_plan, &plan, &sandbox, &snapshot]).code, 0);
}

/// As after the clean-up of a workspace, or on a stale mount.
#[cfg(unix)]
#[test]
fn working_directory_that_was_deleted_does_not_matter_for_absolute_paths() {
    let (folder, yaml) = folder_with_snapshot();
    fs::create_dir(folder.path().join("files")).unwrap();
    file(folder.path(), "files/base.yaml", yaml.replace("tenant: contoso.onmicrosoft.com\n", ""));
    file(
        folder.path(),
        "files/dev.yaml",
        "version: 1\nextends: base.yaml\ntenant: contoso.onmicrosoft.com\n",
    );
    let script = r#"mkdir old; cd old; rm -r ../old; exec "$0" plan "$1/files" --sandbox "$1/tenant.json""#;
    let outcome: Outcome = std::process::Command::new("/bin/sh")
        .args(["-ec", script, env!("CARGO_BIN_EXE_flowbind")])
        .arg(folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// The shells of Windows expand no patterns.
#[cfg(windows)]
#[test]
fn pattern_as_an_argument_is_the_files_that_match_and_are_not_hidden() {
    let folder = folder();
    for name in ["a.yaml", "B.YAML", ".c.yaml", "d.yml"] {
        file(folder.path(), name, "version: 2\n");
    }
    let outcome = flowbind(["validate", "*.yaml"]).within(folder.path()).run();
    for (name, is_read) in [("a.yaml", true), ("B.YAML", true), (".c.yaml", false), ("d.yml", false)] {
        assert_eq!(outcome.stderr.contains(&format!(" --> {name}:1:")), is_read, "{name}: {outcome}");
    }
}
