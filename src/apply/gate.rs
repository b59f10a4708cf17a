//! Gate: the preconditions of an apply. Only [`approve`] creates an [`Approved`] plan, and only that can be applied.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::staleness::{StaleBinding, StaleConnector, StalenessCheck};
use crate::graph::Graph;
use crate::model::{ReadError, Tenant, TenantCheck};
use crate::plan::{Blocker, BrokenPin, Change, ExpectedFingerprints, Plan, Target, TenantPlan};

/// What to do if the tenant of an access token cannot be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnverifiedTenantPolicy {
    /// Continue with a warning.
    Warn,
    /// Stop before the first request.
    Reject,
}

/// How the changes of a run were approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// On the command line, without a look at this plan.
    Given,
    /// By the fingerprint of the plan.
    Fingerprint(MatchingFingerprint),
    /// A saved plan is approved by passing it.
    SavedPlan,
    /// At a prompt, so that the tenant may have changed meanwhile.
    Typed,
}

impl Consent {
    /// Returns whether time has passed between the plan and the consent.
    pub fn is_later_than_plan(&self) -> bool {
        matches!(self, Self::SavedPlan | Self::Typed)
    }
}

/// Tenants whose plans have the expected fingerprints. Only [`MatchingFingerprint::compare`] creates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchingFingerprint(BTreeSet<Tenant>);

impl MatchingFingerprint {
    /// Compares the expected fingerprints with those of the plan. A fingerprint of the run matches for all tenants or
    /// none. A tenant does not match if it has no expected fingerprint, or if its plan is incomplete.
    pub fn compare(plan: &Plan, expected: &ExpectedFingerprints) -> Self {
        let tenants = plan.tenants.iter();
        let matching: Vec<_> = match expected {
            ExpectedFingerprints::Run(prefix) => {
                let is_expected = plan.fingerprint().is_some_and(|it| prefix.matches(&it));
                tenants.filter(|_| is_expected).collect()
            }
            ExpectedFingerprints::Tenants(prefixes) => {
                let is_expected = |tenant: &&TenantPlan| {
                    let prefix = prefixes.get(&tenant.tenant);
                    prefix.is_some_and(|it| plan.tenant_fingerprint(tenant).is_some_and(|of| it.matches(&of)))
                };
                tenants.filter(is_expected).collect()
            }
        };
        Self(matching.into_iter().map(|tenant| tenant.tenant.clone()).collect())
    }
}

/// Why a tenant's plan is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocked<'a> {
    /// Not everything could be read and resolved.
    Incomplete,
    /// It does not have the expected fingerprint.
    OtherFingerprint,
    /// Guards block it.
    Guards(Vec<&'a Blocker>),
    /// The holds of these changes have ended since the plan was made.
    HoldsExpired(Vec<&'a Change>),
    /// The tenant of the access token is not verified, for this reason.
    TenantUnverified(&'a str),
    /// The tenant was not read again, although time has passed since the plan was made.
    Unchecked,
    /// Bindings changed after the plan was made.
    Stale(Vec<StaleBinding>),
    /// Connectors to bind were deleted or renamed after the plan was made.
    StaleConnectors(Vec<StaleConnector>),
    /// Connectors no longer call their pinned addresses.
    BrokenPins(Vec<BrokenPin>),
    /// The tenant could not be read again.
    Unreadable(ReadError),
}

/// Client of a tenant, what is known about the tenant of its token, and when the run started.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Client.
    pub graph: &'a Graph,
    /// Whether the token is for the tenant.
    pub tenant_check: &'a TenantCheck,
    /// What to do if that is not known.
    pub policy: UnverifiedTenantPolicy,
    /// Start of the run.
    pub now: Timestamp,
}

/// Plan of a tenant whose changes may be applied, with the client to which they may be sent.
#[derive(Debug)]
pub struct Approved<'a> {
    plan: &'a TenantPlan,
    graph: &'a Graph,
    staleness: Option<StalenessCheck>,
}

