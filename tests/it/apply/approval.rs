//! Approval of changes: `--yes`, a prompt at a terminal, or neither.

use std::time::Duration;

use flowbind::sandbox::Options;

#[cfg(unix)]
use crate::support::run_at_terminal;
use crate::support::{
    Outcome, SandboxServer, file, flowbind, folder, serve, tenant, yaml_binding_connector_1,
};

const PROMPT: &str = "Apply 1 change to contoso.onmicrosoft.com? Type 'yes': ";

/// Runs `apply` without approval and without a terminal.
fn apply_non_interactive(served: &SandboxServer) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    flowbind(["apply"]).connect_to(&served.graph_url()).within(folder.path()).run()
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

/// Runs `apply` at a terminal, calls a function during the prompt, and answers.
#[cfg(unix)]
fn apply_at_terminal(
    served: &SandboxServer,
    yaml: &str,
    prompt: &str,
    meanwhile: impl FnOnce(),
    answer: &str,
) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    let run = flowbind(["apply", "--color", "never"]).connect_to(&served.graph_url()).within(folder.path());
    run_at_terminal(run, prompt, meanwhile, answer)
}

/// Applies one change like [`apply_at_terminal`].
#[cfg(unix)]
fn apply_one_change(served: &SandboxServer, meanwhile: impl FnOnce(), answer: &str) -> Outcome {
    apply_at_terminal(served, &yaml_binding_connector_1(&["B2C_1_a"]), PROMPT, meanwhile, answer)
}

#[cfg(unix)]
#[test]
fn apply_at_terminal_accepts_only_yes() {
    for (answer, code) in [("yes\n", 0), ("y\n", 3), ("no\n", 3), ("\n", 3), ("YES\n", 3)] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
        let outcome = apply_one_change(&served, || {}, answer);
        assert_eq!(outcome.code, code, "{answer:?}: {outcome}");
        assert_eq!(served.puts(), usize::from(code == 0), "{answer:?}");
        assert_eq!(outcome.stdout.contains("error[approval-denied]: "), code == 3, "{outcome}");
    }
}

/// The prompt has the counts, and an answer other than `yes` is followed by one "Nothing was changed.".
#[cfg(unix)]
#[test]
fn apply_at_terminal_with_disables_asks_with_their_number() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 0)]), Options::default());
    let disable = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "null");
    let both = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]).replacen("Connector 1", "null", 1);
    for (yaml, question) in [
        (disable, "Apply 1 change (1 disable) to contoso.onmicrosoft.com? Type 'yes': "),
        (both, "Apply 2 changes (1 disable) to contoso.onmicrosoft.com? Type 'yes': "),
    ] {
        let outcome = apply_at_terminal(&served, &yaml, question, || {}, "no\n");
        assert_eq!((outcome.code, served.puts()), (3, 0), "{outcome}");
        assert_eq!(outcome.stdout.to_lowercase().matches("nothing was changed").count(), 1, "{outcome}");
    }
}

/// The progress line of slow reads is removed before the plan and the question are printed.
#[cfg(unix)]
#[test]
fn apply_at_terminal_after_slow_reads_keeps_the_question() {
    let latency = Duration::from_millis(400);
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { latency, ..Options::default() });
    // Longer than the interval of the progress line.
    let wait = || std::thread::sleep(Duration::from_millis(600));
    let outcome = apply_one_change(&served, wait, "no\n");
    let (before, after) = outcome.stdout.split_once(PROMPT).unwrap();
    let (_, plan) = before.split_once("contoso.onmicrosoft.com (cloud").unwrap();
    assert!(before.contains("1 in flight"), "{outcome}");
    for shown in [plan, after] {
        assert!(!shown.contains("in flight") && !shown.contains("\u{1b}[2K"), "{outcome}");
    }
}

#[cfg(unix)]
#[test]
fn apply_after_change_during_the_prompt_is_blocked() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let change = || served.bind_out_of_band("B2C_1_a", "Connector 3");
    let outcome = apply_one_change(&served, change, "yes\n");
    assert_eq!((outcome.code, served.puts()), (3, 1), "{outcome}");
    let stale =
        "`B2C_1_a` `postFederationSignup`: the plan expected Connector 2, the tenant now has Connector 3";
    assert!(outcome.stdout.contains(stale), "{outcome}");
}

#[cfg(unix)]
#[test]
fn apply_after_same_change_out_of_band_sends_no_put() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let change = || served.bind_out_of_band("B2C_1_a", "Connector 1");
    let outcome = apply_one_change(&served, change, "yes\n");
    assert_eq!((outcome.code, served.puts()), (0, 1), "{outcome}");
    assert!(outcome.stdout.contains("Apply: 1 already."), "{outcome}");
}
