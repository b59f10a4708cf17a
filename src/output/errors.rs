//! Errors of outputs.

use std::io;
use std::path::Path;

use crate::diagnostic::{Code, Diagnostic};
use crate::paths;

/// Creates the error of stdout that cannot be written to.
pub fn stdout_error(error: io::Error) -> Diagnostic {
    not_writable("cannot write to stdout", &error)
}

/// Creates the error of a folder that cannot be created.
pub fn folder_error(path: &Path, error: &io::Error) -> Diagnostic {
    not_writable(format!("cannot create the folder `{}`", paths::display(path)), error)
}

/// Creates the error of a failed write. `message` names the output.
pub fn not_writable(message: impl Into<String>, error: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::OutputNotWritable, message).caused_by(error.to_string())
}
