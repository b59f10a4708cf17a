//! Drift of one file.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::difference::{Difference, Subject};
use super::kind::Kind;
use crate::diagnostic::Diagnostic;
use crate::model::{Api, Cloud, FlowId, FlowKey, Only, Step, Tenant};
use crate::plan::{
    BoundCertificate, Hold, InSync, NeverCalled, Unmanaged, UnreadableBinding, Warning, unreadable_causes,
};

/// Differences between one file and its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetDrift {
    /// Tenant, as the file names it.
    pub tenant: Tenant,
    /// GUID of the tenant, if it is known.
    pub tenant_id: Option<String>,
    /// Why the tenant of the access token could not be verified, if it could not.
    pub unverified: Option<String>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph.
    pub api: Api,
    /// Root of Graph, version included.
    pub graph_url: String,
    /// Root of Graph that the run was given, if it was.
    pub graph_url_option: Option<String>,
    /// Snapshot that was read in place of the tenant, if one was.
    pub sandbox: Option<String>,
    /// File that lists the bindings.
    pub file: String,
    /// Differences, the most dangerous first, otherwise in the order of the file.
    pub differences: Vec<Difference>,
    /// Differences that an earlier run reported and this one did not find.
    pub resolved: Vec<Difference>,
    /// Managed bindings that are as desired.
    pub in_sync: Vec<InSync>,
    /// Bindings of the listed flows that the file does not list, if they do not count as differences.
    pub unmanaged: Vec<Unmanaged>,
    /// Bindings that could not be read.
    pub unreadable: Vec<UnreadableBinding>,
    /// Number of managed bindings that could not be compared, because something could not be read.
    pub not_compared: usize,
    /// Bindings at steps that their flows never call.
    pub never_called: Vec<NeverCalled>,
    /// Step that was not read, because the service rejects it.
    pub unsupported_step: Option<Step>,
    /// Certificates of the connectors that the file binds, as far as they are known.
    pub certificates: Vec<BoundCertificate>,
    /// Whether `apply` reverts the differences of the bindings; `None` if it would change nothing, or cannot.
    pub revert: Option<Revert>,
}

/// How `apply` would revert differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revert {
    /// Without flags.
    Possible,
    /// Only with flags that lift guards.
    Blocked,
}

impl TargetDrift {
    /// Returns whether anything was read of the tenant.
    pub(super) fn has_findings(&self) -> bool {
        let Self { differences, in_sync, unmanaged, unreadable, .. } = self;
        !(differences.is_empty() && in_sync.is_empty() && unmanaged.is_empty() && unreadable.is_empty())
    }

    /// Returns the bindings that the file manages, as far as they were compared.
    pub fn managed(&self) -> impl Iterator<Item = (&FlowId, Step)> {
        let differing = self.differences.iter().filter_map(|difference| match &difference.subject {
            Subject::Binding(flow, step) if difference.source.is_some() => Some((flow, *step)),
            _ => None,
        });
        differing.chain(self.in_sync.iter().map(|it| (&it.flow, it.step)))
    }

    /// Returns whether a selection matches a binding or a flow that the file names.
    pub fn is_selected_by(&self, only: &Only) -> bool {
        let unreadable = self.unreadable.iter().map(|it| (&it.flow, it.step));
        // A flow that the tenant does not have is one difference, whatever its steps are.
        let is_unresolved = |it: &Difference| matches!(&it.subject, Subject::Flow(flow) if FlowKey::from(flow) == FlowKey::from(&only.flow));
        self.managed().chain(unreadable).any(|(flow, step)| only.contains(flow, step))
            || self.differences.iter().any(is_unresolved)
    }

    /// Returns the number of bindings that the file manages.
    pub fn count_managed(&self) -> usize {
        self.managed().count().saturating_add(self.not_compared)
    }

    /// Returns the bindings with a hold, active or expired: those that differ, then those that are as desired.
    pub fn holds(&self) -> impl Iterator<Item = (&FlowId, Step, &Hold)> + Clone {
        let differing = self.differences.iter().filter_map(|it| match &it.subject {
            Subject::Binding(flow, step) => Some((flow, *step, it.hold.as_deref()?)),
            Subject::Flow(_) | Subject::Connector(_) => None,
        });
        let in_sync = self.in_sync.iter().filter_map(|it| Some((&it.flow, it.step, it.hold.as_deref()?)));
        differing.chain(in_sync)
    }

    /// Returns the facts that a reviewer should know.
    pub fn warnings(&self) -> Vec<Warning> {
        let unverified = self.unverified.iter().cloned().map(Warning::TenantUnverified);
        let unsupported = self.unsupported_step.map(Warning::UnsupportedStep);
        let expired = self.holds().filter_map(Warning::from_hold);
        let never_called = self.never_called.iter().cloned().map(Warning::NeverCalled);
        unverified.chain(unsupported).chain(expired).chain(never_called).collect()
    }

    /// Returns the problems of this target: one for each cause of unreadable bindings, then the warnings.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let warnings = self.warnings();
        let warnings = warnings.iter().map(Warning::diagnostic);
        unreadable_causes(&self.unreadable).into_iter().chain(warnings).collect()
    }

    /// Sorts the differences, the most dangerous first. Those of one kind keep their order.
    pub(super) fn sort(&mut self) {
        self.differences.sort_by_key(|difference| difference.kind);
    }

    /// Returns the notes of the differences, each once.
    pub fn notes(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let notes = self.differences.iter().filter_map(|difference| difference.note.as_deref());
        notes.filter(|note| seen.insert(*note)).collect()
    }
}

/// Keeps the difference of each certificate once per tenant, because several files can bind its connector.
pub(super) fn dedupe_certificates(targets: &mut [TargetDrift]) {
    let mut seen = BTreeSet::new();
    for target in targets {
        target.differences.retain(|difference| match &difference.subject {
            Subject::Connector(connector) if difference.kind == Kind::Certificate => {
                seen.insert((target.tenant.clone(), connector.id.clone()))
            }
            _ => true,
        });
    }
}
