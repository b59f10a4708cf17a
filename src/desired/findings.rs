//! The problems of several files, told in the order of the files and of their lines.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;

/// Collects what is wrong with the files of a run.
#[derive(Default)]
pub(super) struct Findings {
    /// The files in the order in which they are told of.
    ranks: BTreeMap<String, usize>,
    found: Vec<Finding>,
}

struct Finding {
    rank: usize,
    offset: usize,
    problem: Diagnostic,
    /// The file that extends the one that is at fault, where it takes both to see.
    included_by: Option<String>,
}

impl Findings {
    /// Gives a file its place in the order, after those that have one.
    pub(super) fn rank(&mut self, name: &str) -> usize {
        let next = self.ranks.len();
        *self.ranks.entry(name.to_owned()).or_insert(next)
    }

    /// Adds problems of the file `name`, or of those that it extends.
    pub(super) fn extend(&mut self, name: &str, problems: impl IntoIterator<Item = Diagnostic>) {
        for problem in problems {
            let place = problem.span().map(|span| (span.source().name().to_owned(), span.range().start));
            let (file, offset) = place.unwrap_or_else(|| (name.to_owned(), 0));
            let rank = self.rank(&file);
            let included_by = (file != name).then(|| name.to_owned());
            self.found.push(Finding { rank, offset, problem, included_by });
        }
    }

    /// Gives all problems in order. One that many files have from the same base is one problem.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        found.sort_by_key(|finding| (finding.rank, finding.offset));
        let mut problems = Vec::new();
        for same_location in found.chunk_by(|one, next| (one.rank, one.offset) == (next.rank, next.offset)) {
            problems.extend(dedupe_at_location(same_location));
        }
        problems
    }
}

/// The problems of one place, each once: a thousand flows may stand there by their aliases.
fn dedupe_at_location(same_location: &[Finding]) -> Vec<Diagnostic> {
    let mut told = Vec::<(&Diagnostic, Vec<Option<&str>>)>::new();
    let mut at = BTreeMap::new();
    for Finding { problem, included_by, .. } in same_location {
        let Diagnostic { severity: _, code: _, message, location: _, causes, notes: _, hints } = problem;
        let included_by = included_by.as_deref();
        let at = *at.entry((message, causes, hints)).or_insert(told.len());
        match told.get_mut(at) {
            Some((_, files)) if files.last() == Some(&included_by) => {}
            Some((_, files)) => files.push(included_by),
            None => told.push((problem, vec![included_by])),
        }
    }
    told.into_iter()
        .map(|(problem, included_by)| with_including_files(problem.clone(), &included_by))
        .collect()
}

/// Says which files extend the one that is at fault, unless that shows it by itself.
fn with_including_files(problem: Diagnostic, included_by: &[Option<&str>]) -> Diagnostic {
    match included_by.iter().copied().collect::<Option<Vec<_>>>().as_deref() {
        None | Some([]) => problem,
        Some([one]) => problem.caused_by(format!("`{one}` extends this file")),
        Some([one, others @ ..]) => {
            problem.caused_by(format!("`{one}` and {} more extend this file", others.len()))
        }
    }
}
