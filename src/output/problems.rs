//! Prints problems on stderr.

use crate::diagnostic::Diagnostic;
use crate::plan::{Problem, merge_shared};
use crate::{render, terminal};

/// Prints diagnostics on stderr with a blank line between them. Beyond 500, only the number of the others is
/// printed.
pub fn print_diagnostics(diagnostics: &[Diagnostic]) {
    const MAX_DIAGNOSTICS: usize = 500;
    let mut texts: Vec<_> = diagnostics.iter().take(MAX_DIAGNOSTICS).map(render::diagnostic).collect();
    let more = diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
    if more > 0 {
        texts.push(format!("… and {more} more\n"));
    }
    terminal::eprint(&texts.join("\n"));
}

/// Prints the problems of a run on stderr. If there are `several` tenants, the message of each problem of a
/// tenant begins with the tenant.
pub fn print_problems(problems: &[Problem], several: bool) {
    let problems = merge_shared(problems);
    let prefixed = problems.iter().map(|Problem { diagnostic, tenant }| match tenant {
        Some(tenant) if several => {
            Diagnostic { message: format!("{tenant}: {}", diagnostic.message), ..diagnostic.clone() }
        }
        _ => diagnostic.clone(),
    });
    print_diagnostics(&prefixed.collect::<Vec<_>>());
}
