//! Reasons to reject a saved file.

use crate::model::{FlowId, Step, Tenant};

/// Version of the formats.
pub(super) const FORMAT_VERSION: &str = "2";

/// Why a saved file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedFileError {
    /// Not JSON, or JSON without the keys that every saved file has.
    #[error("not a flowbind plan, drift or report: {0}")]
    NotASavedFile(String),
    /// Another version of the format.
    #[error("format version {0} is not supported; this flowbind reads version {FORMAT_VERSION}")]
    Version(String),
    /// A missing key, or a value that cannot occur.
    #[error("invalid plan, drift or report: {0}")]
    InvalidValue(String),
    /// A binding that occurs twice.
    #[error("`{flow}` `{step}` of `{tenant}` occurs twice")]
    DuplicateBinding {
        /// Tenant, as the file names it.
        tenant: Tenant,
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
    },
    /// The content does not match the fingerprint in the file.
    #[error("modified after flowbind wrote the file (fingerprint mismatch)")]
    FingerprintMismatch,
}
