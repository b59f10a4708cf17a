//! `accept`: changes the files so that they have the values of their tenants. Writes nothing to the tenants.

use clap::Args;

use super::environment::Environment;
use super::options::{ConnectionArgs, FilesArgs, Global};
use super::progress::ProgressLine;
use crate::diagnostic::Severity;
use crate::exit::Exit;
use crate::http::never_stopped;
use crate::model::Only;
use crate::output::{self, print_diagnostics, print_problems};
use crate::plan::{DEFAULT_CERTIFICATE_DAYS, PlanTime};
use crate::run::{AcceptRequest, AcceptedFile, AcceptedRun, CommandError, Run, accept_drift};
use crate::{render, terminal};

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
    let run = Run::start(args.connection.run_options(environment), never_stopped())?;
    let time = PlanTime::new(environment.now(), DEFAULT_CERTIFICATE_DAYS);
    let request = AcceptRequest { strict: args.strict, only: args.only.clone(), time };
    let accepted = accept_drift(&run, &args.files.files, &request);
    let AcceptedRun { files, problems } = ProgressLine::new(global).show_while(&run, accepted).await;
    let diffs: String = files.iter().map(|it| render::file_diff(&it.name, &it.old, &it.new)).collect();
    terminal::print(&diffs).map_err(output::stdout_error)?;
    print_problems(&problems, true);
    let unwritten: Vec<_> = match args.write {
        true => files.iter().filter_map(|file| file.write().err()).collect(),
        false => Vec::new(),
    };
    print_diagnostics(&unwritten);
    if !global.quiet {
        terminal::eprint(&summary(&files, args.write && unwritten.is_empty()));
    }
    let has_errors = problems.iter().any(|problem| problem.diagnostic.severity == Severity::Error);
    Ok(if has_errors || !unwritten.is_empty() {
        Exit::Error
    } else if args.write || files.is_empty() {
        Exit::Done
    } else {
        Exit::Differs
    })
}

/// Returns the number of accepted differences, or of those that can be accepted, and how.
fn summary(files: &[AcceptedFile], is_written: bool) -> String {
    let differences = files.iter().map(|file| file.count).sum();
    let differences = render::pluralize(differences, "difference", "differences");
    let number = render::pluralize(files.len(), "file", "files");
    match files {
        [] => "Nothing to accept.\n".to_owned(),
        _ if is_written => format!("Accepted {differences} in {number}.\n"),
        _ => format!("{differences} can be accepted in {number}: add `--write`.\n"),
    }
}
