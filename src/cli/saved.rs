//! Plans and reports that were saved, read back.

use std::path::Path;

use anyhow::Context as _;

use super::failure::Failure;
use super::{Exit, input};
use crate::diagnostic::Diagnostic;
use crate::files::{self, Saved, Unreadable};

/// Reads a plan or a report. What is neither is an error; what is of another version or was edited
/// is refused.
pub(super) fn read(path: &Path) -> Result<Saved, Failure> {
    let text = input::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    files::read(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let exit = match error {
            Unreadable::Version(_) | Unreadable::Edited => Exit::Refused,
            Unreadable::Shape(_) | Unreadable::Value(_) | Unreadable::Twice { .. } => Exit::Error,
        };
        let problem = Diagnostic::error(format!("`{}` cannot be used: {error}", path.display()));
        Failure { diagnostics: vec![problem.hint("make it anew")], exit, foreign: false }
    })
}