impl<'a> Approved<'a> {
    /// Returns the targets of the tenant.
    pub fn targets(&self) -> &'a [Target] {
        &self.plan.targets
    }

    /// Returns the client of the tenant.
    pub(super) fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// Returns the staleness check, if one was required.
    pub(super) fn staleness(&self) -> Option<&StalenessCheck> {
        self.staleness.as_ref()
    }
}

/// Checks whether a tenant of a plan is complete.
///
/// # Errors
/// [`Blocked::Incomplete`]
pub fn check_complete(plan: &Plan, tenant: &TenantPlan) -> Result<(), Blocked<'static>> {
    if plan.is_tenant_complete(tenant) { Ok(()) } else { Err(Blocked::Incomplete) }
}

/// Checks whether the plan of a tenant has the expected fingerprint.
///
/// # Errors
/// [`Blocked::OtherFingerprint`]
pub fn check_fingerprint(
    tenant: &TenantPlan,
    matching: &MatchingFingerprint,
) -> Result<(), Blocked<'static>> {
    if matching.0.contains(&tenant.tenant) { Ok(()) } else { Err(Blocked::OtherFingerprint) }
}

/// Checks whether no guard blocks a tenant.
///
/// # Errors
/// [`Blocked::Guards`]
pub fn check_guards(tenant: &TenantPlan) -> Result<(), Blocked<'_>> {
    let blockers: Vec<_> = tenant.blockers().collect();
    if blockers.is_empty() { Ok(()) } else { Err(Blocked::Guards(blockers)) }
}

/// Checks whether the desired values of a plan still count at the start of the run: those of holds do until the holds
/// end.
///
/// # Errors
/// [`Blocked::HoldsExpired`]
pub fn check_holds(tenant: &TenantPlan, now: Timestamp) -> Result<(), Blocked<'_>> {
    let is_over = |change: &&Change| change.active_hold().is_some_and(|hold| hold.until <= now);
    let expired: Vec<_> = tenant.changes().filter(is_over).collect();
    if expired.is_empty() { Ok(()) } else { Err(Blocked::HoldsExpired(expired)) }
}

/// Approves the changes of a tenant if someone consented, to this fingerprint if to any, the plan is complete, no guard
/// blocks it, no hold has ended, the token is for the tenant as far as the policy demands, and the tenant did not change
/// since the plan was made. `staleness` is required if the consent is later than the plan.
///
/// # Errors
/// The first precondition that does not hold.
pub fn approve<'a>(
    plan: &Plan,
    tenant: &'a TenantPlan,
    access: Access<'a>,
    consent: &Consent,
    staleness: Option<StalenessCheck>,
) -> Result<Approved<'a>, Blocked<'a>> {
    check_complete(plan, tenant)?;
    if let Consent::Fingerprint(matching) = consent {
        check_fingerprint(tenant, matching)?;
    }
    check_guards(tenant)?;
    let Access { graph, tenant_check, policy, now } = access;
    check_holds(tenant, now)?;
    if let (TenantCheck::Unverified(why), UnverifiedTenantPolicy::Reject) = (tenant_check, policy) {
        return Err(Blocked::TenantUnverified(why));
    }
    match &staleness {
        None if consent.is_later_than_plan() => return Err(Blocked::Unchecked),
        None => {}
        Some(StalenessCheck { stale, stale_connectors, broken_pins, unreadable, .. }) => {
            // What could not be read may be stale, too, but a difference is certain.
            if !stale.is_empty() {
                return Err(Blocked::Stale(stale.clone()));
            }
            if !stale_connectors.is_empty() {
                return Err(Blocked::StaleConnectors(stale_connectors.iter().cloned().collect()));
            }
            if !broken_pins.is_empty() {
                return Err(Blocked::BrokenPins(broken_pins.clone()));
            }
            if let Some(unreadable) = unreadable.first() {
                return Err(Blocked::Unreadable(unreadable.error.clone()));
            }
        }
    }
    Ok(Approved { plan: tenant, graph, staleness })
}
