//! Renders drift as workflow commands and outputs of GitHub Actions.

use super::super::github::{
    Annotations, binding_title, drift_status, held_annotations, problem_annotations, push_limit,
    start_of_file,
};
use super::wording::{self, Sides};
use crate::diagnostic::Severity;
use crate::drift::{Drift, Subject};

/// Renders an annotation for each difference and each problem, the most dangerous of all tenants first: a step shows at
/// most ten annotations of a level.
pub(crate) fn annotations(drift: &Drift) -> Annotations {
    let mut annotations = Annotations::new(drift.label.as_ref());
    let (problems, files) = (drift.problems(), drift.targets.iter().map(|it| (&it.tenant, it.file.as_str())));
    let files: Vec<_> = files.collect();
    problem_annotations(&mut annotations, &problems, &files, Severity::Error);
    let targets: Vec<_> = drift.targets.iter().map(|target| (target, wording::names(target))).collect();
    let mut differences: Vec<_> = targets
        .iter()
        .flat_map(|(target, names)| target.differences.iter().map(move |it| (*target, names, it)))
        .collect();
    differences.sort_by_key(|(_, _, difference)| difference.kind);
    for (target, names, difference) in differences {
        let level = if difference.kind.is_dangerous() { "error" } else { "warning" };
        let kind = difference.kind.name();
        let title = match &difference.subject {
            Subject::Binding(flow, step) => binding_title(kind, flow, *step, &target.tenant),
            subject => format!("{kind} {} ({})", wording::subject(subject, names), target.tenant),
        };
        let age = wording::age(difference).map(|age| format!(" ({age})")).unwrap_or_default();
        let note = difference.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        let message = format!("{}{age}{note}", Sides::new(difference, names).one_line());
        let file = start_of_file(&target.file);
        annotations.push(level, difference.source.as_ref().or(file.as_ref()), &title, &message);
    }
    problem_annotations(&mut annotations, &problems, &files, Severity::Warning);
    for (target, names) in &targets {
        held_annotations(&mut annotations, &target.tenant, &wording::held(target, names));
    }
    push_limit(&mut annotations, drift.limit.as_ref());
    annotations
}

/// Renders the outputs of a step, one `name=value` per line: the numbers of differences and of new ones, whether
/// anything differs (`true`, `false` or `unknown`), and the fingerprint, which is empty if the drift is incomplete.
pub(crate) fn outputs(drift: &Drift) -> String {
    let status = drift_status(drift.is_drifted());
    let differences = drift.differences().count();
    let new = drift.differences().filter(|difference| difference.is_new != Some(false)).count();
    let fingerprint = drift.fingerprint().unwrap_or_default();
    format!("differences={differences}\nnew={new}\ndrift={status}\nfingerprint={fingerprint}\n")
}
