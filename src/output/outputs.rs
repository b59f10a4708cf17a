//! Outputs of a run: stdout, printed in parts, and files in the format of their extension. Files are opened
//! before the first request.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::errors::stdout_error;
use super::printer::Printer;
use super::problems::{print_diagnostics, print_problems};
use super::step::{StepFile, StepFiles};
use super::workspace::Workspace;
use crate::atomic_file::{self, OutputFile};
use crate::diagnostic::{Code, Diagnostic};
use crate::drift::Drift;
use crate::paths::{self, PathError};
use crate::plan::{Plan, Problem};
use crate::render::{self, Document, Format, escape};
use crate::{saved, terminal};

/// Path whose extension selects the format.
#[derive(Debug, Clone)]
pub struct OutPath {
    path: PathBuf,
    format: Format,
}

impl OutPath {
    /// Parses a path whose extension is that of one of `formats`.
    ///
    /// # Errors
    /// The extension is unknown, or the path is `-`.
    pub fn parse(path: PathBuf, formats: &[Format]) -> Result<Self, String> {
        if paths::is_stdin(&path) {
            return Err("stdout has the format of `--format`; pass the name of a file".to_owned());
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        let has_extension =
            |format: &Format| format.extension().is_some_and(|known| Some(known) == extension);
        match formats.iter().copied().find(has_extension) {
            Some(format) => Ok(Self { path, format }),
            None => {
                let known: Vec<_> = formats
                    .iter()
                    .filter_map(|format| format.extension())
                    .map(|it| format!(".{it}"))
                    .collect();
                Err(format!("the extension selects the format; use one of {}", known.join(" ")))
            }
        }
    }
}

/// Value to print or write, in every format.
pub struct RenderedRun<'a> {
    /// Text for a terminal.
    pub text: String,
    /// Saved form, which is made only if an output needs it.
    pub json: &'a dyn Fn() -> String,
    /// Plan, drift or report.
    pub document: Document<'a>,
    /// Time of the run, in RFC 3339.
    pub at: &'a str,
}

impl RenderedRun<'_> {
    /// Renders the run in one format, without colors.
    fn plain(&self, format: Format) -> String {
        anstream::adapter::strip_str(&self.in_format(format)).to_string()
    }

    /// Renders the run in one format, for text with colors.
    fn in_format(&self, format: Format) -> Cow<'_, str> {
        match (format, self.document.render(format, self.at)) {
            (_, Some(rendered)) => Cow::Owned(rendered),
            (Format::Json, None) => Cow::Owned(escape::json(&(self.json)())),
            (_, None) => Cow::Borrowed(&self.text),
        }
    }
}

/// Time for a slow reader of stdout after the run was interrupted.
const READER_TIMEOUT: Duration = Duration::from_secs(2);

/// Open outputs of a run.
pub struct Outputs {
    files: Vec<(OutputFile, Format)>,
    stdout: Format,
    /// Summary of a step of GitHub Actions.
    summary: Option<StepFile>,
    /// Outputs of the step.
    values: Option<StepFile>,
    /// Warnings about what did not fit into the files of the step.
    left_out: Vec<Diagnostic>,
    workspace: Workspace,
    printer: Printer,
    /// Number of bytes of the text of stdout that were printed already.
    printed: usize,
}

impl Outputs {
    /// Checks that all `--out` files can be written, opens the files of the GitHub step if that is the
    /// format, and starts the printer of stdout. A file that is given twice or is one of `inputs` is an
    /// error.
    ///
    /// # Errors
    /// Lists the outputs that cannot be written, are given twice, or are inputs of the run; or the system starts no thread.
    pub fn open(
        format: Format,
        paths: &[OutPath],
        inputs: &[&Path],
        step: &StepFiles,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut files = Vec::<(OutputFile, Format)>::new();
        let mut problems = Vec::new();
        for OutPath { path, format } in paths {
            match open_distinct(path, inputs) {
                Ok(output) => match files.iter().find(|(other, _)| is_same(output.path(), other.path())) {
                    Some((earlier, _)) => {
                        let [earlier, path] = [earlier.given(), path].map(paths::display);
                        let message = format!("`--out {earlier}` and `--out {path}` are the same file");
                        problems.push(output_conflict(message));
                    }
                    None => files.push((output, *format)),
                },
                Err(problem) => problems.push(problem),
            }
        }
        let mut open_step = |path: &Option<PathBuf>, name| {
            let path = path.as_deref().filter(|_| format == Format::Github)?;
            let opened = if files.iter().any(|(output, _)| is_same(output.path(), path)) {
                Err(output_conflict(format!("`--out {}` is the step's {name}", paths::display(path))))
            } else {
                check_not_input(path, path, inputs).and_then(|()| StepFile::open(path, name))
            };
            opened.map_err(|problem| problems.push(problem)).ok()
        };
        let (summary, values) = (open_step(&step.summary, "summary"), open_step(&step.outputs, "output"));
        if !problems.is_empty() {
            return Err(problems);
        }
        let workspace = Workspace::new(step.workspace.as_deref());
        let printer = Printer::start().map_err(|error| {
            vec![Diagnostic::error(Code::System, "cannot start a thread").caused_by(error.to_string())]
        })?;
        Ok(Self {
            files,
            stdout: format,
            summary,
            values,
            left_out: Vec::new(),
            workspace,
            printer,
            printed: 0,
        })
    }

