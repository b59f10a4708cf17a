//! Reads saved plans and reports.

use std::path::Path;

use anyhow::Context as _;

use super::failure::Failure;
use super::{Exit, input};
use crate::diagnostic::{Code, Diagnostic};
use crate::files::{self, Saved, SavedFileError};

/// Reads a plan or a report. A file that is neither is an error; a file of another version or one that was
/// modified is blocked.
pub(super) fn read(path: &Path) -> Result<Saved, Failure> {
    let text = input::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    files::read(text.trim_start_matches('\u{feff}')).map_err(|error| invalid(path, &text, &error))
}

fn invalid(path: &Path, text: &str, error: &SavedFileError) -> Failure {
    let path = path.display();
    let (code, exit, hint) = match error {
        SavedFileError::Version(_) => (
            Code::SavedFileVersion,
            Exit::Refused,
            "create the file again, or use the flowbind version that wrote it".to_owned(),
        ),
        SavedFileError::FingerprintMismatch => (
            Code::SavedFileModified,
            Exit::Refused,
            format!("create it again with `flowbind plan --out {path}`"),
        ),
        SavedFileError::NotASavedFile(_) if looks_like_desired_state(text) => (
            Code::SavedFileInvalid,
            Exit::Error,
            format!("it looks like a desired-state file: `flowbind apply {path}`"),
        ),
        SavedFileError::NotASavedFile(_)
        | SavedFileError::InvalidValue(_)
        | SavedFileError::DuplicateBinding { .. } => (
            Code::SavedFileInvalid,
            Exit::Error,
            "pass a file that `--out FILE.json` of `plan`, `drift` or `apply` wrote".to_owned(),
        ),
    };
    let problem = Diagnostic::error(code, format!("cannot use `{path}`: {error}"));
    Failure { diagnostics: vec![problem.hint(hint)], exit, is_wrong_target: false }
}

/// Whether a text starts like a desired-state file: with a key of YAML in place of a bracket.
fn looks_like_desired_state(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    lines.any(|line| line.starts_with("version:") || line.starts_with("tenant:") || line == "flows:")
}
