//! Reads saved plans and reports.

use std::path::Path;

use anyhow::Context as _;

use super::failure::Failure;
use super::{Exit, input};
use crate::diagnostic::{Code, Diagnostic};
use crate::files::{self, Saved, SavedFileError};

/// Reads a plan or a report. `other_version` is the exit code for a file of another format version. A modified file
/// is blocked; any other invalid file is an error.
pub(super) fn read(path: &Path, other_version: Exit) -> Result<Saved, Failure> {
    let text = input::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    files::read(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let exit = match error {
            SavedFileError::Version(_) => other_version,
            SavedFileError::FingerprintMismatch => Exit::Refused,
            SavedFileError::NotASavedFile(_)
            | SavedFileError::InvalidValue(_)
            | SavedFileError::DuplicateBinding { .. } => Exit::Error,
        };
        Failure { diagnostics: vec![invalid(path, &text, &error)], exit, is_wrong_target: false }
    })
}

/// Describes why a saved file is rejected.
fn invalid(path: &Path, text: &str, error: &SavedFileError) -> Diagnostic {
    let path = path.display();
    let (code, hint) = match error {
        SavedFileError::Version(_) => (
            Code::SavedFileVersion,
            "create the file again, or use the flowbind version that wrote it".to_owned(),
        ),
        SavedFileError::FingerprintMismatch => {
            (Code::SavedFileModified, format!("create it again with `flowbind plan --out {path}`"))
        }
        SavedFileError::NotASavedFile(_) if looks_like_desired_state(text) => {
            (Code::SavedFileInvalid, format!("it looks like a desired-state file: `flowbind apply {path}`"))
        }
        SavedFileError::NotASavedFile(_)
        | SavedFileError::InvalidValue(_)
        | SavedFileError::DuplicateBinding { .. } => (
            Code::SavedFileInvalid,
            "pass a file that `--out FILE.json` of `plan`, `drift` or `apply` wrote".to_owned(),
        ),
    };
    Diagnostic::error(code, format!("cannot use `{path}`: {error}")).hint(hint)
}

/// Whether a text starts like a desired-state file: with a key of YAML in place of a bracket.
fn looks_like_desired_state(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    lines.any(|line| line.starts_with("version:") || line.starts_with("tenant:") || line == "flows:")
}
