//! Shell completions and manual pages.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::{file, flowbind, folder};

fn completions(shell: &str) -> String {
    let outcome = flowbind(["completions", shell]).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    outcome.stdout
}

#[test]
fn completions_contain_commands_options_and_values() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = completions(shell);
        // The PowerShell script contains no values of options.
        let values =
            ["markdown", "managed-identity", "usgov-dod"].into_iter().filter(|_| shell != "powershell");
        for word in ["validate", "whoami", "detailed-exitcode"].into_iter().chain(values) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let outcome = flowbind(["completions", "tcsh"]).run();
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("[possible values: bash, zsh, fish, powershell]"), "{outcome}");
}

/// On Windows, `bash` may be that of another system.
#[cfg(unix)]
#[test]
fn bash_completes_credential_kinds() {
    let folder = folder();
    let script = file(folder.path(), "flowbind.bash", completions("bash"));
    let ask = "source \"$0\"; COMP_WORDS=(flowbind plan --auth ''); COMP_CWORD=3; \
               _flowbind flowbind '' --auth; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", ask]).arg(&script).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let words: BTreeSet<_> = words.lines().collect();
    assert!(words.contains("github-oidc") && words.contains("azure-cli"), "{words:?}");
}

/// On Windows, `bash` may be that of another system.
#[cfg(unix)]
#[test]
fn bash_completes_problem_ids() {
    let folder = folder();
    let script = file(folder.path(), "flowbind.bash", completions("bash"));
    let ask = "source \"$0\"; COMP_WORDS=(flowbind explain stale); COMP_CWORD=2; \
               _flowbind flowbind stale explain; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", ask]).arg(&script).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "stale-plan\n");
}

#[test]
fn man_writes_a_page_per_command() {
    let folder = folder();
    let pages = folder.path().join("share/man1");
    let outcome = flowbind(["man", pages.to_str().unwrap()]).run();
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", ""));
    for page in ["flowbind.1", "flowbind-plan.1", "flowbind-apply.1", "flowbind-whoami.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH flowbind") && text.contains("NAME"), "{page}");
    }
    let plan = std::fs::read_to_string(pages.join("flowbind-plan.1")).unwrap();
    assert!(plan.contains("detailed\\-exitcode"), "{plan}");
    assert!(plan.contains(".TH flowbind-plan 1 2026-11-02 \"flowbind "), "{plan}");
    assert!(plan.contains("flowbind plan [OPTIONS] [FILES]...\n"), "{plan}");
    assert!(plan.contains("Process only shard K of N"), "options that `-h` hides have their help: {plan}");
    for section in ["\"EXIT STATUS\"", "ENVIRONMENT", "FILES", "EXAMPLES", "\"SEE ALSO\""] {
        assert!(plan.contains(&format!("\n.SH {section}\n")), "{section}: {plan}");
    }
    assert!(!plan.contains("EXTRA"), "{plan}");
    for page in std::fs::read_dir(&pages).unwrap() {
        // mandoc warns of these: a blank line between line breaks, and a paragraph directly below a heading.
        let text = std::fs::read_to_string(page.unwrap().path()).unwrap();
        let lines: Vec<_> =
            text.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el ")).collect();
        let is_break = |line: &str| line.is_empty() || [".br", ".sp", ".PP"].contains(&line);
        for pair in lines.windows(2) {
            let follows = is_break(pair[0]) || pair[0].starts_with(".SH");
            assert!(!(follows && is_break(pair[1])), "{pair:?} in\n{text}");
        }
    }
    assert!(flowbind(["man"]).run().stdout.contains(".TH flowbind 1"));
    let existing = file(folder.path(), "file", "");
    let outcome = flowbind(["man", existing.to_str().unwrap()]).run();
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("cannot create the folder"), "{outcome}");
}