    /// Renders a run in the format of stdout, for text with colors.
    pub fn on_stdout<'a>(&self, rendered: &'a RenderedRun<'_>) -> Cow<'a, str> {
        match self.stdout {
            Format::Github => rendered.document.annotations(&|file| self.workspace.path_of(file)).into(),
            format => rendered.in_format(format),
        }
    }

    /// Prints the next part of the text on stdout, without waiting. Does nothing for other formats, which are
    /// printed at the end.
    pub fn print(&mut self, part: &str) {
        if self.stdout == Format::Text {
            self.printed = self.printed.saturating_add(part.len());
            self.printer.print(part.to_owned());
        }
    }

    /// Prints the problems of a run on stderr, with their tenants if `several`. Prints nothing for text if
    /// stdout and stderr are the same file, because the text on stdout has them already.
    pub fn report_errors(format: Format, problems: &[Problem], several: bool) {
        if Self::reports_on_stderr(format) {
            print_problems(problems, several);
        }
    }

    /// Returns whether [`Self::report_errors`] prints: always, except for text if stdout and stderr are the
    /// same file.
    pub fn reports_on_stderr(format: Format) -> bool {
        format != Format::Text || !terminal::streams_are_the_same()
    }

    /// Waits until everything printed so far was written to stdout. Returns an error of stdout once.
    pub async fn flushed(&self) -> io::Result<()> {
        self.printer.flushed().await
    }

    /// Writes all outputs of a plan, and prints the errors that make it incomplete on stderr.
    ///
    /// # Errors
    /// Lists the outputs that could not be written; the others are written.
    pub async fn emit_plan(self, plan: &Plan, rendered: &RenderedRun<'_>) -> Result<(), Vec<Diagnostic>> {
        self.emit(rendered, &plan.incompleteness_errors(), plan.has_several_tenants()).await
    }

    /// Writes all outputs of drift, and prints the errors that make it incomplete on stderr. `at` is the time of the
    /// run, in RFC 3339.
    ///
    /// # Errors
    /// Lists the outputs that could not be written; the others are written.
    pub async fn emit_drift(self, drift: &Drift, at: &str) -> Result<(), Vec<Diagnostic>> {
        let json = &|| saved::drift::to_json(drift, at);
        let text = render::drift_text(drift);
        let rendered = RenderedRun { text, json, document: Document::Drift(drift), at };
        self.emit(&rendered, &drift.incompleteness_errors(), drift.has_several_tenants()).await
    }

    /// Writes all `--out` and step files, and prints what was not yet printed on stdout, then `problems` on stderr,
    /// with their tenants if `several`.
    ///
    /// # Errors
    /// Lists the outputs that could not be written; the others are written.
    pub async fn emit(
        mut self,
        rendered: &RenderedRun<'_>,
        problems: &[Problem],
        several: bool,
    ) -> Result<(), Vec<Diagnostic>> {
        let format = self.stdout;
        let rest = self.on_stdout(rendered).get(self.printed..).unwrap_or_default().to_owned();
        let mut unwritten = self.write_files(rendered);
        unwritten.extend(self.print_rest(rest, std::future::pending()).await);
        Self::report_errors(format, problems, several);
        if unwritten.is_empty() { Ok(()) } else { Err(unwritten) }
    }

