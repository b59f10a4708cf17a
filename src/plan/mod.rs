//! (Desired, Current) → [`Plan`]. Pure: no I/O, no clock, and the same input gives the same plan.
//!
//! `prune` adds what a file manages without mentioning it, `resolve` turns names into connectors,
//! `diff` compares, `guard` finds what must not be done as things are, `fingerprint` tells plans
//! apart, `several` keeps files of one tenant from telling the same, `shard` takes a fleet apart and joins
//! what was planned of it.

mod diff;
mod fingerprint;
mod guard;
mod prune;
mod resolve;
mod several;
pub mod shard;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Action, Api, Bound, Cloud, Connector, FlowId, Step, TargetUrl};

pub use diff::plan;
pub use guard::{Overrides, is_override};
pub use several::tell_once;
pub use shard::{Member, Part, Shard};

/// What a run would do to its tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// One for each tenant, in the order of the files.
    pub targets: Vec<Target>,
    /// What keeps the plan from being whole: it can be read, not applied.
    pub errors: Vec<Problem>,
    /// Which part of which fleet it is, where it is one.
    pub part: Option<Part>,
    /// What it answers, where it was made to tell what differs.
    pub drift: Option<Drift>,
}

/// The question whether tenants are what their files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// Whether what is bound and not mentioned counts.
    pub strict: bool,
}

/// What keeps a plan from being whole, as it is saved: without the text that it points into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What happened.
    pub message: String,
    /// The place in a file, where there is one.
    pub place: Option<Place>,
    /// The tenant that cannot be changed for it; `None`: none can.
    pub tenant: Option<String>,
}

/// What a run would do to one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The tenant, as the file names it.
    pub tenant: String,
    /// The tenant's GUID, where it is known.
    pub tenant_id: Option<String>,
    /// The app that signs in, where the file names one.
    pub client_id: Option<String>,
    /// The tenant's cloud.
    pub cloud: Cloud,
    /// The version of Graph that is asked.
    pub api: Api,
    /// Graph's root, version included.
    pub graph_url: String,
    /// The file that wants this.
    pub file: String,
    /// The differences: flows in the file's order, then steps in the order of [`Step::ALL`].
    pub changes: Vec<Change>,
    /// How many managed bindings are as desired.
    pub unchanged: usize,
    /// Which ones, in the order of the changes; none where a saved plan does not tell.
    pub in_sync: Vec<InSync>,
    /// What is bound to the listed flows and not mentioned by the file.
    pub unmanaged: Vec<Unmanaged>,
    /// The bindings to connectors that are gone, whatever else is said of them.
    pub gone: Vec<Unmanaged>,
    /// What could not be read of the listed flows.
    pub unknown: Vec<Unknown>,
    /// The pins that do not hold.
    pub pins: Vec<BrokenPin>,
    /// Why the changes must not be made as things are.
    pub refusals: Vec<Refusal>,
    /// The flags that were given when the plan was made, and that allow or forbid.
    pub overrides: Vec<String>,
    /// What a reviewer should know.
    pub warnings: Vec<String>,
}

/// A connector that does not call the address that the file pins it to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokenPin {
    /// The connector.
    pub connector: Connector,
    /// The address that the file gives.
    pub expected: String,
    /// The address that the tenant gives, where it gives one.
    pub actual: Option<String>,
}

/// A reason against a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// What is wrong.
    pub reason: String,
    /// The flag that would allow it, where one would.
    pub allow: Option<String>,
}

/// One binding that differs. One change is exactly one PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// How it changes.
    pub action: Action,
    /// What is bound.
    pub current: Bound,
    /// What is to be bound.
    pub desired: Bound,
    /// Whether the file protects the binding.
    pub protected: bool,
    /// The address that the connector to be bound has to have, where the file pins it.
    pub pin: Option<Arc<TargetUrl>>,
    /// Where the file says so.
    pub source: Place,
}

/// A managed binding that is as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSync {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// What is bound, and is to be.
    pub current: Bound,
    /// Where the file says so.
    pub source: Place,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in Unicode characters, from 1.
    pub column: usize,
}

/// A binding that the file does not mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmanaged {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// What is bound.
    pub current: Bound,
}

/// A binding of a listed flow that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Why it could not be read.
    pub error: Arc<str>,
}

/// How many bindings there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Nothing → a connector.
    pub enable: usize,
    /// One connector → another.
    pub replace: usize,
    /// A connector → nothing.
    pub disable: usize,
    /// As desired.
    pub unchanged: usize,
}

/// The fingerprint of a run: its only target's, or that of the sorted ones of several.
pub fn fingerprint(targets: impl IntoIterator<Item = String>) -> String {
    fingerprint::of_run(targets.into_iter())
}

/// The tenants that go by two names, such as a domain and the GUID that it stands for: nothing can
/// keep two files of such a tenant apart. One problem for each target.
pub fn mixed_names(targets: &[Target]) -> Vec<Problem> {
    let mut names = BTreeMap::<_, BTreeSet<_>>::new();
    for target in targets {
        if let Some(id) = &target.tenant_id {
            names.entry(id.to_ascii_lowercase()).or_default().insert(target.tenant.to_ascii_lowercase());
        }
    }
    let mixed = |target: &Target| {
        let id = target.tenant_id.as_ref()?.to_ascii_lowercase();
        let names = names.get(&id).filter(|names| names.len() > 1)?;
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("{} are one tenant, `{id}`", names.join(" and "));
        Some(Problem { message, place: None, tenant: Some(target.tenant.clone()) })
    };
    targets.iter().filter_map(mixed).collect()
}

