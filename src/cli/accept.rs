//! `accept`: changes the files so that they have the values of their tenants. Writes nothing to the tenants.

use clap::Args;

use super::environment::Environment;
use super::options::{ConnectionArgs, FilesArgs, Global};
use super::progress::ProgressLine;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::exit::Exit;
use crate::http::never_stopped;
use crate::model::Only;
use crate::output::{self, print_diagnostics, print_problems};
use crate::plan::{DEFAULT_CERTIFICATE_DAYS, PlanTime};
use crate::run::{AcceptRequest, AcceptedFile, AcceptedRun, CommandError, Run, accept_drift};
use crate::{paths, render, terminal};

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Accept only this flow, or this binding. Repeatable
    #[arg(long, value_name = "FLOW[/STEP]")]
    only: Vec<Only>,
    /// Read all flows and steps of the tenant, and add bindings that are not in the file
    #[arg(long)]
    strict: bool,
    /// Write the files; without it, only print the changes
    #[arg(long)]
    write: bool,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(
    args: &AcceptArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, CommandError> {
    if args.files.files.iter().any(|file| paths::is_stdin(file)) {
        let message = "`accept` changes files, and stdin is not a file";
        return Err(Diagnostic::error(Code::Usage, message).hint("name the files to change").into());
    }
    let run = Run::start(args.connection.run_options(environment), never_stopped())?;
    let time = PlanTime::new(environment.now(), DEFAULT_CERTIFICATE_DAYS);
    let request = AcceptRequest { strict: args.strict, only: args.only.clone(), time };
    let accepted = accept_drift(&run, &args.files.files, &request);
    let accepted = ProgressLine::new(global).show_while(&run, accepted).await;
    let AcceptedRun { files, problems, .. } = &accepted;
    let diffs: String = files.iter().map(|it| render::file_diff(&it.name, &it.old, &it.new)).collect();
    terminal::print(&diffs).map_err(output::stdout_error)?;
    print_problems(problems, true);
    let (mut written, mut unwritten) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|_| args.write) {
        match file.write() {
            Ok(()) => written.push(file),
            Err(problem) => unwritten.push(problem),
        }
    }
    print_diagnostics(&unwritten);
    let has_errors = !unwritten.is_empty()
        || problems.iter().any(|problem| problem.diagnostic.severity == Severity::Error);
    if !global.quiet {
        let written = args.write.then_some(&*written);
        terminal::eprint(&summary(&accepted, written, has_errors));
    }
    Ok(if has_errors {
        Exit::Error
    } else if args.write || files.is_empty() {
        Exit::Done
    } else {
        Exit::Differs
    })
}

/// Returns the number of differences that were accepted, if files were to be written, or that can be accepted, and the
/// number of those that no edit of a file removes.
fn summary(accepted: &AcceptedRun, written: Option<&[&AcceptedFile]>, has_errors: bool) -> String {
    let all: Vec<_> = accepted.files.iter().collect();
    let files = written.unwrap_or(&all);
    let differences = files.iter().map(|file| file.count).sum();
    let differences = render::pluralize(differences, "difference", "differences");
    let number = render::pluralize(files.len(), "file", "files");
    let mut text = match (files, written) {
        // The errors are the reason.
        ([], _) if has_errors => String::new(),
        ([], _) => "Nothing to accept.\n".to_owned(),
        (_, Some(_)) => format!("Accepted {differences} in {number}.\n"),
        (_, None) => format!("{differences} can be accepted in {number}: add `--write`.\n"),
    };
    if accepted.unacceptable > 0 {
        let others = render::pluralize(accepted.unacceptable, "difference", "differences");
        text.push_str(&format!("{others} cannot be accepted: `flowbind drift` prints what to do.\n"));
    }
    text
}