    /// Writes all `--out` and step files. Returns one problem for each that could not be written. Another call writes
    /// the other `--out` files again, and appends nothing.
    pub fn write_files(&mut self, rendered: &RenderedRun<'_>) -> Vec<Diagnostic> {
        let mut unwritten = Vec::new();
        self.files.retain(|(output, format)| match output.write(&rendered.plain(*format)) {
            Ok(()) => true,
            Err(error) => {
                unwritten.push(Diagnostic::error(Code::OutputNotWritable, error.to_string()));
                false
            }
        });
        let summary = self.summary.take();
        let summary = summary.map(|file| file.append_summary(|room| rendered.document.markdown(room)));
        let values = self.values.take().map(|file| file.append_outputs(&rendered.document.github_outputs()));
        for appended in [summary, values].into_iter().flatten() {
            match appended {
                Ok(left_out) => self.left_out.extend(left_out),
                Err(problem) => unwritten.push(problem),
            }
        }
        unwritten
    }

    /// Returns whether a file has the saved form, as far as the files could be written.
    pub fn has_saved_form(&self) -> bool {
        self.files.iter().any(|(_, format)| *format == Format::Json)
    }

    /// Prints `rest` on stdout, and on stderr warnings about what did not fit into the files of the step. Returns the
    /// problem if stdout fails. After `stopped`, waits 2 s at most for a slow reader. Files come first, because stdout
    /// may have no reader.
    pub async fn print_rest(&self, rest: String, stopped: impl Future<Output = ()>) -> Option<Diagnostic> {
        self.printer.print(rest);
        let printed = tokio::select! {
            printed = self.printer.flushed() => printed,
            () = async { stopped.await; tokio::time::sleep(READER_TIMEOUT).await } => Ok(()),
        };
        print_diagnostics(&self.left_out);
        printed.err().map(stdout_error)
    }
}

/// Saves a report whose outputs cannot be written to a new file in the folder for temporary files, and prints its path
/// on stderr. If that fails too, prints the report on stderr.
pub fn rescue_report(json: &str) {
    let text = match atomic_file::write_temporary(("flowbind-report-", ".json"), json) {
        Ok(path) => {
            let path = escape::text(&paths::display(&path)).into_owned();
            format!("\nThe report is in `{path}`: print it with `flowbind show`.\n")
        }
        Err(_) => format!("\nThe report:\n\n{}\n", escape::json(json)),
    };
    terminal::eprint(&text);
}

/// Checks that an output file can be written, and that no link of a repository leads out of it. The file
/// itself is not changed.
pub fn open_file(path: &Path) -> Result<OutputFile, Diagnostic> {
    paths::check_output(path).map_err(|refused| {
        let message = format!("cannot write `{}`", paths::display(path));
        Diagnostic::error(Code::OutputNotWritable, message).caused_by(refused.to_string()).hint(match refused
        {
            PathError::Unreachable(_) => "pass an absolute path in a folder that exists",
            _ => "remove the link, or pass the path that it leads to",
        })
    })?;
    OutputFile::open(path).map_err(|error| {
        Diagnostic::error(Code::OutputNotWritable, error.to_string())
            .hint("pass a path in a folder that can be written to")
    })
}

/// Opens an output file that is not one of `inputs`.
///
/// # Errors
/// The file cannot be written, or is an input of the run.
pub fn open_distinct(path: &Path, inputs: &[&Path]) -> Result<OutputFile, Diagnostic> {
    let output = open_file(path)?;
    check_not_input(path, output.path(), inputs)?;
    Ok(output)
}

/// Checks that an output, which resolves to `real`, is not one of `inputs`.
fn check_not_input(path: &Path, real: &Path, inputs: &[&Path]) -> Result<(), Diagnostic> {
    match inputs.iter().any(|input| is_same(real, input)) {
        true => Err(output_conflict(format!("`{}` is an input of this run", paths::display(path)))),
        false => Ok(()),
    }
}

/// Returns whether two paths are of one file, which may be new.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        atomic_file::resolve_links(path).and_then(std::path::absolute).unwrap_or_else(|_| path.to_owned())
    };
    real(one) == real(other)
}

/// Returns the error of an output that is also an input or another output.
fn output_conflict(message: String) -> Diagnostic {
    let problem = Diagnostic::error(Code::OutputConflict, message);
    problem.hint("give each `--out` a file of its own")
}