impl Plan {
    /// Tells of each target whether nothing keeps it, or another of its tenant, from being whole.
    pub fn whole_targets(&self) -> impl Fn(&Target) -> bool + use<> {
        let of_all = self.errors.iter().any(|error| error.tenant.is_none());
        let of_errors = self.errors.iter().filter_map(|error| error.tenant.as_ref());
        let unknown = self.targets.iter().filter(|target| !target.unknown.is_empty());
        let tenants = of_errors.chain(unknown.map(|target| &target.tenant));
        let broken: BTreeSet<_> = tenants.map(|tenant| tenant.to_ascii_lowercase()).collect();
        move |target| !of_all && !broken.contains(&target.tenant.to_ascii_lowercase())
    }

    /// The first binding, with its tenant, that two targets manage, so that one PUT would undo the other,
    /// or of which one target says two things. No plan that was made has one.
    pub fn twice(&self) -> Option<(&str, &FlowId, Step)> {
        let mut managed = BTreeSet::new();
        self.targets.iter().find_map(|target| {
            let mut told = BTreeSet::new();
            let changes = target.changes.iter().map(|it| (&it.flow, it.step, true));
            let in_sync = target.in_sync.iter().map(|it| (&it.flow, it.step, true));
            let unmanaged = target.unmanaged.iter().map(|it| (&it.flow, it.step, false));
            let unknown = target.unknown.iter().map(|it| (&it.flow, it.step, false));
            let mut bindings = changes.chain(in_sync).chain(unmanaged).chain(unknown);
            let twice = bindings.find(|(flow, step, is_managed)| {
                let binding = (flow.as_str().to_ascii_lowercase(), *step);
                let is_new = told.insert(binding.clone());
                let tenant = target.tenant.to_ascii_lowercase();
                !is_new || *is_managed && !managed.insert((tenant, binding))
            });
            twice.map(|(flow, step, _)| (&*target.tenant, flow, step))
        })
    }

    /// The counts over all tenants.
    pub fn summary(&self) -> Summary {
        self.targets.iter().map(Target::summary).fold(Summary::default(), |sum, one| Summary {
            enable: sum.enable.saturating_add(one.enable),
            replace: sum.replace.saturating_add(one.replace),
            disable: sum.disable.saturating_add(one.disable),
            unchanged: sum.unchanged.saturating_add(one.unchanged),
        })
    }

    /// What tells this plan from every other: the same for the same changes on any day.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.targets.iter().map(Target::fingerprint))
    }

    /// Whether anything would change.
    pub fn has_changes(&self) -> bool {
        self.targets.iter().any(|target| !target.changes.is_empty())
    }

    /// Whether what is bound and not mentioned counts as a difference.
    pub fn is_strict(&self) -> bool {
        self.drift.is_some_and(|drift| drift.strict)
    }

    /// Whether the tenants are other than their files say; `None` where not all could be read, and
    /// what was read does not differ.
    pub fn answer(&self) -> Option<bool> {
        let differs = self.differs();
        (differs || self.is_whole()).then_some(differs)
    }

    /// Whether anything that was read is other than its file says.
    pub fn differs(&self) -> bool {
        self.has_changes()
            || self.targets.iter().any(|target| {
                let gone = self.drift.is_some() && !target.gone.is_empty();
                !target.pins.is_empty() || gone || self.is_strict() && !target.unmanaged.is_empty()
            })
    }

    /// Whether the changes must not be made as things are.
    pub fn is_refused(&self) -> bool {
        self.targets.iter().any(|target| !target.refusals.is_empty())
    }

    /// Whether everything that the plan speaks of could be read and resolved.
    pub fn is_whole(&self) -> bool {
        self.errors.is_empty() && self.targets.iter().all(|target| target.unknown.is_empty())
    }
}

impl Target {
    /// The counts of this tenant.
    pub fn summary(&self) -> Summary {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        Summary {
            enable: count(Action::Enable),
            replace: count(Action::Replace),
            disable: count(Action::Disable),
            unchanged: self.unchanged,
        }
    }

    /// What tells this tenant's changes from any others.
    pub fn fingerprint(&self) -> String {
        fingerprint::of_target(self)
    }
}

impl Problem {
    /// A problem with one tenant alone.
    pub fn about(tenant: &str, diagnostic: &Diagnostic) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..Self::from(diagnostic) }
    }
}

impl From<&Diagnostic> for Problem {
    fn from(diagnostic: &Diagnostic) -> Self {
        let Diagnostic { severity: _, what, span, causes, hints: _ } = diagnostic;
        let message = std::iter::once(what).chain(causes).map(String::as_str).collect::<Vec<_>>().join(": ");
        Self { message, place: span.as_ref().map(Place::from), tenant: None }
    }
}

impl From<&Span> for Place {
    fn from(span: &Span) -> Self {
        let position = span.position();
        Self { file: span.source().name().to_owned(), line: position.line, column: position.column }
    }
}
