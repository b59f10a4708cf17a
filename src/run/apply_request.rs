//! What an apply is asked to do.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::blocked::PlanSource;
use super::plan::DesiredSource;
use crate::apply::UnverifiedTenantPolicy;
use crate::model::{Label, Only};
use crate::paths;
use crate::plan::{ExpectedFingerprints, PlanTime, RunOverrides, Shard};

/// Options of an apply.
#[derive(Debug, Clone)]
pub struct ApplyRequest<'a> {
    /// What to apply.
    pub source: ApplySource<'a>,
    /// What to do if the tenant of a token cannot be verified.
    pub policy: UnverifiedTenantPolicy,
    /// Start of the run.
    pub now: Timestamp,
    /// Shard to process; `None` for all tenants.
    pub shard: Option<Shard>,
    /// Name of the run, if it was given one.
    pub label: Option<Label>,
    /// Fingerprints that the plan must have.
    pub expected: Option<ExpectedFingerprints>,
    /// Stop after the first failed change of a tenant.
    pub fail_fast: bool,
    /// Time limit for reading changes back.
    pub verify_timeout: Duration,
}

/// What is applied.
#[derive(Debug, Clone)]
pub enum ApplySource<'a> {
    /// Desired state that is planned first.
    Files {
        /// Where the desired state is from.
        source: DesiredSource<'a>,
        /// Guards that are overridden.
        overrides: RunOverrides,
        /// Whether the changes are approved in advance.
        is_approved: bool,
        /// Bindings to apply; all if empty.
        only: &'a [Only],
        /// Start of the run, and how long certificates must be valid.
        time: PlanTime,
    },
    /// Saved plan, which is approved by passing it.
    Saved(&'a Path),
}

impl ApplySource<'_> {
    /// Returns whether the desired state is read from stdin, so that no answer can be.
    pub(super) fn reads_stdin(&self) -> bool {
        match self {
            Self::Files { source: DesiredSource::Files(files), .. } => {
                files.iter().any(|file| paths::is_stdin(file))
            }
            Self::Files { source: DesiredSource::Undo(_), .. } | Self::Saved(_) => false,
        }
    }

    /// Returns where the plan is from, for messages.
    pub(super) fn plan_source(&self) -> PlanSource<'_> {
        match self {
            Self::Files { .. } => PlanSource::Files,
            Self::Saved(path) => PlanSource::Saved(path),
        }
    }
}
