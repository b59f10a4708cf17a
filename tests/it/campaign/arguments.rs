//! The command line of a scenario.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::scenario::{Approval, Command, OutputTrouble, Scenario};

impl Scenario {
    /// The arguments of the run that everything is about.
    pub fn args(&self, folder: &Path) -> Result<Vec<String>> {
        let scenario = self;
        let mut args = match scenario.command {
            Command::Plan { detailed: false } => strings(&["plan"]),
            Command::Plan { detailed: true } => strings(&["plan", "--detailed-exitcode"]),
            Command::Apply(Approval::Yes) => strings(&["apply", "--yes"]),
            Command::Apply(Approval::None) => strings(&["apply"]),
            Command::Apply(Approval::Saved) => strings(&["apply", "--plan", "saved.json"]),
            Command::Apply(Approval::Expected) => {
                let saved: Value = serde_json::from_str(&fs::read_to_string(folder.join("saved.json"))?)?;
                strings(&["apply", "--expect", saved["fingerprint"].as_str().context("no fingerprint")?])
            }
            Command::Apply(Approval::Wrong) => strings(&["apply", "--expect", &"5".repeat(64)]),
            Command::Drift { strict: false } => strings(&["drift"]),
            Command::Drift { strict: true } => strings(&["drift", "--strict"]),
            Command::Export { snapshot } => scenario.export_args(snapshot),
        };
        let is_saved = scenario.command == Command::Apply(Approval::Saved);
        if !scenario.is_export() {
            args.extend(strings(match (scenario.output, scenario.is_apply()) {
                (OutputTrouble::NoFolder, _) => &["--out", "nowhere/report.json"],
                (OutputTrouble::Device, _) => &["--out", "/dev/full"],
                // Nobody but root may write where nobody may, and not even root there.
                (OutputTrouble::NoRight, _) if is_root(folder) => &["--out", "/sys/report.json"],
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
            args.extend(scenario.allowances(scenario.lifted));
        }
        args.extend(scenario.flags.iter().cloned());
        Ok(args)
    }

    pub fn paths(&self) -> Vec<String> {
        if self.folder {
            return strings(&["desired"]);
        }
        self.files.iter().map(|file| format!("{}.yaml", file.stem)).collect()
    }

    pub fn allowances(&self, lifted: bool) -> Vec<String> {
        if !lifted {
            return Vec::new();
        }
        let mut flags = strings(&["--max-changes", "1000", "--max-disables", "1000", "--allow-empty"]);
        flags.extend(self.files.iter().flat_map(super::file::File::allowances));
        flags
    }

    fn export_args(&self, snapshot: bool) -> Vec<String> {
        let steps: Vec<_> = self.files[0].steps.iter().map(|step| step.name()).collect();
        strings(&[
            "export",
            "--tenant",
            "contoso.onmicrosoft.com",
            "--cloud",
            self.world.cloud.name(),
            "--api",
            self.api(),
            "--steps",
            &steps.join(","),
            "--format",
            if snapshot { "snapshot" } else { "desired" },
        ])
    }
}

impl Command {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Apply(Approval::Yes) => "apply --yes",
            Self::Apply(Approval::None) => "apply",
            Self::Apply(Approval::Saved) => "apply --plan",
            Self::Apply(Approval::Expected | Approval::Wrong) => "apply --expect",
            Self::Drift { strict: false } => "drift",
            Self::Drift { strict: true } => "drift --strict",
            Self::Export { .. } => "export",
        }
    }
}

/// Whether permissions hold nobody back: the folder is of whoever runs this.
fn is_root(folder: &Path) -> bool {
    folder.metadata().unwrap().uid() == 0
}

pub fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
