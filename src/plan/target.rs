//! Plan of one file.

use super::binding::{
    BrokenPin, Change, InSync, NeverCalled, Unmanaged, UnreadableBinding, Unresolved, unreadable_causes,
};
use super::blocker::Blocker;
use super::certificate::BoundCertificate;
use super::hold::{HeldBinding, Hold};
use super::overrides::Override;
use super::warning::Warning;
use crate::diagnostic::Diagnostic;
use crate::model::{Action, Actor, Api, Bound, ClientIds, Cloud, FlowId, Step, Tenant};

/// Changes that a run would make to the tenant of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Position of the file in the run, from 0.
    pub position: usize,
    /// Tenant, as the file names it.
    pub tenant: Tenant,
    /// GUID of the tenant, if it is known.
    pub tenant_id: Option<String>,
    /// Why the tenant of the access token could not be verified, if it could not.
    pub unverified: Option<String>,
    /// Apps that sign in, if the file names any.
    pub client_id: Option<ClientIds>,
    /// Who acts with the access token, if it names that.
    pub actor: Option<Actor>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph.
    pub api: Api,
    /// Root of Graph, version included.
    pub graph_url: String,
    /// File that lists the bindings.
    pub file: String,
    /// Steps that the file manages; empty for a saved plan of an older version.
    pub steps: Vec<Step>,
    /// Differences: flows in the file's order, then steps in the order of [`Step`].
    pub changes: Vec<Change>,
    /// Report whose changes are taken back, if the plan does that.
    pub undo: Option<String>,
    /// Managed bindings that are as desired, in the order of the changes.
    pub in_sync: Vec<InSync>,
    /// Number of managed bindings that could not be compared, because they could not be read or resolved.
    pub not_compared: usize,
    /// Bindings of the listed flows that the file does not list.
    pub unmanaged: Vec<Unmanaged>,
    /// Bindings to deleted connectors, managed or not.
    pub dangling: Vec<Unmanaged>,
    /// Flows and connectors that the file names and the tenant does not have. Not saved, because the errors of the
    /// tenant list them too.
    pub unresolved: Vec<Unresolved>,
    /// Bindings at steps that their flows never call.
    pub never_called: Vec<NeverCalled>,
    /// Step that was not read, because the service rejects it.
    pub unsupported_step: Option<Step>,
    /// Bindings of the listed flows that could not be read.
    pub unreadable: Vec<UnreadableBinding>,
    /// Pins that do not hold.
    pub pins: Vec<BrokenPin>,
    /// Certificates of the connectors that the file binds, as far as they are known, sorted by connector.
    pub certificates: Vec<BoundCertificate>,
    /// Guards that block the changes.
    pub blockers: Vec<Blocker>,
    /// Blockers of the file that the overrides lifted.
    pub lifted: Vec<Blocker>,
    /// Flags that were given for the tenant when the plan was made and that lift or set guards.
    pub overrides: Vec<Override>,
}

/// Numbers of bindings of each kind.
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
    /// Managed, but not compared.
    pub not_compared: usize,
}

impl Summary {
    /// Returns the number of changes.
    pub fn changes(self) -> usize {
        [self.enable, self.replace, self.disable].into_iter().fold(0, usize::saturating_add)
    }

    /// Returns the number of managed bindings.
    pub fn managed(self) -> usize {
        [self.changes(), self.unchanged, self.not_compared].into_iter().fold(0, usize::saturating_add)
    }
}

impl std::iter::Sum for Summary {
    fn sum<I: Iterator<Item = Self>>(summaries: I) -> Self {
        summaries.fold(Self::default(), |sum, one| Self {
            enable: sum.enable.saturating_add(one.enable),
            replace: sum.replace.saturating_add(one.replace),
            disable: sum.disable.saturating_add(one.disable),
            unchanged: sum.unchanged.saturating_add(one.unchanged),
            not_compared: sum.not_compared.saturating_add(one.not_compared),
        })
    }
}

