//! Warnings of a run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

/// Causes of the warnings that were logged. All tenants of a run share them, so that a host that several tenants cannot
/// reach is reported once.
#[derive(Debug, Clone, Default)]
pub(super) struct Warnings(Arc<Mutex<BTreeSet<String>>>);

impl Warnings {
    /// Logs a warning, unless one with this cause was logged before. Returns whether it was logged.
    pub(super) fn log(&self, cause: &str, warning: &str) -> bool {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(cause.to_owned());
        if is_new {
            warn!("{warning}");
        }
        is_new
    }
}
