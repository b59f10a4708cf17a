//! The command line: arguments and environment in, exit code out. One file for each subcommand.
//!
//! The only module that reads the environment, and the one place where a domain error becomes a
//! message (`failure`).

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
use crate::{render, terminal};
use environment::Environment;
use failure::Failure;

/// What a run ends with; part of the contract with pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Done, or nothing differs.
    Done = 0,
    /// Bad input or usage, or something could not be read.
    Error = 1,
    /// Something differs. No failure uses this number.
    Differs = 2,
    /// Refused; nothing was written.
    Refused = 3,
    /// At least one PUT was sent, and not all is done.
    Incomplete = 4,
    /// Stopped by SIGINT, after what was in flight.
    Interrupted = 130,
    /// Stopped by SIGTERM, after what was in flight.
    Terminated = 143,
}

impl Exit {
    /// All codes, worst first: what a run over several ends with is the first that any has.
    const ALL: [Self; 7] = [
        Self::Interrupted,
        Self::Terminated,
        Self::Incomplete,
        Self::Error,
        Self::Refused,
        Self::Differs,
        Self::Done,
    ];

    /// The worst of several codes, as numbers. A number that is none of ours is an error.
    fn worst(codes: impl Iterator<Item = u8> + Clone) -> Self {
        let known = |code: u8| Self::ALL.iter().any(|exit| *exit as u8 == code);
        if codes.clone().any(|code| !known(code)) {
            return Self::Error;
        }
        let worst = Self::ALL.into_iter().find(|exit| codes.clone().any(|code| code == *exit as u8));
        worst.unwrap_or(Self::Done)
    }
}

/// Keep the API connectors of Microsoft Graph user flows as YAML in git
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
    /// Root of Microsoft Graph with its version [default: by the file's cloud and api]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "sandbox")]
    graph_url: Option<String>,
    /// Sign in with this kind of credential alone [default: the first that is set up]
    #[arg(long, global = true, value_name = "KIND", value_parser = values::kind())]
    auth: Option<Kind>,
    /// Trust the certificate authorities in this PEM file besides the system's
    #[arg(long, global = true, value_name = "PEM")]
    ca_file: Option<PathBuf>,
    /// Run against an emulated tenant, loaded from and kept in this snapshot; once for each tenant
    #[arg(long, global = true, value_name = "FILE")]
    sandbox: Vec<PathBuf>,
    /// Seconds that the whole run may take
    #[arg(long, global = true, value_name = "SECONDS", default_value = "600", value_parser = values::seconds)]
    timeout: Duration,
    /// Requests in flight per tenant
    #[arg(long, global = true, value_name = "N", default_value = "16", value_parser = values::positive)]
    parallelism: std::num::NonZeroU32,
    /// Tenants that a run works on at once
    #[arg(long, global = true, value_name = "N", default_value = "64", value_parser = values::positive)]
    tenants_at_once: std::num::NonZeroU32,
    /// Request budget per tenant: so many in so many seconds
    #[arg(long, global = true, value_name = "N/SECONDS", default_value = "200/60", value_parser = values::rate)]
    rate: Rate,
    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Log to stderr what is asked and answered; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Show errors only on stderr
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
    /// Check files alone: no network, no credentials
    Validate(validate::ValidateArgs),
    /// Compare files with their tenants and print what would change
    Plan(plan::PlanArgs),
    /// Tell by the exit code whether tenants are what their files say
    Drift(drift::DriftArgs),
    /// Print saved plans or reports again
    Show(show::ShowArgs),
    /// Make the changes of files: plan, ask, PUT, read back
    Apply(apply::ApplyArgs),
    /// Print what a tenant has as a file to begin with
    Export(export::ExportArgs),
    /// Tell which credential, tenant and permissions a run would use, and for which commands they do
    Whoami(whoami::WhoamiArgs),
    /// Serve an emulated tenant on loopback until stopped
    Sandbox(sandbox::SandboxArgs),
    /// Print a JSON Schema
    Schema(schema::SchemaArgs),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder
    Man(man::ManArgs),
}

/// Runs a command line to its end.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when this cannot be printed.
            _ = error.print();
            // clap's own code for usage errors means "something differs" here.
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
    // One thread does: a run waits for its requests and little else.
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
    // A thread that still waits for a terminal or a reader must not hold the process.
    runtime.shutdown_background();
    ended
}

/// Writes diagnostics to stderr, a blank line between them: as many as somebody may read.
fn report(diagnostics: &[Diagnostic]) {
    const MOST: usize = 500;
    let mut texts: Vec<_> = diagnostics.iter().take(MOST).map(render::diagnostic).collect();
    let more = diagnostics.len().saturating_sub(MOST);
    if more > 0 {
        texts.push(format!("… and {more} more\n"));
    }
    terminal::eprint(&texts.join("\n"));
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example_and_every_example_is_a_command() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples: Vec<_> = help.lines().filter_map(|line| line.strip_prefix("  flowbind ")).collect();
            assert!(!examples.is_empty(), "{}", command.get_name());
            for example in examples {
                // What stands behind belongs to the shell.
                let words = example.split(" > ").next().unwrap_or_default().split(' ');
                let parsed = Cli::try_parse_from(std::iter::once("flowbind").chain(words));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }
}
