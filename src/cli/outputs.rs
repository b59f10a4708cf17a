//! What a run writes: stdout, part by part as soon as it is there, and the files besides, by their
//! ending, found out to be writable before anything is asked.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;

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

/// How long a reader may take once the run was stopped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Files that can be written, and stdout.
pub(super) struct Outputs {
    files: Vec<(Output, Format)>,
    stdout: Format,
    printer: Printer,
    /// How many bytes of the text of stdout were handed over already.
    printed: usize,
}

impl Outputs {
    /// Makes sure that all can be written, and that none is another or one of the run's inputs.
    pub(super) fn open(paths: &[OutPath], inputs: &[&Path], stdout: Format) -> Result<Self, Failure> {
        let mut files = Vec::<(Output, Format)>::new();
        for OutPath { path, format } in paths {
            let output = Output::open(path).map_err(Failure::output)?;
            let is_same = |other: &Path| real(output.path()) == real(other);
            if inputs.iter().any(|input| is_same(input)) {
                return Err(clash(path, "is read by this run"));
            }
            if files.iter().any(|(other, _)| is_same(other.path())) {
                return Err(clash(path, "is given twice"));
            }
            files.push((output, *format));
        }
        Ok(Self { files, stdout, printer: Printer::start(), printed: 0 })
    }

    /// Prints the next part of what stdout gets as text. In any other format it is one piece.
    pub(super) fn print(&mut self, part: &str) {
        if self.stdout == Format::Text {
            self.printed = self.printed.saturating_add(part.len());
            self.printer.print(part.to_owned());
        }
    }

    /// Waits until what was printed so far is out.
    pub(super) async fn shown(&self) -> io::Result<()> {
        self.printer.shown().await
    }

    /// Writes each file, and to stdout what has not been printed of it.
    ///
    /// # Errors
    /// All that could not be written; the rest is.
    pub(super) async fn emit(self, text: impl Fn(Format) -> String) -> Result<(), Failure> {
        let rest = text(self.stdout).get(self.printed..).unwrap_or_default().to_owned();
        let unwritten = self.finish(text, rest, std::future::pending()).await;
        if unwritten.is_empty() { Ok(()) } else { Err(unwritten.into()) }
    }

    /// Writes each file in its format, and the rest of stdout. Gives what could not be written. Once
    /// `stopped` is over, a reader that takes its time is not waited for any longer.
    pub(super) async fn finish(
        self,
        text: impl Fn(Format) -> String,
        rest: String,
        stopped: impl Future<Output = ()>,
    ) -> Vec<Diagnostic> {
        // Files first: nobody may be reading stdout.
        let written = self.files.into_iter().map(|(output, format)| {
            // A file has no colours.
            output.write(&anstream::adapter::strip_str(&text(format)).to_string())
        });
        let unwritten = written.filter_map(Result::err).map(|error| Diagnostic::error(error.to_string()));
        let mut unwritten: Vec<_> = unwritten.collect();
        self.printer.print(rest);
        let shown = tokio::select! {
            shown = self.printer.shown() => shown,
            () = async { stopped.await; tokio::time::sleep(PATIENCE).await } => Ok(()),
        };
        if let Err(error) = shown.context("cannot write to stdout") {
            unwritten.extend(Failure::from(error).diagnostics);
        }
        unwritten
    }
}

/// Prints in a thread of its own: a reader that takes its time must hold nobody.
struct Printer(mpsc::Sender<(String, Option<oneshot::Sender<io::Result<()>>>)>);

impl Printer {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut printed = Ok(());
            for (text, shown) in told {
                let text: String = text;
                printed = printed.and_then(|()| terminal::print(&text));
                if let Some(shown) = shown {
                    let shown: oneshot::Sender<_> = shown;
                    // Nobody may be waiting any more. The error is told once.
                    _ = shown.send(std::mem::replace(&mut printed, Ok(())));
                }
            }
        });
        Self(tell)
    }

    fn print(&self, text: String) {
        // The thread lives as long as this.
        _ = self.0.send((text, None));
    }

    async fn shown(&self) -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        _ = self.0.send((String::new(), Some(tell)));
        told.await.unwrap_or(Ok(()))
    }
}

fn clash(path: &Path, why: &str) -> Failure {
    let problem = Diagnostic::error(format!("`{}` {why}", path.display()));
    problem.hint("give `--out` a file of its own").into()
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
