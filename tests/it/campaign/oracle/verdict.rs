//! Expected verdict on each tenant, and the exit code that follows from them.

use std::collections::BTreeMap;

use crate::campaign::desired_file::{Change, DesiredFile, ExpectedPlan};
use crate::campaign::scenario::{Approval, Command, OutputFault, Scenario};
use crate::campaign::sign_in::SignIn;
use crate::campaign::tenant_model::Bindings;

/// Expected result for a tenant in a run without faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The plan has errors.
    Invalid,
    /// The changes must not be made.
    Blocked,
    /// The changes are made.
    Applicable,
}

/// Returns the verdict on every tenant. An invalid or blocked file also stops the other files of its
/// tenant.
pub fn tenant_verdicts(files: &[DesiredFile], expected: &[ExpectedPlan]) -> BTreeMap<&'static str, Verdict> {
    let mut verdicts = BTreeMap::new();
    for file in files {
        let same = || files.iter().zip(expected).filter(|(other, _)| other.tenant == file.tenant);
        let verdict = if same().any(|(_, expected)| expected.invalid) {
            Verdict::Invalid
        } else if same().any(|(_, expected)| expected.blocked) {
            Verdict::Blocked
        } else {
            Verdict::Applicable
        };
        verdicts.insert(file.tenant, verdict);
    }
    verdicts
}

/// Returns the exit code of a run without faults.
pub fn expected_exit(verdicts: impl Iterator<Item = Verdict> + Clone) -> i32 {
    let any = |verdict| verdicts.clone().any(|it| it == verdict);
    if any(Verdict::Invalid) {
        1
    } else if any(Verdict::Blocked) {
        3
    } else {
        0
    }
}

impl Scenario {
    /// Returns the expected plan of each file for these bindings.
    pub fn expected(&self, current: &Bindings, guards_lifted: bool) -> Vec<ExpectedPlan> {
        self.files.iter().map(|file| file.expected(&self.model, current, guards_lifted)).collect()
    }

    /// Returns the expected plan of each file for the bindings at the time of planning.
    pub fn planned(&self) -> Vec<ExpectedPlan> {
        let saved = self.command == Command::Apply(Approval::SavedPlan);
        let current = if saved { self.model.bindings.clone() } else { self.initial_bindings() };
        self.expected(&current, self.guards_lifted)
    }

    /// Returns the verdict on each tenant, approval included.
    pub fn expected_verdicts(&self) -> BTreeMap<&'static str, Verdict> {
        let planned = self.planned();
        let mut verdicts = tenant_verdicts(&self.files, &planned);
        let Command::Apply(approval) = self.command else { return verdicts };
        let is_applicable =
            |verdicts: &BTreeMap<_, _>, file: &DesiredFile| verdicts[file.tenant] == Verdict::Applicable;
        match approval {
            Approval::Yes => {}
            Approval::SavedPlan => {
                let initial = self.initial_bindings();
                for (file, expected) in self.files.iter().zip(&planned) {
                    let is_stale =
                        |change: &&Change| ![&change.from, &change.to].contains(&&initial[&change.key]);
                    // An incomplete saved plan is blocked, too.
                    let is_invalid = verdicts[file.tenant] == Verdict::Invalid;
                    if is_invalid || expected.changes.iter().any(|change| is_stale(&change)) {
                        verdicts.insert(file.tenant, Verdict::Blocked);
                    }
                }
            }
            Approval::NotGiven => {
                let pending = self.files.iter().zip(&planned);
                let mut pending = pending.filter(|(file, _)| is_applicable(&verdicts, file));
                if pending.any(|(_, expected)| !expected.changes.is_empty()) {
                    block_applicable(&mut verdicts);
                }
            }
            Approval::WrongFingerprint => block_applicable(&mut verdicts),
            Approval::Fingerprint => {
                let before = self.expected(&self.model.bindings, self.guards_lifted);
                let is_incomplete = before.iter().any(|expected| expected.invalid);
                if is_incomplete
                    || before.iter().zip(&planned).any(|(before, now)| before.changes != now.changes)
                {
                    block_applicable(&mut verdicts);
                }
            }
        }
        verdicts
    }

    /// Returns whether a run fails before its first request.
    pub(super) fn fails_before_first_request(&self) -> bool {
        const UNWRITABLE: [OutputFault; 4] =
            [OutputFault::NoFolder, OutputFault::Device, OutputFault::NotPermitted, OutputFault::StdoutFull];
        self.epoch == "soon" || UNWRITABLE.contains(&self.output)
    }

    /// Returns whether a run must fail without reading anything from the tenant.
    pub(super) fn must_fail(&self) -> bool {
        self.fails_before_first_request()
            || matches!(self.sign_in, SignIn::Rejected(_))
            || (self.sends_requests() && !self.tls.is_usable())
    }

    /// Returns whether the command needs any request to the tenant.
    pub fn sends_requests(&self) -> bool {
        let needs_requests = |file: &DesiredFile| {
            file.prune == "flows" || file.unknown_name.is_some() || !file.flows.is_empty()
        };
        let reads_all = self.is_export() || self.command == Command::Drift { strict: true };
        reads_all || self.files.iter().any(needs_requests)
    }
}

fn block_applicable(verdicts: &mut BTreeMap<&'static str, Verdict>) {
    for verdict in verdicts.values_mut().filter(|verdict| **verdict == Verdict::Applicable) {
        *verdict = Verdict::Blocked;
    }
}
