//! Planning: the files of a tenant ([`Desired`]) and what was read of it ([`Current`]) → [`TenantPlan`]. Pure: no
//! I/O, no clock, the same input gives the same plan.
//!
//! `managed` adds the bindings that a file manages without listing them, `resolve_connectors` maps names to connectors,
//! `compare` compares all files of a tenant and returns its complete plan, and `guard` finds blockers. `fingerprint`
//! identifies plans. `run` joins the plans of the tenants to a [`Plan`], `shard` splits a run, and `join` joins the
//! results of its shards.
//!
//! [`Desired`]: crate::model::Desired
//! [`Current`]: crate::model::Current

mod binding;
mod blocker;
mod certificate;
mod compare;
mod expected;
mod fingerprint;
mod guard;
mod hold;
mod join;
mod limit;
mod managed;
mod overrides;
mod problem;
mod resolve_connectors;
mod run;
mod run_overrides;
mod shard;
mod target;
mod tenant;
mod undo;
mod warning;

pub use binding::{
    BrokenPin, Change, InSync, NeverCalled, Unmanaged, UnreadableBinding, Unresolved, UnresolvedName,
    unreadable_causes,
};
pub use blocker::{Blocker, override_hint};
pub use certificate::{BoundCertificate, DEFAULT_CERTIFICATE_DAYS, PlanTime};
pub use compare::{Connected, create_unplanned_tenant, plan_tenant};
pub use expected::{
    ConflictingFingerprints, ExpectedFingerprint, ExpectedFingerprints, FingerprintPrefix, InvalidFingerprint,
};
pub use fingerprint::{combine_fingerprints, sha256, target_fingerprint};
pub use hold::{HeldBinding, Hold};
pub use join::{JoinError, Joined, Part, dedupe_findings, join, sort_by_tenant};
pub use limit::Limit;
pub use overrides::{InvalidOverride, Override, Overrides, ScopedOverride};
pub use problem::{Problem, merge_shared};
pub use run::{Plan, alias_errors};
pub use run_overrides::{RunOverrides, unknown_tenant};
pub use shard::{InvalidShard, Member, Shard, ShardInfo, has_several_tenants};
pub use target::{Summary, Target};
pub use tenant::TenantPlan;
pub use undo::{UndoneChange, check_undo};
pub use warning::{Warning, expired_holds};
