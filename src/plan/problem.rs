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

/// Problems whose cause is outside of the tenants, such as a host or a credential that several tenants share.
const SHARED: [Code; 8] = [
    Code::GraphUnreachable,
    Code::InvalidEnvironment,
    Code::InvalidGraphUrl,
    Code::NoCredential,
    Code::SignInFailed,
    Code::Timeout,
    Code::TokenExpired,
    Code::TrustStoreUnusable,
];

/// Merges the problems of tenants that share their cause into the first of them, with the tenants as a note: one cause
/// is one problem. Omits problems of a tenant whose cause is a host that cannot be reached, such as an unreadable list.
/// Keeps the order, and every other problem.
pub fn merge_shared(problems: &[Problem]) -> Vec<Problem> {
    const LISTED: usize = 5;
    let is_consequence = |problem: &Problem| {
        let is_cause = |other: &Problem| {
            other.diagnostic.code == Code::GraphUnreachable
                && other.tenant == problem.tenant
                && problem.diagnostic.causes.contains(&other.diagnostic.message)
        };
        problems.iter().any(is_cause)
    };
    let shared = problems.iter().filter(|problem| SHARED.contains(&problem.diagnostic.code));
    let shared: Vec<_> = shared.map(|problem| (comparable(problem), problem)).collect();
    let mut merged = Vec::<Problem>::new();
    for problem in problems.iter().filter(|problem| !is_consequence(problem)) {
        let own = comparable(problem);
        let same: Vec<_> = shared.iter().filter(|(other, _)| *other == own).map(|(_, it)| *it).collect();
        let tenants: BTreeSet<_> = same.iter().filter_map(|problem| problem.tenant.as_ref()).collect();
        if tenants.len() < 2 {
            merged.push(problem.clone());
        } else if same.first().is_some_and(|first| std::ptr::eq(*first, problem)) {
            let listed: Vec<_> = tenants.iter().take(LISTED).map(|tenant| tenant.as_str()).collect();
            let more = tenants.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let note = format!("tenants: {}{more}", listed.join(", "));
            let merged_hints = Diagnostic { hints: general_hints(problem), ..problem.diagnostic.clone() };
            merged.push(merged_hints.note(note).into());
        }
    }
    merged
}

/// Returns a problem without what differs between tenants that share its cause: the tenant in URLs of the causes and in
/// commands of the hints, and the ids that the login service adds to its messages.
fn comparable(problem: &Problem) -> Diagnostic {
    let tenant = problem.tenant.as_ref().map_or("", Tenant::as_str);
    let segment = format!("/{tenant}/");
    let cause =
        |cause: &String| cause.split(" Trace ID: ").next().unwrap_or_default().replace(&segment, "/TENANT/");
    Diagnostic {
        causes: problem.diagnostic.causes.iter().map(cause).collect(),
        hints: general_hints(problem),
        ..problem.diagnostic.clone()
    }
}

/// Returns the hints with `TENANT` for the tenant in commands.
fn general_hints(Problem { diagnostic, tenant }: &Problem) -> Vec<String> {
    let option = format!("--tenant {}", tenant.as_ref().map_or("", Tenant::as_str));
    diagnostic.hints.iter().map(|hint| hint.replace(&option, "--tenant TENANT")).collect()
}

impl From<Diagnostic> for Problem {
    /// Creates a problem of the run, which concerns every tenant.
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, tenant: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a problem of a tenant that could not sign in.
    fn no_credential(tenant: &str, cause: &str) -> Problem {
        let problem = Diagnostic::error(Code::NoCredential, "no usable credential").caused_by(cause);
        let problem = problem.hint(format!("az login --tenant {tenant}"));
        Problem::for_tenant(&tenant.parse().unwrap(), problem)
    }

    #[test]
    fn problems_that_differ_in_tenant_and_trace_are_merged() {
        let tenants = ["a.example", "b.example", "c.example", "d.example", "e.example", "f.example"];
        let problems = |cause: &dyn Fn(&str) -> String| -> Vec<_> {
            tenants.iter().map(|tenant| no_credential(tenant, &cause(tenant))).collect()
        };
        for cause in [
            &(|tenant: &str| format!("POST https://login.example/{tenant}/token: answered 403"))
                as &dyn Fn(&str) -> _,
            &|tenant| format!("AADSTS7000222: expired. Trace ID: {tenant}-1 Timestamp: 2026-11-29"),
        ] {
            let merged = merge_shared(&problems(cause));
            let first = no_credential(tenants[0], &cause(tenants[0])).diagnostic;
            let note = "tenants: a.example, b.example, c.example, d.example, e.example and 1 more";
            let hints = vec!["az login --tenant TENANT".to_owned()];
            assert_eq!(merged, [Problem::from(Diagnostic { hints, ..first }.note(note))]);
        }
    }

    #[test]
    fn problems_with_other_causes_or_of_one_tenant_are_kept() {
        let problems = [
            no_credential("a.example", "AADSTS7000222: expired"),
            no_credential("a.example", "AADSTS7000222: expired"),
            no_credential("b.example", "AADSTS90002: tenant not found"),
        ];
        assert_eq!(merge_shared(&problems), problems);
        let not_found =
            |tenant: &str| no_credential(tenant, &format!("AADSTS90002: Tenant '{tenant}' not found"));
        let problems = [not_found("a.example"), not_found("b.example")];
        assert_eq!(merge_shared(&problems), problems);
        let unknown = |tenant: &str| {
            Problem::for_tenant(&tenant.parse().unwrap(), Diagnostic::error(Code::GraphRejected, "500"))
        };
        let problems = [unknown("a.example"), unknown("b.example")];
        assert_eq!(merge_shared(&problems), problems);
    }
}
