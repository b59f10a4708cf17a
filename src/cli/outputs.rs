//! The files that a run writes besides stdout: by their ending, and found out to be writable before
//! anything is asked.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;

use super::failure::Failure;
use super::format::Format;
use crate::diagnostic::Diagnostic;
use crate::files::Output;
use crate::terminal;

/// A path whose ending tells the format.
#[derive(Debug, Clone)]
pub(super) struct OutPath {
    path: PathBuf,
    format: Format,
}

impl FromStr for OutPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Format::Json,
            Some("txt") => Format::Text,
            _ => return Err("its ending tells the format: .json or .txt"),
        };
        Ok(Self { path, format })
    }
}

/// Files that can be written.
pub(super) struct Outputs(Vec<(Output, Format)>);

impl Outputs {
    /// Makes sure that all can be written, and that none is another or one of the run's inputs.
    pub(super) fn open(paths: &[OutPath], inputs: &[&Path]) -> Result<Self, Failure> {
        let mut outputs = Vec::<(Output, Format)>::new();
        for OutPath { path, format } in paths {
            let output = Output::open(path).map_err(Failure::output)?;
            let is_same = |other: &Path| real(output.path()) == real(other);
            if inputs.iter().any(|input| is_same(input)) {
                return Err(clash(path, "is read by this run"));
            }
            if outputs.iter().any(|(other, _)| is_same(other.path())) {
                return Err(clash(path, "is given twice"));
            }
            outputs.push((output, *format));
        }
        Ok(Self(outputs))
    }

    /// Writes each file, and stdout.
    ///
    /// # Errors
    /// All that could not be written; the rest is.
    pub(super) fn emit(self, stdout: Format, text: impl Fn(Format) -> String) -> Result<(), Failure> {
        let mut unwritten = self.write(&text);
        if let Err(error) = terminal::print(&text(stdout)).context("cannot write to stdout") {
            unwritten.extend(Failure::from(error).diagnostics);
        }
        if unwritten.is_empty() { Ok(()) } else { Err(unwritten.into()) }
    }

    /// Writes each file in its format. Gives what could not be written; the others are.
    pub(super) fn write(self, text: impl Fn(Format) -> String) -> Vec<Diagnostic> {
        let written = self.0.into_iter().map(|(output, format)| {
            // A file has no colours.
            output.write(&anstream::adapter::strip_str(&text(format)).to_string())
        });
        written.filter_map(Result::err).map(|error| Diagnostic::error(error.to_string())).collect()
    }
}

fn clash(path: &Path, why: &str) -> Failure {
    let problem = Diagnostic::error(format!("`{}` {why}", path.display()));
    problem.hint("give `--out` a file of its own").into()
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
