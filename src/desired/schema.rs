//! Keys of a desired-state file, with their types.
//!
//! `keys` decodes them, and `schemas/desired.schema.json` describes them to users. A test of `keys` compares
//! both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::decoder::Spanned;
use crate::diagnostic::Span;
use crate::model::{
    Api, ClientIds, Cloud, ConnectorId, FlowId, FlowKey, Prune, Step, StepMap, TargetUrl, Tenant,
};

/// API connectors that the user flows of one tenant call. A file without `tenant` is a base that other files
/// extend.
#[derive(Clone)]
pub(super) struct File {
    /// Start of the file.
    pub(super) span: Span,
    /// Keys whose values are invalid. Rules that need them are not checked.
    pub(super) invalid_keys: BTreeSet<&'static str>,
    /// Version of this file format.
    pub(super) version: Option<Spanned<Version>>,
    /// Base files, by their paths relative to this file. Later bases override earlier ones, and this file
    /// overrides all. `connectors`, `flows`, their steps and `guards` are merged key by key; any other value
    /// is replaced. `tenant` and `clientId` are not inherited.
    pub(super) extends: Vec<Spanned<String>>,
    /// Domain or GUID of the tenant. A file without this key is a base.
    pub(super) tenant: Option<Spanned<Tenant>>,
    /// Application (client) ids of the apps that sign in to this tenant. They are not secrets.
    pub(super) client_id: Option<Spanned<ClientIdEntry>>,
    /// National cloud of the tenant.
    pub(super) cloud: Option<Spanned<Cloud>>,
    /// Version of Microsoft Graph. B2C user flows exist in `beta` only.
    pub(super) api: Option<Spanned<Api>>,
    /// Steps that this file manages. Other steps are neither read nor changed. `preTokenIssuance` is not in
    /// Graph's documentation; to manage it, list it here.
    pub(super) steps: Option<Spanned<Vec<Spanned<Step>>>>,
    /// Short names of connectors. With this key, a binding uses a short name or an id; without it, a binding
    /// uses a displayName or an id.
    pub(super) connectors: Option<BTreeMap<String, ConnectorEntry>>,
    /// User flows with the connectors that their steps call. Steps that are not listed are not managed. A file
    /// can get its flows from a base, and a base can be without flows.
    pub(super) flows: Option<Vec<Flow>>,
    /// Which unlisted bindings are disabled: `none`; `steps` disables the other steps of listed flows;
    /// `flows` also disables the steps of all other flows.
    pub(super) prune: Option<Spanned<Prune>>,
    /// Limits above which a plan is blocked.
    pub(super) guards: GuardsEntry,
}

/// Apps that sign in: one for all commands, or one that reads and one that applies.
#[derive(Clone)]
pub(super) enum ClientIdEntry {
    Single(String),
    Split { plan: Spanned<String>, apply: Spanned<String> },
}

impl ClientIdEntry {
    pub(super) fn to_ids(&self) -> ClientIds {
        match self {
            Self::Single(id) => id.clone().into(),
            Self::Split { plan, apply } => ClientIds { plan: plan.value.clone(), apply: apply.value.clone() },
        }
    }
}

/// Limits above which a plan is blocked.
#[derive(Clone, Default)]
pub(super) struct GuardsEntry {
    pub(super) max_changes: Option<Spanned<u32>>,
    pub(super) max_disables: Option<Spanned<u32>>,
}

/// Version 1, the only one.
#[derive(Clone)]
pub(super) struct Version;

/// Entry under `connectors`: how a connector is found in the tenant.
#[derive(Clone)]
pub(super) struct ConnectorEntry {
    /// Location of the short name.
    pub(super) key: Span,
    pub(super) display_name: Option<Spanned<String>>,
    pub(super) id: Option<Spanned<ConnectorId>>,
    pub(super) target_url: Option<Spanned<Arc<TargetUrl>>>,
    /// Whether a value is invalid, so that the entry must not be reported as incomplete.
    pub(super) is_invalid: bool,
}

impl ConnectorEntry {
    /// Creates an entry without values, which was reported.
    pub(super) fn invalid(key: Span) -> Self {
        Self { key, display_name: None, id: None, target_url: None, is_invalid: true }
    }
}

/// Flow with the bindings of its steps.
#[derive(Clone)]
pub(super) struct Flow {
    pub(super) id: Spanned<FlowId>,
    pub(super) bindings: StepMap<Binding>,
}

/// Binding of one step, as one file or a composed file gives it.
#[derive(Clone)]
pub(super) struct Binding {
    /// Location of the step.
    pub(super) step: Span,
    /// Short name, displayName or id of the connector; `None` in the value disables the binding.
    pub(super) connector: Option<Spanned<Option<String>>>,
    /// Whether a plan that disables or replaces the binding is blocked.
    pub(super) protect: Option<Spanned<bool>>,
    /// Temporary exception; `None` in the value removes that of a base.
    pub(super) hold: Option<Spanned<Option<HoldEntry>>>,
    /// Whether a value is invalid, so that the entry must not be reported as incomplete.
    pub(super) is_invalid: bool,
}

/// Temporary exception of a binding. A file replaces the complete one of a base.
#[derive(Clone)]
pub(super) struct HoldEntry {
    /// Short name, displayName or id of the connector; `None` in the value disables the binding. Left out, it
    /// disables too.
    pub(super) bind: Option<Spanned<Option<String>>>,
    /// Time from which the regular value counts again.
    pub(super) until: Spanned<Timestamp>,
    /// Why the binding has another value, in one line.
    pub(super) reason: Spanned<String>,
}

impl File {
    /// Returns the flows; none if the key is missing.
    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().flatten()
    }

    /// Returns the location of the tenant, or the start of the file if it has none.
    pub(super) fn tenant_span(&self) -> &Span {
        self.tenant.as_ref().map_or(&self.span, |tenant| &tenant.span)
    }

    /// Returns the managed steps in the order of [`Step`]; [`Step::DEFAULT`] if the file has no `steps`.
    pub(super) fn step_list(&self) -> Vec<Step> {
        let Some(Spanned { value: steps, span: _ }) = &self.steps else { return Step::DEFAULT.to_vec() };
        let mut steps: Vec<_> = steps.iter().map(|step| step.value).collect();
        steps.sort_unstable();
        steps
    }
}

impl Flow {
    /// Returns the id as a key that ignores case: two ids that differ only in case may be one flow.
    pub(super) fn key(&self) -> FlowKey<'_> {
        (&self.id.value).into()
    }
}

impl Binding {
    /// Returns the hold, if the binding has one.
    pub(super) fn hold(&self) -> Option<&HoldEntry> {
        self.hold.as_ref()?.value.as_ref()
    }

    /// Returns the location of the value, or of the step if the value is missing.
    pub(super) fn value_span(&self) -> &Span {
        self.connector.as_ref().map_or(&self.step, |connector| &connector.span)
    }
}
