//! Warnings of a run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

/// Warnings that were logged. All tenants of a run share them, so that a host that several tenants cannot reach is
/// reported once.
#[derive(Debug, Clone, Default)]
pub(super) struct Warnings(Arc<Mutex<BTreeSet<String>>>);

impl Warnings {
    /// Logs a warning, unless it was logged before.
    pub(super) fn log(&self, warning: String) {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !logged.contains(&warning) {
            warn!("{warning}");
            logged.insert(warning);
        }
    }
}
