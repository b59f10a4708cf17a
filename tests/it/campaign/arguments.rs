//! Command line of a scenario.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use flowbind::snapshot::Step;
use serde_json::Value;
use strum::VariantArray as _;

use super::desired_file::DesiredFile;
use super::scenario::{Approval, Command, OutputFault, Scenario};

impl Scenario {
    /// Returns the arguments of the run under test.
    pub fn args(&self, folder: &Path) -> Result<Vec<String>> {
        let scenario = self;
        let mut args = match scenario.command {
            Command::Plan { detailed: false } => strings(&["plan"]),
            Command::Plan { detailed: true } => strings(&["plan", "--detailed-exitcode"]),
            Command::Apply(Approval::Yes) => strings(&["apply", "--yes"]),
            Command::Apply(Approval::NotGiven) => strings(&["apply"]),
            Command::Apply(Approval::SavedPlan) => strings(&["apply", "--plan", "saved.json"]),
            Command::Apply(Approval::Fingerprint) => {
                let saved: Value = serde_json::from_str(&fs::read_to_string(folder.join("saved.json"))?)?;
                // An incomplete plan has no fingerprint, so nothing approves it.
                let fingerprint = saved["fingerprint"].as_str().map_or("0".repeat(64), str::to_owned);
                strings(&["apply", "--expect", &fingerprint])
            }
            Command::Apply(Approval::WrongFingerprint) => strings(&["apply", "--expect", &"5".repeat(64)]),
            Command::Drift { strict: false } => strings(&["drift"]),
            Command::Drift { strict: true } => strings(&["drift", "--strict"]),
            Command::Export { snapshot } => scenario.export_args(snapshot),
        };
        let is_saved = scenario.command == Command::Apply(Approval::SavedPlan);
        if !scenario.is_export() {
            args.extend(strings(match (scenario.output, scenario.is_apply()) {
                (OutputFault::NoFolder, _) => &["--out", "nowhere/report.json"],
                (OutputFault::Device, _) => &["--out", "/dev/full"],
                // Root ignores permission bits, but cannot write to /sys.
                (OutputFault::NotPermitted, _) if is_root(folder) => &["--out", "/sys/report.json"],
                (_, true) => &["--out", "out/report.json"],
                (_, false) => &["--out", "out/plan.json"],
            }));
            if scenario.json {
                args.extend(strings(&["--format", "json"]));
            }
            if !is_saved {
                args.extend(scenario.paths());
            }
        }
        let takes_guards = matches!(scenario.command, Command::Plan { .. } | Command::Apply(_)) && !is_saved;
        if takes_guards {
            args.extend(scenario.override_flags(scenario.guards_lifted));
        }
        args.extend(scenario.flags.iter().cloned());
        Ok(args)
    }

    /// Returns the desired-state files, or their folder, as arguments.
    pub fn paths(&self) -> Vec<String> {
        if self.by_folder {
            return strings(&["desired"]);
        }
        self.files.iter().map(|file| format!("{}.yaml", file.stem)).collect()
    }

    /// Returns the flags that override all guards.
    pub fn override_flags(&self, guards_lifted: bool) -> Vec<String> {
        if !guards_lifted {
            return Vec::new();
        }
        let key = |file: &DesiredFile| file.tenant.to_lowercase();
        let tenants: BTreeSet<_> = self.files.iter().map(key).collect();
        let flags = tenants.iter().flat_map(|tenant| {
            let is_named = tenants.len() > 1;
            let scope = |separator| if is_named { format!("{tenant}{separator}") } else { String::new() };
            let limits = ["changes", "disables"].map(|it| format!("--max-{it}={}1000", scope("=")));
            let files: Vec<_> = self.files.iter().filter(|file| key(file) == *tenant).collect();
            let protected = files.iter().flat_map(|file| file.protected_bindings());
            let protected = protected.map(|it| format!("--allow-protected={}{it}", scope(":")));
            let empty = if is_named { format!("--allow-empty={tenant}") } else { "--allow-empty".to_owned() };
            let empty = files.iter().any(|file| file.prune == "flows").then_some(empty);
            limits.into_iter().chain(protected).chain(empty).collect::<Vec<_>>()
        });
        flags.collect()
    }

    fn export_args(&self, snapshot: bool) -> Vec<String> {
        let mut args = strings(&[
            "export",
            "--tenant",
            "contoso.onmicrosoft.com",
            "--cloud",
            self.model.cloud.name(),
            "--api",
            self.api(),
            "--format",
            if snapshot { "snapshot" } else { "desired" },
        ]);
        // By default, all steps are exported that the service has.
        if self.files[0].steps.len() == Step::VARIANTS.len() {
            let steps: Vec<_> = Step::VARIANTS.iter().map(|step| step.name()).collect();
            args.extend(["--steps".to_owned(), steps.join(",")]);
        }
        args
    }
}

impl Command {
    /// Returns the name under which the campaign counts the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Apply(Approval::Yes) => "apply --yes",
            Self::Apply(Approval::NotGiven) => "apply",
            Self::Apply(Approval::SavedPlan) => "apply --plan",
            Self::Apply(Approval::Fingerprint | Approval::WrongFingerprint) => "apply --expect",
            Self::Drift { strict: false } => "drift",
            Self::Drift { strict: true } => "drift --strict",
            Self::Export { .. } => "export",
        }
    }
}

/// Returns whether the test runs as root. It owns the folder that it created.
#[cfg(unix)]
fn is_root(folder: &Path) -> bool {
    std::os::unix::fs::MetadataExt::uid(&folder.metadata().unwrap()) == 0
}

#[cfg(windows)]
fn is_root(_: &Path) -> bool {
    false
}

pub fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}
