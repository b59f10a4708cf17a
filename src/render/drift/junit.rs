//! Renders drift as JUnit XML.

use super::super::junit::{self, Failure, Suite};
use super::wording::{self, Sides};
use crate::drift::{Drift, Subject, TargetDrift};
use crate::plan::{InSync, UnreadableBinding};

/// Renders a suite for each target, with a case for each managed binding and each difference, and a suite for the
/// errors of the run. Targets whose tenant was not read have no suite, because it would be empty and pass.
pub(crate) fn render(drift: &Drift, at: &str) -> String {
    let suites = drift.read_targets().map(suite).collect();
    junit::render(("drift", drift.label.as_ref()), drift.limit.as_ref(), suites, &drift.errors, at)
}

fn suite(target: &TargetDrift) -> Suite {
    let names = wording::names(target);
    let mut suite = Suite::new(&target.tenant);
    for InSync { flow, step, .. } in &target.in_sync {
        suite.binding(flow, *step, None);
    }
    for difference in &target.differences {
        let age = wording::age(difference).map(|age| format!(" ({age})")).unwrap_or_default();
        let note = difference.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        let message = format!("{}{age}{note}", Sides::new(difference, &names).one_line());
        let kind = difference.kind.name();
        let failure = Failure::failed(kind, message);
        match &difference.subject {
            Subject::Binding(flow, step) => suite.binding(flow, *step, failure),
            Subject::Flow(flow) => suite.add("flows", flow.as_str(), failure),
            Subject::Connector(connector) => {
                suite.add("connectors", &format!("{} ({kind})", names.connector(connector)), failure);
            }
        }
    }
    for UnreadableBinding { flow, step, error } in &target.unreadable {
        suite.binding(flow, *step, Failure::error(error.code, error.to_string()));
    }
    suite.held(&wording::held(target, &names));
    suite.sort();
    suite
}
