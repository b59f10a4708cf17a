//! Exit codes of the program.

use crate::compare::Comparison;
use crate::drift::Drift;
use crate::plan::Plan;
use crate::run::ErrorKind;

/// Exit code; part of the contract with pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or no difference.
    Done = 0,
    /// Invalid input or usage, or something could not be read.
    Error = 1,
    /// Something differs. No error uses this code.
    Differs = 2,
    /// Blocked; nothing was written.
    Refused = 3,
    /// At least one PUT was sent, and not every change is done.
    Incomplete = 4,
    /// Interrupted by SIGINT; an apply after the changes in flight.
    Interrupted = 130,
    /// Terminated by SIGTERM, SIGHUP or SIGQUIT; an apply after the changes in flight.
    Terminated = 143,
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Failed => Self::Error,
            ErrorKind::Blocked => Self::Refused,
            ErrorKind::Incomplete => Self::Incomplete,
            ErrorKind::Interrupted => Self::Interrupted,
        }
    }
}

impl Exit {
    /// All codes, worst first: a run over several tenants ends with the first that any of them has.
    const ALL: [Self; 7] = [
        Self::Interrupted,
        Self::Terminated,
        Self::Incomplete,
        Self::Error,
        Self::Refused,
        Self::Differs,
        Self::Done,
    ];

    /// Returns the worst of several codes by the order of `Exit::ALL`; `Done` if there are none. If any
    /// code is unknown, returns `Error`.
    pub fn worst(codes: &[u8]) -> Self {
        if codes.iter().any(|code| !Self::ALL.iter().any(|exit| *exit as u8 == *code)) {
            return Self::Error;
        }
        Self::ALL.into_iter().find(|exit| codes.contains(&(*exit as u8))).unwrap_or(Self::Done)
    }

    /// Returns the exit code of the worst of several kinds; `Done` if there are none.
    pub fn of_kinds(kinds: &[ErrorKind]) -> Self {
        kinds.iter().max().map_or(Self::Done, |kind| Self::from(*kind))
    }

    /// Returns the exit code of a plan: 1 if it is incomplete, otherwise 3 if it is blocked, otherwise 2 if it
    /// has changes and `detailed` is set, otherwise 0.
    pub fn of_plan(plan: &Plan, detailed: bool) -> Self {
        if !plan.is_complete() {
            Self::Error
        } else if plan.is_blocked() {
            Self::Refused
        } else if detailed && plan.has_changes() {
            Self::Differs
        } else {
            Self::Done
        }
    }

    /// Returns the exit code of a comparison: 2 if anything differs and `detailed` is set, otherwise 0.
    pub fn of_comparison(comparison: &Comparison, detailed: bool) -> Self {
        if detailed && !comparison.differences.is_empty() { Self::Differs } else { Self::Done }
    }

    /// Returns the exit code of a drift run: 1 if it is incomplete, otherwise 2 if anything differs, otherwise 0. With
    /// `new_only`, only differences that the earlier run did not report count.
    pub fn of_drift(drift: &Drift, new_only: bool) -> Self {
        let counts = |is_new: Option<bool>| !new_only || is_new != Some(false);
        if !drift.is_complete() {
            Self::Error
        } else if drift.differences().any(|difference| counts(difference.is_new)) {
            Self::Differs
        } else {
            Self::Done
        }
    }
}
