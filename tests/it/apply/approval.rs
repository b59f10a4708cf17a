//! Approval of changes: `--yes`, a prompt at a terminal, or neither.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowbind::sandbox::Options;

use crate::support::{
    Outcome, SandboxServer, file, flowbind, folder, serve, tenant, yaml_binding_connector_1,
};

/// Runs `apply` without approval and without a terminal.
fn apply_non_interactive(served: &SandboxServer) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    flowbind(["apply", "--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder.path())
        .run()
}

#[test]
fn apply_without_approval_and_terminal_is_blocked() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let outcome = apply_non_interactive(&served);
    assert_eq!((outcome.code, served.puts()), (3, 0), "{outcome}");
    assert!(
        outcome.stderr.contains("error[approval-required]: ")
            && outcome.stderr.contains("`--expect FINGERPRINT` or `--yes`"),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("Plan: 1 to enable."), "{outcome}");
}

#[test]
fn apply_without_changes_needs_no_approval() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let outcome = apply_non_interactive(&served);
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// Runs `apply` at a terminal, calls a function during the prompt, and answers. Returns `None` if the
/// system has no `script` command to provide a terminal.
fn run_at_terminal(served: &SandboxServer, meanwhile: impl FnOnce(), answer: &str) -> Option<Outcome> {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let flowbind = env!("CARGO_BIN_EXE_flowbind");
    let command = format!("{flowbind} apply --color never --graph-url {}", served.graph_url());
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // The prompt comes after the tenant was read.
    let patience = Instant::now() + Duration::from_secs(30);
    while served.requests().len() < 2 {
        assert!(Instant::now() < patience, "the tenant is not read");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    meanwhile();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    Some(Outcome { code: output.status.code().unwrap(), stdout, stderr: String::new() })
}

#[test]
fn apply_at_terminal_accepts_only_yes() {
    for (answer, code) in [("yes\n", 0), ("y\n", 3), ("no\n", 3), ("\n", 3), ("YES\n", 3)] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
        let Some(outcome) = run_at_terminal(&served, || {}, answer) else { return };
        assert_eq!(outcome.code, code, "{answer:?}: {outcome}");
        assert_eq!(served.puts(), usize::from(code == 0), "{answer:?}");
        assert_eq!(outcome.stdout.contains("error[approval-denied]: "), code == 3, "{outcome}");
        assert!(
            outcome.stdout.contains("Apply 1 change to contoso.onmicrosoft.com? Type 'yes': "),
            "{outcome}"
        );
    }
}

#[test]
fn apply_after_change_during_the_prompt_is_blocked() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let Some(outcome) =
        run_at_terminal(&served, || served.bind_out_of_band("B2C_1_a", "Connector 3"), "yes\n")
    else {
        return;
    };
    assert_eq!((outcome.code, served.puts()), (3, 1), "{outcome}");
    let stale =
        "`B2C_1_a` `postFederationSignup`: the plan expected Connector 2, the tenant now has Connector 3";
    assert!(outcome.stdout.contains(stale), "{outcome}");
}

#[test]
fn apply_after_same_change_out_of_band_sends_no_put() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let Some(outcome) =
        run_at_terminal(&served, || served.bind_out_of_band("B2C_1_a", "Connector 1"), "yes\n")
    else {
        return;
    };
    assert_eq!((outcome.code, served.puts()), (0, 1), "{outcome}");
    assert!(outcome.stdout.contains("Apply: 1 already."), "{outcome}");
}
