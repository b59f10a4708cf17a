//! `completions`: prints the script with which a shell completes commands, options and values.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::exit::Exit;
use crate::output;
use crate::run::CommandError;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell to print the completions of
    shell: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
}

pub(super) fn run(args: &CompletionsArgs, mut command: clap::Command) -> Result<Exit, CommandError> {
    let shell = match args.shell {
        Name::Bash => Shell::Bash,
        Name::Zsh => Shell::Zsh,
        Name::Fish => Shell::Fish,
        Name::PowerShell => Shell::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, env!("CARGO_PKG_NAME"), &mut script);
    let script = String::from_utf8_lossy(&script);
    terminal::print(&script).map_err(output::stdout_error)?;
    Ok(Exit::Done)
}
