//! What a run writes: stdout, part by part as soon as it is there, and the files besides, by their
//! ending, found out to be writable before anything is asked.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::sync::oneshot;

use super::environment::Environment;
use super::failure::Failure;
use super::values;
use crate::desired::inside;
use crate::diagnostic::Diagnostic;
use crate::files::Output;
use crate::render::{self, Document, Format, escape};
use crate::terminal;

/// A path whose ending tells the format.
#[derive(Debug, Clone)]
pub(super) struct OutPath {
    path: PathBuf,
    format: Format,
}

impl FromStr for OutPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        let ending = path.extension().and_then(|ending| ending.to_str());
        let of_ending = |format: &Format| format.ending().is_some_and(|known| Some(known) == ending);
        match Format::ALL.into_iter().find(of_ending) {
            Some(format) => Ok(Self { path, format }),
            None => {
                let known: Vec<_> = Format::ALL
                    .iter()
                    .filter_map(|format| format.ending())
                    .map(|it| format!(".{it}"))
                    .collect();
                Err(format!("its ending tells the format, one of {}", known.join(" ")))
            }
        }
    }
}

/// What stdout and files get.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// What stdout gets
    #[arg(long, default_value = "text", value_parser = values::format())]
    pub(super) format: Format,
    /// Write to this file as well, as often as wanted, in the format of its ending: .txt, .json (what
    /// `apply --plan` and `show` take), .md, .diff, .xml (JUnit), .html or .prom
    #[arg(long, value_name = "FILE")]
    pub(super) out: Vec<OutPath>,
}

/// What a run has to show, in every format.
pub(super) struct Shown<'a> {
    pub(super) text: String,
    /// What it is saved as: only written where somebody wants it.
    pub(super) json: &'a dyn Fn() -> String,
    pub(super) document: Document<'a>,
    /// When it was made, in RFC 3339.
    pub(super) at: &'a str,
}

impl Shown<'_> {
    /// It in one format, without colours.
    fn plain(&self, format: Format) -> String {
        // A file has no colours.
        anstream::adapter::strip_str(&self.in_format(format)).to_string()
    }

    pub(super) fn in_format(&self, format: Format) -> Cow<'_, str> {
        match (format, self.document.draw(format, self.at)) {
            (_, Some(drawn)) => Cow::Owned(drawn),
            (Format::Json, None) => Cow::Owned(escape::json(&(self.json)())),
            (_, None) => Cow::Borrowed(&self.text),
        }
    }
}

/// How long a reader may take once the run was stopped.
const PATIENCE: Duration = Duration::from_secs(2);

/// Files that can be written, and stdout.
pub(super) struct Outputs {
    files: Vec<(Output, Format)>,
    stdout: Format,
    /// The summary and the outputs of a step of GitHub Actions, which other steps add to as well.
    step: [Option<File>; 2],
    printer: Printer,
    /// How many bytes of the text of stdout were handed over already.
    printed: usize,
}

impl Outputs {
    /// Makes sure that all can be written, and that none is another or one of the run's inputs.
    pub(super) fn open(
        OutputArgs { format, out: paths }: &OutputArgs,
        inputs: &[&Path],
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let step = match format {
            Format::Github => environment.github.each_ref().map(|path| path.as_deref().map(appended)),
            _ => [None, None],
        };
        let [summary, values] = step.map(Option::transpose);
        let step = [summary?, values?];
        let mut files = Vec::<(Output, Format)>::new();
        for OutPath { path, format } in paths {
            let output = open(path)?;
            let is_same = |other: &Path| real(output.path()) == real(other);
            if inputs.iter().any(|input| is_same(input)) {
                return Err(clash(path, "is read by this run"));
            }
            if files.iter().any(|(other, _)| is_same(other.path())) {
                return Err(clash(path, "is given twice"));
            }
            files.push((output, *format));
        }
        Ok(Self { files, stdout: *format, step, printer: Printer::start(), printed: 0 })
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
    pub(super) async fn emit(self, shown: &Shown<'_>) -> Result<(), Failure> {
        let rest = shown.in_format(self.stdout).get(self.printed..).unwrap_or_default().to_owned();
        let unwritten = self.finish(shown, rest, std::future::pending()).await;
        if unwritten.is_empty() { Ok(()) } else { Err(unwritten.into()) }
    }

    /// Writes each file in its format, and the rest of stdout. Gives what could not be written. Once
    /// `stopped` is over, a reader that takes its time is not waited for any longer.
    pub(super) async fn finish(
        self,
        shown: &Shown<'_>,
        rest: String,
        stopped: impl Future<Output = ()>,
    ) -> Vec<Diagnostic> {
        // Files first: nobody may be reading stdout.
        let written = self.files.into_iter().map(|(output, format)| output.write(&shown.plain(format)));
        let unwritten = written.filter_map(Result::err).map(|error| Diagnostic::error(error.to_string()));
        let mut unwritten: Vec<_> = unwritten.collect();
        let [summary, values] = self.step;
        for (file, draw, name) in [
            (
                summary,
                (|shown: &Shown<'_>| shown.plain(Format::Markdown)) as fn(&Shown<'_>) -> String,
                "summary",
            ),
            (values, |shown| render::github_outputs(shown.document), "output"),
        ] {
            let Some(mut file) = file else { continue };
            if let Err(error) = file.write_all(draw(shown).as_bytes()) {
                unwritten.push(Diagnostic::error(format!("cannot write the step's {name}: {error}")));
            }
        }
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

/// Makes sure that a file can be written, and that no link that came with a repository leads elsewhere.
pub(super) fn open(path: &Path) -> Result<Output, Failure> {
    inside::output(path).map_err(|refused| {
        let problem = Diagnostic::error(format!("cannot write `{}`", path.display()));
        problem
            .caused_by(refused.to_string())
            .hint("a link leads there: take it away, or give the path itself")
    })?;
    Output::open(path).map_err(Failure::output)
}

/// A file that others write to as well.
fn appended(path: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    Ok(opened.with_context(|| format!("cannot write `{}`", path.display()))?)
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
