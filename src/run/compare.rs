//! Compares two desired-state files or snapshots, offline.

use std::path::Path;

use jiff::Timestamp;

use super::error::{CommandError, ErrorKind};
use crate::compare::{Comparison, Side, compare};
use crate::diagnostic::{Code, Diagnostic, STDIN, clipped};
use crate::snapshot::Snapshot;
use crate::{desired, encoding, paths, saved};

/// Reads and compares two desired-state files, each merged with its bases, or snapshots. `now` limits the holds.
///
/// # Errors
/// All problems of both files.
pub fn compare_files(a: &Path, b: &Path, now: Timestamp) -> Result<Comparison, CommandError> {
    if paths::is_stdin(a) && paths::is_stdin(b) {
        let problem = Diagnostic::error(Code::FileGivenTwice, "`-` is given twice on the command line");
        return Err(problem.hint("stdin can be one of the two files").into());
    }
    match (read_side(a, now), read_side(b, now)) {
        (Ok(a), Ok(b)) => Ok(compare(&a, &b)),
        (a, b) => {
            let mut diagnostics = Vec::new();
            for problem in [a, b].into_iter().filter_map(Result::err).flat_map(|error| error.diagnostics) {
                // A base of both files is read for each.
                if !diagnostics.contains(&problem) {
                    diagnostics.push(problem);
                }
            }
            Err(CommandError { kind: ErrorKind::Failed, diagnostics })
        }
    }
}

/// Reads a desired-state file or a snapshot, once, because it can be a pipe.
fn read_side(path: &Path, now: Timestamp) -> Result<Side, CommandError> {
    let name = if paths::is_stdin(path) { STDIN.into() } else { paths::display(path) };
    if path.is_dir() && !paths::is_stdin(path) {
        let problem = Diagnostic::error(Code::InputUnreadable, format!("`{name}` is a folder"));
        return Err(problem.hint("name one desired-state file or snapshot").into());
    }
    let read =
        if paths::is_stdin(path) { paths::read_stdin().map(<[u8]>::to_vec) } else { paths::read_bytes(path) };
    let Ok(bytes) = read else {
        // The error of a desired-state file has more hints.
        let files = desired::load(&[path.to_owned()], now)?;
        return files.first().map(Side::from_desired).ok_or_else(|| Vec::new().into());
    };
    let text = encoding::decode(&bytes).unwrap_or_default();
    if let Some(kind) = saved::find_kind(text) {
        let message =
            format!("`{name}` is a saved {}, not a desired-state file or a snapshot", clipped(&kind, 80));
        let hint = "name desired-state files or snapshots; `flowbind drift` compares a file with its tenant";
        return Err(Diagnostic::error(Code::SavedFileKind, message).hint(hint).into());
    }
    if !is_snapshot(text) {
        return Ok(Side::from_desired(&desired::load_bytes(path, bytes, now)?));
    }
    let snapshot = Snapshot::parse(text).map_err(|error| CommandError::snapshot(&name, &error))?;
    Side::from_snapshot(&name, &snapshot).map_err(|error| CommandError::snapshot(&name, &error))
}

/// Returns whether a text looks like a snapshot. A desired-state file can be JSON too, but has no `formatVersion`.
fn is_snapshot(text: &str) -> bool {
    text.trim_start().starts_with('{') && text.contains("\"formatVersion\"")
}
