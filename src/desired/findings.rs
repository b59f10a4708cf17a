//! Collects problems from several files and sorts them by file and line.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;

/// Problems of the files of a run.
#[derive(Default)]
pub(super) struct Findings {
    /// Rank of each file in the output.
    ranks: BTreeMap<String, usize>,
    found: Vec<Finding>,
}

struct Finding {
    rank: usize,
    offset: usize,
    problem: Diagnostic,
    /// File that extends the faulty one, if the problem shows only in both together.
    included_by: Option<String>,
}

impl Findings {
    /// Ranks a file behind all files that have a rank already. Returns its rank.
    pub(super) fn rank(&mut self, name: &str) -> usize {
        let next = self.ranks.len();
        *self.ranks.entry(name.to_owned()).or_insert(next)
    }

    /// Adds problems of the file `name`, or of files that it extends.
    pub(super) fn extend(&mut self, name: &str, problems: impl IntoIterator<Item = Diagnostic>) {
        for problem in problems {
            let location = problem.span().map(|span| (span.source().name().to_owned(), span.range().start));
            let (file, offset) = location.unwrap_or_else(|| (name.to_owned(), 0));
            let rank = self.rank(&file);
            let included_by = (file != name).then(|| name.to_owned());
            self.found.push(Finding { rank, offset, problem, included_by });
        }
    }

    /// Returns all problems in order. A problem of a base is returned once for all files that extend it.
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

/// Returns the problems at one location, each once, with the files that extend the faulty one as a cause.
/// YAML aliases can make thousands of flows share one span.
fn dedupe_at_location(same_location: &[Finding]) -> Vec<Diagnostic> {
    let mut unique = Vec::<(&Diagnostic, Vec<Option<&str>>)>::new();
    let mut indices = BTreeMap::new();
    for Finding { problem, included_by, .. } in same_location {
        let Diagnostic { severity: _, code, message, location: _, causes, notes, hints } = problem;
        let included_by = included_by.as_deref();
        let index = *indices.entry((code, message, causes, notes, hints)).or_insert(unique.len());
        match unique.get_mut(index) {
            Some((_, files)) if files.last() == Some(&included_by) => {}
            Some((_, files)) => files.push(included_by),
            None => unique.push((problem, vec![included_by])),
        }
    }
    let unique = unique.into_iter();
    unique.map(|(problem, included_by)| with_including_files(problem.clone(), &included_by)).collect()
}

/// Adds the files that extend the faulty one as a cause. Adds none if one entry is `None`, because the faulty
/// file then has the problem alone.
fn with_including_files(problem: Diagnostic, included_by: &[Option<&str>]) -> Diagnostic {
    match included_by.iter().copied().collect::<Option<Vec<_>>>().as_deref() {
        None | Some([]) => problem,
        Some([one]) => problem.caused_by(format!("`{one}` extends this file")),
        Some([one, others @ ..]) => {
            problem.caused_by(format!("`{one}` and {} more extend this file", others.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    #[test]
    fn finish_keeps_problems_that_differ_in_code_or_hint() {
        let mut findings = Findings::default();
        let problem = |code, hint: &str| Diagnostic::error(code, "invalid").hint(hint);
        let one = problem(Code::InvalidValue, "write it");
        let problems = [
            one.clone(),
            problem(Code::InvalidType, "write it"),
            problem(Code::InvalidValue, "remove it"),
            one.clone(),
        ];
        findings.extend("a.yaml", problems.clone());
        let [first, second, third, _] = problems;
        assert_eq!(findings.finish(), [first, second, third]);
    }
}
