//! Limits a run to the bindings that the user selected.

use std::collections::BTreeSet;
use std::path::Path;

use crate::diagnostic::{Code, Diagnostic, Suggester};
use crate::model::{Desired, FlowId, Only, Step};
use crate::paths;
use crate::plan::Limit;
use crate::render::escape;

/// Keeps the selected bindings of the files, and the files that have any. Without a selection, keeps everything. A
/// binding that a file only prunes is not selected. `report` has the bindings, if they are taken back.
///
/// # Errors
/// Selections that match no binding.
pub(super) fn limit(
    files: Vec<Desired>,
    only: &[Only],
    report: Option<&Path>,
) -> Result<(Vec<Desired>, Option<Limit>), Vec<Diagnostic>> {
    if only.is_empty() {
        return Ok((files, None));
    }
    let flows = files.iter().flat_map(|file| &file.flows);
    let listed: Vec<_> =
        flows.flat_map(|flow| flow.bindings.iter().map(move |(step, _)| (&flow.id, step))).collect();
    let is_unmatched = |only: &&Only| !listed.iter().any(|(flow, step)| only.contains(flow, *step));
    let binding = |(flow, step): &(&FlowId, Step)| Only { flow: (*flow).clone(), step: Some(*step) };
    let names = listed.iter().flat_map(|at| [at.0.to_string(), binding(at).to_string()]).collect();
    let errors: Vec<_> =
        only.iter().filter(is_unmatched).map(|only| unmatched(only, &names, report)).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let count = |files: &[Desired]| files.iter().map(|file| file.managed_bindings().count()).sum();
    let of = count(&files);
    let files: Vec<_> = files.into_iter().filter_map(|file| file.select(only)).collect();
    let limit = Limit { only: only.to_vec(), selected: count(&files), of };
    Ok((files, Some(limit)))
}

/// Returns the error of a selection that matches no binding of the files or of the report, with the nearest of these
/// names.
pub(super) fn unmatched(only: &Only, names: &BTreeSet<String>, report: Option<&Path>) -> Diagnostic {
    let (source, list) = match report {
        Some(report) => ("report", format!("show {}", escape::path(&paths::display(report)))),
        None => ("files", "validate --print".to_owned()),
    };
    let message = format!("`--only {only}` selects no binding of the {source}");
    let problem = Diagnostic::error(Code::OnlyUnmatched, message);
    let names = names.iter().map(String::as_str);
    let problem = Suggester::default().suggest(problem, &only.to_string(), names);
    problem.hint(format!("name a flow of the {source}, or FLOW/STEP; `{list}` lists them"))
}
