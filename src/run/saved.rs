//! Reads saved plans, drift and reports.

use std::path::Path;

use super::error::{CommandError, ErrorKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::drift::Drift;
use crate::model::Label;
use crate::paths;
use crate::render::escape;
use crate::saved::{self, Saved, SavedFileError};

/// Command that reads a saved file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// `apply`
    Apply,
    /// `show`
    Show,
    /// `drift --since`
    Since,
    /// `--undo`
    Undo,
}

/// Reads and checks a saved plan, drift or report.
///
/// # Errors
/// A modified plan, and for `apply` also a file of another format version, blocks the run. Any other unusable file
/// is an error.
pub fn read_saved(path: &Path, reader: Reader) -> Result<Saved, CommandError> {
    let text = paths::read(path).map_err(|error| CommandError::input("", path, &error))?;
    saved::read(&text).map_err(|error| {
        let kind = match error {
            SavedFileError::Version(_) if reader == Reader::Apply => ErrorKind::Blocked,
            SavedFileError::FingerprintMismatch if reader != Reader::Since => ErrorKind::Blocked,
            SavedFileError::FingerprintMismatch
            | SavedFileError::Version(_)
            | SavedFileError::NotASavedFile(_)
            | SavedFileError::InvalidValue(_)
            | SavedFileError::DuplicateBinding { .. } => ErrorKind::Failed,
        };
        CommandError { kind, diagnostics: vec![invalid(path, &text, &error, reader)] }
    })
}

/// Returns the label of a run that uses a saved file: the given one, or that of the file.
///
/// # Errors
/// Both exist and differ.
pub(super) fn saved_label(
    path: &Path,
    given: Option<&Label>,
    saved: Option<Label>,
) -> Result<Option<Label>, CommandError> {
    match (given, saved) {
        (Some(given), Some(saved)) if *given != saved => {
            Err(CommandError::blocked(label_mismatch(path, given, &saved)))
        }
        (Some(given), _) => Ok(Some(given.clone())),
        (None, saved) => Ok(saved),
    }
}

fn label_mismatch(path: &Path, given: &Label, saved: &Label) -> Diagnostic {
    let message = format!("`{}` has the label `{saved}`, and this run `{given}`", paths::display(path));
    let problem = Diagnostic::error(Code::LabelMismatch, message);
    problem.hint(format!("pass the file of `{given}`, or leave `--label` out"))
}

/// Creates the error of a rejected saved file. Code and hint depend on the reason, on whether the file is a
/// plan or looks like a desired-state file, and on the command.
fn invalid(path: &Path, text: &str, error: &SavedFileError, reader: Reader) -> Diagnostic {
    let shown = paths::display(path);
    let path = escape::path(&shown);
    let is_plan = saved::find_kind(text).as_deref() == Some("plan");
    if matches!(error, SavedFileError::NotASavedFile(_)) && looks_like_desired_state(text) {
        let hint = match reader {
            Reader::Apply => format!("to apply the file, run `flowbind apply {path}`"),
            Reader::Show => format!("to see its changes, run `flowbind plan {path}`"),
            Reader::Since => "pass a file written by `flowbind drift --out drift.json`".to_owned(),
            Reader::Undo => "pass a file written by `flowbind apply --out report.json`".to_owned(),
        };
        let message = format!("`{shown}` is a desired-state file, not a saved plan or report");
        return Diagnostic::error(Code::SavedFileInvalid, message).hint(hint);
    }
    let code = match error {
        SavedFileError::Version(_) => Code::SavedFileVersion,
        SavedFileError::FingerprintMismatch => Code::SavedFileModified,
        SavedFileError::NotASavedFile(_)
        | SavedFileError::InvalidValue(_)
        | SavedFileError::DuplicateBinding { .. } => Code::SavedFileInvalid,
    };
    let hint = match code {
        _ if reader == Reader::Since => {
            "delete the file, so that the next run starts a new one; every difference is new once".to_owned()
        }
        Code::SavedFileVersion if is_plan => format!("plan again: `flowbind plan FILE… --out {path}`"),
        Code::SavedFileVersion => "read it with the flowbind version that wrote it".to_owned(),
        Code::SavedFileModified if is_plan => {
            format!("plan again: `flowbind plan FILE… --out {path}`, and review it")
        }
        Code::SavedFileModified => "run `flowbind drift` again".to_owned(),
        _ => "pass a file that `--out FILE.json` of `plan`, `drift` or `apply` wrote".to_owned(),
    };
    Diagnostic::error(code, format!("cannot use `{shown}`: {error}")).hint(hint)
}

/// Returns whether any line of the text starts with `version:` or `tenant:`, or is `flows:`.
fn looks_like_desired_state(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    lines.any(|line| line.starts_with("version:") || line.starts_with("tenant:") || line == "flows:")
}

/// Reads the output of an earlier `drift`; `None` if there is no such file, as before the first run.
///
/// # Errors
/// The file is not drift, has another label than `label`, or is unusable.
pub fn read_earlier_drift(path: &Path, label: Option<&Label>) -> Result<Option<Drift>, CommandError> {
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(None);
    }
    match read_saved(path, Reader::Since)? {
        Saved::Drift(drift, _) => match (label, &drift.label) {
            (Some(given), Some(saved)) if given != saved => Err(label_mismatch(path, given, saved).into()),
            _ => Ok(Some(drift)),
        },
        Saved::Plan(..) | Saved::Report(..) => {
            let message = format!("`{}` is not the output of `drift`", paths::display(path));
            let problem = Diagnostic::error(Code::SavedFileKind, message);
            Err(problem.hint("pass a file written by `flowbind drift --out drift.json`").into())
        }
    }
}
