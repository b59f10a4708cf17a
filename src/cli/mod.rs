//! Command line: arguments and environment in, exit code out. One file for each subcommand.
//!
//! Only this module reads the environment. `failure` converts domain errors to diagnostics.

mod apply;
mod approval;
mod completions;
mod connect;
mod drift;
mod environment;
mod export;
mod failure;
mod fleet;
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
mod validate;
mod values;
mod whoami;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::auth::Kind;
use crate::diagnostic::Diagnostic;
use crate::http::Rate;
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

    /// Returns the worst of several codes. An unknown number is an error.
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
#[command(name = "flowbind", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Root of Microsoft Graph with its version [default: from the file's cloud and api]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "sandbox")]
    graph_url: Option<String>,
    /// Use only this kind of credential [default: the first that is configured]
    #[arg(long, global = true, value_name = "KIND", value_parser = values::kind())]
    auth: Option<Kind>,
    /// Also trust the certificate authorities in PEM
    #[arg(long, global = true, value_name = "PEM")]
    ca_file: Option<PathBuf>,
    /// Use an emulated tenant from snapshot FILE (changes are written back). Repeatable
    #[arg(long, global = true, value_name = "FILE")]
    sandbox: Vec<PathBuf>,
    /// Time limit of the run, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value = "600", value_parser = values::seconds)]
    timeout: Duration,
    /// Maximum concurrent requests per tenant
    #[arg(long, global = true, value_name = "N", default_value = "16", value_parser = values::positive)]
    parallelism: std::num::NonZeroU32,
    /// Maximum tenants processed concurrently
    #[arg(long, global = true, value_name = "N", default_value = "64", value_parser = values::positive)]
    tenants_at_once: std::num::NonZeroU32,
    /// Rate limit per tenant: N requests per SECONDS
    #[arg(long, global = true, value_name = "N/SECONDS", default_value = "200/60", value_parser = values::rate)]
    rate: Rate,
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
    /// Validate files offline
    Validate(validate::ValidateArgs),
    /// Compare files with their tenants and print the changes
    Plan(plan::PlanArgs),
    /// Report drift: exit 2 if a tenant differs from its file
    Drift(drift::DriftArgs),
    /// Print saved plans or reports
    Show(show::ShowArgs),
    /// Plan, ask for approval, apply, and verify
    Apply(apply::ApplyArgs),
    /// Write a tenant's current bindings as a desired-state file
    Export(export::ExportArgs),
    /// Show the credential, tenant and permissions in use
    Whoami(whoami::WhoamiArgs),
    /// Serve an emulated tenant on loopback until interrupted
    Sandbox(sandbox::SandboxArgs),
    /// Print a JSON Schema
    Schema(schema::SchemaArgs),
    /// Print shell completions
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands to a folder
    Man(man::ManArgs),
}

/// Runs a command line.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            _ = error.print();
            // clap exits with 2 for usage errors, which means "differs" here.
            let exit = if error.use_stderr() { Exit::Error } else { Exit::Done };
            return ExitCode::from(exit as u8);
        }
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
            report(&failure.diagnostics);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(cli: &Cli) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    let environment = Environment::read()?;
    // One thread suffices, because a run mostly waits for requests.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let ended = runtime.block_on(async {
        match command {
            Command::Validate(args) => validate::run(args, global),
            Command::Plan(args) => plan::run(args, global, &environment).await,
            Command::Drift(args) => drift::run(args, global, &environment).await,
            Command::Show(args) => show::run(args, &environment).await,
            Command::Apply(args) => apply::run(args, global, &environment).await,
            Command::Export(args) => export::run(args, global, &environment).await,
            Command::Whoami(args) => whoami::run(args, global, &environment).await,
            Command::Sandbox(args) => sandbox::run(args).await,
            Command::Schema(args) => schema::run(args),
            Command::Completions(args) => completions::run(args),
            Command::Man(args) => man::run(args),
        }
    });
    // A thread that waits for a terminal or a reader must not delay the exit.
    runtime.shutdown_background();
    ended
}

/// Prints diagnostics on stderr, up to a limit, with a blank line between them.
fn report(diagnostics: &[Diagnostic]) {
    const MAX_DIAGNOSTICS: usize = 500;
    let mut texts: Vec<_> = diagnostics.iter().take(MAX_DIAGNOSTICS).map(render::diagnostic).collect();
    let more = diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
    if more > 0 {
        texts.push(format!("… and {more} more\n"));
    }
    terminal::eprint(&texts.join("\n"));
}

/// Prints the problems of a run on stderr, with their tenants if there are several.
fn report_problems(problems: &[Problem], several: bool) {
    let prefixed = problems.iter().flat_map(|Problem { diagnostic, tenant }| {
        let tenant = tenant.as_deref().unwrap_or_default();
        plan::prefix_with_tenant(tenant, several && !tenant.is_empty(), vec![diagnostic.clone()])
    });
    report(&prefixed.collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_examples_parse() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<_> = help.lines().filter_map(|line| line.strip_prefix("  flowbind ")).collect();
            assert!(!examples.is_empty(), "{}", command.get_name());
            for example in examples {
                // The rest belongs to the shell.
                let arguments = example.split(" > ").next().unwrap_or_default().split(' ');
                let parsed = Cli::try_parse_from(std::iter::once("flowbind").chain(arguments));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }
}
