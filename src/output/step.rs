//! Files of a step of GitHub Actions, to which other commands of the step append too.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::errors::not_writable;
use crate::diagnostic::{Code, Diagnostic};
use crate::paths;

/// Paths that GitHub Actions sets for a step.
#[derive(Debug, Clone, Default)]
pub struct StepFiles {
    /// `GITHUB_STEP_SUMMARY`: the summary.
    pub summary: Option<PathBuf>,
    /// `GITHUB_OUTPUT`: the outputs.
    pub outputs: Option<PathBuf>,
    /// `GITHUB_WORKSPACE`: the root of the repository.
    pub workspace: Option<PathBuf>,
}

/// Limit of a summary in bytes; GitHub drops a longer one completely
/// (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>).
const SUMMARY_LIMIT: u64 = 1 << 20;

/// Limit of all outputs of a job in bytes of UTF-16
/// (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idoutputs>).
const OUTPUTS_LIMIT: u64 = 1 << 20;

/// File of a step, opened for appending.
pub(super) struct StepFile {
    file: File,
    /// Name in messages.
    name: &'static str,
}

impl StepFile {
    /// Opens a file, which is created if it does not exist.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn open(path: &Path, name: &'static str) -> Result<Self, Diagnostic> {
        let opened = OpenOptions::new().create(true).read(true).append(true).open(path);
        let error = |error| not_writable(format!("cannot write `{}`", paths::display(path)), &error);
        Ok(Self { file: opened.map_err(error)?, name })
    }

    /// Appends a summary after a blank line. `render` renders it within a number of bytes. Returns a warning if it does
    /// not fit.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn append_summary(
        mut self,
        render: impl Fn(usize) -> String,
    ) -> Result<Vec<Diagnostic>, Diagnostic> {
        let appended = self.content().and_then(|(length, end)| {
            let separator = match end.as_slice() {
                [] | [b'\n', b'\n'] => "",
                [.., b'\n'] => "\n",
                _ => "\n\n",
            };
            let room = usize::try_from(SUMMARY_LIMIT.saturating_sub(length)).unwrap_or_default();
            let room = room.saturating_sub(separator.len());
            let text = render(room);
            if text.len() > room {
                return Ok(vec![full(
                    "cannot add the summary: the file of the step would exceed 1,048,576 bytes".to_owned(),
                )]);
            }
            self.file.write_all(format!("{separator}{text}").as_bytes()).map(|()| Vec::new())
        });
        appended.map_err(|error| self.error(&error))
    }

    /// Appends outputs, one `name=value` per line, on a new line. Returns a warning for each that is left out because
    /// it does not fit.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn append_outputs(mut self, outputs: &str) -> Result<Vec<Diagnostic>, Diagnostic> {
        let appended = self.content().and_then(|(length, end)| {
            let mut text = if matches!(end.as_slice(), [] | [.., b'\n']) { "" } else { "\n" }.to_owned();
            let mut warnings = Vec::new();
            // A text has at most as many units in UTF-16 as bytes in UTF-8.
            let mut size = length.saturating_mul(2);
            for line in outputs.split_inclusive('\n') {
                let units = u64::try_from(line.encode_utf16().count()).unwrap_or(u64::MAX);
                let larger = size.saturating_add(units.saturating_mul(2));
                if larger <= OUTPUTS_LIMIT {
                    size = larger;
                    text.push_str(line);
                } else {
                    let name = line.split('=').next().unwrap_or_default();
                    let message = format!(
                        "cannot add the output `{name}`: 1,048,576 bytes of UTF-16 would be exceeded"
                    );
                    warnings.push(full(message));
                }
            }
            self.file.write_all(text.as_bytes()).map(|()| warnings)
        });
        appended.map_err(|error| self.error(&error))
    }

    /// Returns the length of the file and its last bytes, at most two. Both are empty for a pipe or a device.
    fn content(&mut self) -> io::Result<(u64, Vec<u8>)> {
        let length = self.file.metadata()?.len();
        let mut end = Vec::new();
        if length > 0 {
            self.file.seek(SeekFrom::Start(length.saturating_sub(2)))?;
            (&self.file).take(2).read_to_end(&mut end)?;
        }
        Ok((length, end))
    }

    fn error(&self, error: &io::Error) -> Diagnostic {
        let message = format!("cannot write the step's {}: {error}", self.name);
        Diagnostic::error(Code::OutputNotWritable, message)
    }
}

/// Creates the warning about a part that does not fit into the limits of a step.
fn full(message: String) -> Diagnostic {
    Diagnostic::warning(Code::StepLimit, message)
        .hint("write a file with `--out`, or run flowbind in a step of its own")
}
