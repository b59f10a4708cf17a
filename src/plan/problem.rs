//! Problems of a run.

use crate::diagnostic::Diagnostic;
use crate::model::Tenant;

/// Problem of a run, and the tenant that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The problem.
    pub diagnostic: Diagnostic,
    /// Tenant that cannot be changed because of it; `None` if it concerns the run.
    pub tenant: Option<Tenant>,
}

impl Problem {
    /// Creates a problem of one tenant.
    pub fn for_tenant(tenant: &Tenant, diagnostic: Diagnostic) -> Self {
        Self { tenant: Some(tenant.clone()), diagnostic }
    }
}

impl From<Diagnostic> for Problem {
    /// Creates a problem of the run, which concerns every tenant.
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, tenant: None }
    }
}
