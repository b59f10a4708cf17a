//! `man`: manual pages, made from what `--help` says.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::failure::Failure;
use super::{Cli, Exit};
use crate::terminal;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowbind man /usr/local/share/man/man1\n  flowbind man > flowbind.1")]
pub(super) struct ManArgs {
    /// Folder for the page of each command; without it stdout gets the page of flowbind itself
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> Result<Exit, Failure> {
    // The pages of `help` would say the same again.
    let command = Cli::command().disable_help_subcommand(true);
    match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).context("cannot make the manual page")?;
            terminal::print(&String::from_utf8_lossy(&page)).context("cannot write to stdout")?;
        }
        Some(dir) => {
            let shown = dir.display();
            fs::create_dir_all(dir).with_context(|| format!("cannot make the folder `{shown}`"))?;
            clap_mangen::generate_to(command, dir)
                .with_context(|| format!("cannot write manual pages into `{shown}`"))?;
        }
    }
    Ok(Exit::Done)
}
