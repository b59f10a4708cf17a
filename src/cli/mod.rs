//! Command line: arguments and environment in, text and exit codes out. One file for each subcommand.
//!
//! Only this module reads the environment. `signals` runs a command, and `main` ends the process.

mod accept;
mod apply;
mod approval;
mod compare;
mod completions;
mod drift;
mod environment;
mod explain;
mod export;
mod man;
mod options;
mod plan;
mod progress;
mod sandbox;
mod schema;
mod show;
mod usage;
mod validate;
mod values;
mod whoami;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing::Level;

use crate::diagnostic::{Code, Diagnostic};
use crate::exit::Exit;
use crate::manual;
use crate::output::{self, print_diagnostics};
use crate::run::CommandError;
use crate::signals::{self, Signals};
use crate::terminal;
use environment::Environment;
use options::{Color, Global};

/// Manage API connector bindings of Microsoft Graph user flows from YAML
#[derive(Debug, Parser)]
#[command(
    name = "flowbind",
    // Otherwise the usage has the name of the file, which ends with `.exe` on Windows.
    bin_name = "flowbind",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = manual::MAX_WIDTH
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a tenant's current bindings as a desired-state file
    Export(export::ExportArgs),
    /// Validate files offline
    Validate(validate::ValidateArgs),
    /// Compare files with their tenants and print the changes
    Plan(plan::PlanArgs),
    /// Plan, ask for approval, apply, and verify
    Apply(apply::ApplyArgs),
    /// Report drift: exit 2 if a tenant differs from its file
    Drift(drift::DriftArgs),
    /// Accept drift: change the files so that they have the values of the tenant
    Accept(accept::AcceptArgs),
    /// Compare two files or snapshots offline
    Compare(compare::CompareArgs),
    /// Print saved plans, drift or reports
    Show(show::ShowArgs),
    /// Show the credential, tenant and permissions in use
    Whoami(whoami::WhoamiArgs),
    /// Explain the id of an error, a warning or a blocker
    Explain(explain::ExplainArgs),
    /// Serve an emulated tenant on loopback until interrupted
    Sandbox(sandbox::SandboxArgs),
    /// Print a JSON Schema
    Schema(schema::SchemaArgs),
    /// Print shell completions
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands to DIR
    Man(man::ManArgs),
}

/// Parses a command line, sets the color, starts logging and runs the command. Prints errors on stderr and
/// returns the exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    // Before anything is read: without stdout, the output of every command would be lost.
    if let Err(error) = terminal::check_stdout() {
        print_diagnostics(&[output::stdout_error(error)]);
        return ExitCode::from(Exit::Error as u8);
    }
    let arguments: Vec<_> = arguments.collect();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(exit) => return ExitCode::from(exit as u8),
    };
    terminal::set_color(match cli.global.color {
        Color::Auto => terminal::ColorChoice::Auto,
        Color::Always => terminal::ColorChoice::Always,
        Color::Never => terminal::ColorChoice::Never,
    });
    output::log_to_stderr(match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, _) => Level::DEBUG,
    });
    #[cfg(unix)]
    raise_open_file_limit();
    let ended = signals::run(move |signals| run(&cli, signals));
    let exit = match ended.map_err(CommandError::from) {
        Ok(Ok(Ok(exit)) | Err(exit)) => exit,
        Ok(Ok(Err(error))) | Err(error) => {
            print_diagnostics(&error.diagnostics);
            error.kind.into()
        }
    };
    ExitCode::from(exit as u8)
}

/// Raises the limit of open files as far as it is allowed. Each tenant needs several, and the default of macOS is 256.
/// Without it, a small run succeeds as well.
#[cfg(unix)]
fn raise_open_file_limit() {
    use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    if let Ok((current, allowed)) = getrlimit(RLIMIT_NOFILE) {
        // macOS accepts no more than `OPEN_MAX`, which is 10240.
        _ = setrlimit(RLIMIT_NOFILE, allowed.min(10_240).max(current), allowed);
    }
}

/// Parses a command line. Prints help, the version or a usage error, and returns the exit code for it.
fn parse(arguments: &[OsString]) -> Result<Cli, Exit> {
    if let Some(problem) = usage::single_dash_option(&command_line(), arguments) {
        print_diagnostics(&[problem]);
        return Err(Exit::Error);
    }
    let matches = command_line().try_get_matches_from(arguments);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(usage::print)
}

/// Runs a command. Offline commands read no environment, so that no variable can make them fail.
fn run(cli: &Cli, signals: &Signals) -> Result<Exit, CommandError> {
    let Cli { global, command } = cli;
    match command {
        Command::Export(args) => block_on(export::run(args, global, &Environment::read()?)),
        Command::Validate(args) => validate::run(args, global),
        Command::Plan(args) => block_on(plan::run(args, global, &Environment::read()?)),
        Command::Apply(args) => block_on(apply::run(args, global, &Environment::read()?, signals)),
        Command::Accept(args) => block_on(accept::run(args, global, &Environment::read()?)),
        Command::Drift(args) => block_on(drift::run(args, global, &Environment::read()?)),
        Command::Compare(args) => block_on(compare::run(args)),
        Command::Show(args) => block_on(show::run(args, &Environment::read()?)),
        Command::Whoami(args) => block_on(whoami::run(args, global, &Environment::read()?)),
        Command::Explain(args) => explain::run(args),
        Command::Sandbox(args) => block_on(sandbox::run(args, signals)),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args, command_line()),
        Command::Man(args) => man::run(args, command_line()),
    }
}

/// Runs an asynchronous command on a new runtime with one thread. Returns its result without waiting for
/// other threads; a runtime that cannot be started is an error.
fn block_on(command: impl Future<Output = Result<Exit, CommandError>>) -> Result<Exit, CommandError> {
    // One thread suffices, because a run mostly waits for requests.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let ended = runtime.block_on(command);
    // A thread that waits for a terminal or a reader must not delay the exit.
    runtime.shutdown_background();
    ended
}

/// Returns the definition of the command line, with all help texts.
fn command_line() -> clap::Command {
    manual::decorate(Cli::command())
}

/// Converts an error of the operating system: the outermost context becomes the message, the chain the causes.
impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        let problem = Diagnostic::error(Code::System, error.to_string());
        error.chain().skip(1).fold(problem, |problem, cause| problem.caused_by(cause.to_string())).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::{Help, find_help};

    #[test]
    fn command_line_definition_is_valid() {
        command_line().debug_assert();
    }

    #[test]
    fn command_examples_parse() {
        for command in command_line().get_subcommands() {
            let Help { examples, exit_codes, .. } = find_help(command.get_name());
            assert!(!examples.is_empty() && !exit_codes.is_empty(), "{}", command.get_name());
            for example in examples {
                // The rest belongs to the shell.
                let arguments = example.split(" > ").next().unwrap_or_default().split(' ');
                let parsed = Cli::try_parse_from(["flowbind"].into_iter().chain(arguments));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }
}