impl Target {
    /// Returns the numbers of bindings of each kind in this target.
    pub fn summary(&self) -> Summary {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        Summary {
            enable: count(Action::Enable),
            replace: count(Action::Replace),
            disable: count(Action::Disable),
            unchanged: self.in_sync.len(),
            not_compared: self.not_compared,
        }
    }

    /// Returns the managed bindings that were compared: changed or in sync.
    pub fn managed(&self) -> impl Iterator<Item = (&FlowId, Step)> {
        let changes = self.changes.iter().map(|it| (&it.flow, it.step));
        changes.chain(self.in_sync.iter().map(|it| (&it.flow, it.step)))
    }

    /// Returns the bindings with a hold, active or expired: those that change, then those that are as desired.
    pub fn holds(&self) -> impl Iterator<Item = (&FlowId, Step, &Hold)> + Clone {
        let changes = self.changes.iter().map(|it| (&it.flow, it.step, &it.hold));
        let in_sync = self.in_sync.iter().map(|it| (&it.flow, it.step, &it.hold));
        changes.chain(in_sync).filter_map(|(flow, step, hold)| Some((flow, step, hold.as_deref()?)))
    }

    /// Returns the bindings with an active hold, with their values.
    pub fn held_bindings(&self) -> Vec<HeldBinding> {
        let changes = self.changes.iter().map(|it| (&it.flow, it.step, &it.desired, &it.hold));
        let in_sync = self.in_sync.iter().map(|it| (&it.flow, it.step, &it.current, &it.hold));
        let held = |(flow, step, value, hold): (&FlowId, _, &Bound, &Option<Box<Hold>>)| {
            let hold = hold.as_deref().filter(|hold| !hold.is_expired)?.clone();
            Some(HeldBinding { flow: flow.clone(), step, value: value.clone(), hold })
        };
        changes.chain(in_sync).filter_map(held).collect()
    }

    /// Returns whether anything that was read of the tenant is in the target.
    pub(super) fn has_findings(&self) -> bool {
        let Self { changes, in_sync, unmanaged, dangling, unreadable, pins, .. } = self;
        let has_bindings = !(changes.is_empty() && in_sync.is_empty() && unmanaged.is_empty());
        has_bindings || !(dangling.is_empty() && unreadable.is_empty() && pins.is_empty())
    }

    /// Returns the warnings of this target, in this order: an unverified tenant, an undocumented step among its
    /// changes, a step that was not read, each change that is taken back, each expired hold, each binding without effect,
    /// each expiring certificate, and each binding to a deleted connector.
    pub fn warnings(&self) -> Vec<Warning> {
        let unverified = self.unverified.iter().cloned().map(Warning::TenantUnverified);
        let undocumented = self.changes.iter().find(|change| change.step == Step::PreTokenIssuance);
        let undocumented = undocumented.map(|change| Warning::UndocumentedStep(change.step));
        let undone = self.changes.iter().filter(|_| self.undo.is_some()).map(Warning::file_differs);
        let dangling = self.dangling.iter().cloned().map(Warning::Dangling);
        let unsupported = self.unsupported_step.map(Warning::UnsupportedStep);
        let expired = self.holds().filter_map(Warning::from_hold);
        let never_called = self.never_called.iter().cloned().map(Warning::NeverCalled);
        let expiring = self.certificates.iter().filter(|it| it.is_expiring).cloned();
        let expiring = expiring.map(Warning::CertificateExpires);
        let general = unverified.chain(undocumented).chain(unsupported);
        general.chain(undone).chain(expired).chain(never_called).chain(expiring).chain(dangling).collect()
    }

    /// Returns one problem for each cause that keeps bindings of this target from being read.
    pub fn unreadable_causes(&self) -> Vec<Diagnostic> {
        unreadable_causes(&self.unreadable)
    }
}
