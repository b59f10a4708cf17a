//! Command line: arguments and environment in, exit code out. One file for each subcommand.
//!
//! Only this module reads the environment. `failure` converts domain errors to diagnostics.

mod apply;
mod approval;
mod completions;
mod connect;
mod drift;
mod environment;
mod explain;
mod export;
mod failure;
mod fleet;
mod help;
mod input;
mod log;
mod man;
mod outputs;
mod plan;
mod progress;
mod sandbox;
mod sandboxes;
mod saved;
mod schema;
mod show;
mod signals;
mod tenant;
mod usage;
mod validate;
mod values;
mod whoami;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{ArgAction, Args, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::diagnostic::Diagnostic;
use crate::plan::Problem;
use crate::{render, terminal};
use environment::Environment;
use failure::Failure;

/// Exit code; part of the contract with pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Done, or no difference.
    Done = 0,
    /// Invalid input or usage, or something could not be read.
    Error = 1,
    /// Something differs. No error uses this code.
    Differs = 2,
    /// Blocked; nothing was written.
    Refused = 3,
    /// At least one PUT was sent, and not every change is done.
    Incomplete = 4,
    /// Interrupted by SIGINT, after the requests in flight.
    Interrupted = 130,
    /// Terminated by SIGTERM, after the requests in flight.
    Terminated = 143,
}

impl Exit {
    /// All codes, worst first: a run over several tenants ends with the first that any of them has.
    const ALL: [Self; 7] = [
        Self::Interrupted,
        Self::Terminated,
        Self::Incomplete,
        Self::Error,
        Self::Refused,
        Self::Differs,
        Self::Done,
    ];

    /// Returns the worst of several codes by the order of [`Exit::ALL`]; `Done` if there are none. If any
    /// code is unknown, returns `Error`.
    fn worst(codes: impl Iterator<Item = u8> + Clone) -> Self {
        let known = |code: u8| Self::ALL.iter().any(|exit| *exit as u8 == code);
        if codes.clone().any(|code| !known(code)) {
            return Self::Error;
        }
        let worst = Self::ALL.into_iter().find(|exit| codes.clone().any(|code| code == *exit as u8));
        worst.unwrap_or(Self::Done)
    }
}

/// Manage API connector bindings of Microsoft Graph user flows from YAML
#[derive(Debug, Parser)]
#[command(
    name = "flowbind",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// When to color the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Log to stderr (-vv for every request)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Only print errors to stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
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
    /// Print saved plans or reports
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
    log::to_stderr(&cli.global);
    match run(&cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            print_diagnostics(&failure.diagnostics);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Parses a command line. Prints help, the version or a usage error, and returns the exit code for it.
fn parse(arguments: &[OsString]) -> Result<Cli, Exit> {
    if let Some(problem) = usage::single_dash_option(arguments) {
        print_diagnostics(&[problem]);
        return Err(Exit::Error);
    }
    let matches = help::command().try_get_matches_from(arguments);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(usage::print)
}

/// Runs a command. Offline commands read no environment, so that no variable can make them fail.
fn run(cli: &Cli) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Export(args) => block_on(export::run(args, global, &Environment::read()?)),
        Command::Validate(args) => validate::run(args, global),
        Command::Plan(args) => block_on(plan::run(args, global, &Environment::read()?)),
        Command::Apply(args) => block_on(apply::run(args, global, &Environment::read()?)),
        Command::Drift(args) => block_on(drift::run(args, global, &Environment::read()?)),
        Command::Show(args) => block_on(show::run(args, &Environment::read()?)),
        Command::Whoami(args) => block_on(whoami::run(args, global, &Environment::read()?)),
        Command::Explain(args) => explain::run(args),
        Command::Sandbox(args) => block_on(sandbox::run(args)),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Runs an asynchronous command on a new runtime with one thread. Returns its result without waiting for
/// other threads; a runtime that cannot be started is an error.
fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
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

/// Prints diagnostics on stderr with a blank line between them. Beyond 500, only the number of the others is
/// printed.
fn print_diagnostics(diagnostics: &[Diagnostic]) {
    const MAX_DIAGNOSTICS: usize = 500;
    let mut texts: Vec<_> = diagnostics.iter().take(MAX_DIAGNOSTICS).map(render::diagnostic).collect();
    let more = diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
    if more > 0 {
        texts.push(format!("… and {more} more\n"));
    }
    terminal::eprint(&texts.join("\n"));
}

/// Prints the problems of a run on stderr. If there are `several` tenants, the message of each problem of a
/// tenant begins with the tenant.
fn print_problems(problems: &[Problem], several: bool) {
    let prefixed = problems.iter().flat_map(|Problem { diagnostic, tenant }| {
        let tenant = tenant.as_deref().unwrap_or_default();
        plan::prefix_with_tenant(tenant, several && !tenant.is_empty(), vec![diagnostic.clone()])
    });
    print_diagnostics(&prefixed.collect::<Vec<_>>());
}
