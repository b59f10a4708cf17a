//! What has to become of each tenant, and what a run has to end with.

use std::collections::BTreeMap;

use crate::campaign::file::{Change, Expected, File};
use crate::campaign::login::SignIn;
use crate::campaign::scenario::{Approval, Command, OutputTrouble, Scenario};
use crate::campaign::world::Bindings;

/// What may become of a tenant when nothing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It cannot be planned.
    Wrong,
    /// Its changes must not be made.
    Refused,
    /// Its changes are made.
    Open,
}

/// What every tenant of the files has to come to: a file that is wrong or refused holds those of the
/// same tenant.
pub fn verdicts(files: &[File], expected: &[Expected]) -> BTreeMap<&'static str, Verdict> {
    let mut verdicts = BTreeMap::new();
    for file in files {
        let same = || files.iter().zip(expected).filter(|(other, _)| other.tenant == file.tenant);
        let verdict = if same().any(|(_, expected)| expected.wrong) {
            Verdict::Wrong
        } else if same().any(|(_, expected)| expected.refused) {
            Verdict::Refused
        } else {
            Verdict::Open
        };
        verdicts.insert(file.tenant, verdict);
    }
    verdicts
}

/// What a run has to end with when nothing goes wrong.
pub fn exit_of(verdicts: impl Iterator<Item = Verdict> + Clone) -> i32 {
    let any = |verdict| verdicts.clone().any(|it| it == verdict);
    if any(Verdict::Wrong) {
        1
    } else if any(Verdict::Refused) {
        3
    } else {
        0
    }
}

impl Scenario {
    /// What has to follow from each file at a tenant with these bindings.
    pub fn expected(&self, has: &Bindings, lifted: bool) -> Vec<Expected> {
        self.files.iter().map(|file| file.expected(&self.world, has, lifted)).collect()
    }

    /// What has to follow from each file, by what the tenant had when it was planned.
    pub fn planned(&self) -> Vec<Expected> {
        let saved = self.command == Command::Apply(Approval::Saved);
        let has = if saved { self.world.bindings.clone() } else { self.met() };
        self.expected(&has, self.lifted)
    }

    /// What each tenant comes to when nothing goes wrong.
    pub fn verdicts(&self) -> BTreeMap<&'static str, Verdict> {
        let planned = self.planned();
        let mut verdicts = verdicts(&self.files, &planned);
        let Command::Apply(approval) = self.command else { return verdicts };
        let open = |verdicts: &BTreeMap<_, _>, file: &File| verdicts[file.tenant] == Verdict::Open;
        match approval {
            Approval::Yes => {}
            Approval::Saved => {
                let met = self.met();
                for (file, expected) in self.files.iter().zip(&planned) {
                    let moved = |change: &&Change| ![&change.from, &change.to].contains(&&met[&change.place]);
                    // A plan that is not whole is refused, too.
                    let wrong = verdicts[file.tenant] == Verdict::Wrong;
                    if wrong || expected.changes.iter().any(|change| moved(&change)) {
                        verdicts.insert(file.tenant, Verdict::Refused);
                    }
                }
            }
            Approval::None => {
                let todo = self.files.iter().zip(&planned);
                let mut todo = todo.filter(|(file, _)| open(&verdicts, file));
                if todo.any(|(_, expected)| !expected.changes.is_empty()) {
                    refuse_open(&mut verdicts);
                }
            }
            Approval::Wrong => refuse_open(&mut verdicts),
            Approval::Expected => {
                let before = self.expected(&self.world.bindings, self.lifted);
                if before.iter().zip(&planned).any(|(before, now)| before.changes != now.changes) {
                    refuse_open(&mut verdicts);
                }
            }
        }
        verdicts
    }

    /// Whether a run ends before it asks anybody.
    pub(super) fn cannot_begin(&self) -> bool {
        const UNWRITABLE: [OutputTrouble; 3] =
            [OutputTrouble::NoFolder, OutputTrouble::Device, OutputTrouble::NoRight];
        self.epoch == "soon" || UNWRITABLE.contains(&self.output)
    }

    /// Whether a run cannot come to anything.
    pub(super) fn is_hopeless(&self) -> bool {
        self.cannot_begin()
            || matches!(self.sign_in, SignIn::Refused(_))
            || (self.asks() && !self.tls.is_good())
    }

    /// Whether there is anything to ask of a tenant.
    pub fn asks(&self) -> bool {
        let asks = |file: &File| file.prune == "flows" || file.trouble.is_some() || !file.flows.is_empty();
        let whole = self.is_export() || self.command == Command::Drift { strict: true };
        whole || self.files.iter().any(asks)
    }
}

fn refuse_open(verdicts: &mut BTreeMap<&'static str, Verdict>) {
    for verdict in verdicts.values_mut().filter(|verdict| **verdict == Verdict::Open) {
        *verdict = Verdict::Refused;
    }
}
