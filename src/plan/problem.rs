//! Problems of a run.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic};
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

/// Merges the problems of tenants whose host cannot be reached for the same reason into one, with the tenants as a
/// note: one cause is one problem. Omits problems of the same tenant with this cause, such as an unreadable list. Keeps
/// the order, and every other problem.
pub fn merge_unreachable(problems: &[Problem]) -> Vec<Problem> {
    const LISTED: usize = 5;
    let is_unreachable = |problem: &&Problem| problem.diagnostic.code == Code::GraphUnreachable;
    let tenants = |diagnostic: &Diagnostic| -> BTreeSet<&Tenant> {
        let same = problems.iter().filter(|other| other.diagnostic == *diagnostic);
        same.filter_map(|problem| problem.tenant.as_ref()).collect()
    };
    let is_consequence = |problem: &Problem| {
        let is_cause = |other: &Problem| {
            other.tenant == problem.tenant && problem.diagnostic.causes.contains(&other.diagnostic.message)
        };
        problems.iter().filter(is_unreachable).any(is_cause)
    };
    let mut merged = Vec::<Problem>::new();
    for problem in problems.iter().filter(|problem| !is_consequence(problem)) {
        let tenants =
            Some(problem).filter(is_unreachable).map(|it| tenants(&it.diagnostic)).unwrap_or_default();
        if tenants.len() < 2 {
            merged.push(problem.clone());
            continue;
        }
        let listed: Vec<_> = tenants.iter().take(LISTED).map(|tenant| tenant.as_str()).collect();
        let more = tenants.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let note = format!("tenants: {}{more}", listed.join(", "));
        let diagnostic = problem.diagnostic.clone().note(note);
        if !merged.iter().any(|other| other.diagnostic == diagnostic) {
            merged.push(Problem::from(diagnostic));
        }
    }
    merged
}

impl From<Diagnostic> for Problem {
    /// Creates a problem of the run, which concerns every tenant.
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, tenant: None }
    }
}
