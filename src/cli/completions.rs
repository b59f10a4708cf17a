//! `completions`: what a shell needs to complete commands, options and their values.

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use super::failure::Failure;
use super::{Cli, Exit};
use crate::terminal;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowbind completions bash > /etc/bash_completion.d/flowbind\n  \
    flowbind completions zsh > ~/.zfunc/_flowbind\n  \
    flowbind completions fish > ~/.config/fish/completions/flowbind.fish\n  \
    flowbind completions powershell > flowbind.ps1")]
pub(super) struct CompletionsArgs {
    /// The shell
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

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let shell = match args.shell {
        Name::Bash => Shell::Bash,
        Name::Zsh => Shell::Zsh,
        Name::Fish => Shell::Fish,
        Name::PowerShell => Shell::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    let script = String::from_utf8_lossy(&script);
    terminal::print(&script).context("cannot write to stdout")?;
    Ok(Exit::Done)
}
