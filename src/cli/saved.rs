//! Reads saved plans and reports.

use std::path::Path;

use super::failure::Failure;
use super::{Exit, input};
use crate::diagnostic::{Code, Diagnostic};
use crate::render::escape;
use crate::saved::{self, Saved, SavedFileError};

/// Command that reads a saved file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Apply,
    Show,
}

/// Reads and checks a saved plan or report. A modified plan is an error with exit code 3, and for `apply`
/// also a file of another format version; any other failure has exit code 1.
pub(super) fn read(path: &Path, reader: Reader) -> Result<Saved, Failure> {
    let text = input::read(path)
        .map_err(|error| Failure::input(format!("cannot read `{}`", path.display()), &error))?;
    saved::read(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let exit = match error {
            SavedFileError::Version(_) if reader == Reader::Apply => Exit::Refused,
            SavedFileError::FingerprintMismatch => Exit::Refused,
            SavedFileError::Version(_)
            | SavedFileError::NotASavedFile(_)
            | SavedFileError::InvalidValue(_)
            | SavedFileError::DuplicateBinding { .. } => Exit::Error,
        };
        Failure { diagnostics: vec![invalid(path, &text, &error, reader)], exit, is_wrong_target: false }
    })
}

/// Creates the error of a rejected saved file. Code and hint depend on the reason, on whether the file is a
/// plan or looks like a desired-state file, and on the command.
fn invalid(path: &Path, text: &str, error: &SavedFileError, reader: Reader) -> Diagnostic {
    let shown = path.display();
    let path = path.to_string_lossy();
    let path = escape::path(&path);
    let is_plan = saved::find_kind(text).as_deref() == Some("plan");
    let (code, hint) = match error {
        SavedFileError::Version(_) => (
            Code::SavedFileVersion,
            if is_plan {
                format!("plan again: `flowbind plan FILE… --out {path}`")
            } else {
                "read it with the flowbind version that wrote it".to_owned()
            },
        ),
        SavedFileError::FingerprintMismatch => (
            Code::SavedFileModified,
            // Only the fingerprint of a plan is checked.
            format!("plan again: `flowbind plan FILE… --out {path}`, and review it"),
        ),
        SavedFileError::NotASavedFile(_) if looks_like_desired_state(text) => (
            Code::SavedFileInvalid,
            match reader {
                Reader::Apply => format!("to apply a desired-state file, run `flowbind apply {path}`"),
                Reader::Show => {
                    format!("to see the changes of a desired-state file, run `flowbind plan {path}`")
                }
            },
        ),
        SavedFileError::NotASavedFile(_)
        | SavedFileError::InvalidValue(_)
        | SavedFileError::DuplicateBinding { .. } => (
            Code::SavedFileInvalid,
            "pass a file that `--out FILE.json` of `plan`, `drift` or `apply` wrote".to_owned(),
        ),
    };
    Diagnostic::error(code, format!("cannot use `{shown}`: {error}")).hint(hint)
}

/// Returns whether any line of the text starts with `version:` or `tenant:`, or is `flows:`.
fn looks_like_desired_state(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    lines.any(|line| line.starts_with("version:") || line.starts_with("tenant:") || line == "flows:")
}
