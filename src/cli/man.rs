//! `man`: prints or writes the manual pages, which have the texts of `--help`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::environment::Environment;
use crate::atomic_file;
use crate::exit::Exit;
use crate::manual::{page, page_name};
use crate::output;
use crate::paths;
use crate::run::CommandError;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder for the pages of all commands; without it, the page of flowbind goes to stdout
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, command: clap::Command) -> Result<Exit, CommandError> {
    let date = Environment::read_now()?.strftime("%F").to_string();
    let mut command = command.disable_help_subcommand(true);
    // Sets the usage and the full name of each command.
    command.build();
    match &args.dir {
        None => {
            let page = page(&command, &command, &date).context("cannot create the manual page")?;
            terminal::print(&page).map_err(output::stdout_error)?;
        }
        Some(dir) => {
            let shown = paths::display(dir);
            fs::create_dir_all(dir).map_err(|error| output::folder_error(dir, &error))?;
            for page_of in [&command].into_iter().chain(command.get_subcommands()) {
                let path = dir.join(format!("{}.1", page_name(page_of)));
                let write = || atomic_file::write(&path, &page(page_of, &command, &date)?);
                write().map_err(|error| {
                    output::not_writable(format!("cannot write manual pages to `{shown}`"), &error)
                })?;
            }
        }
    }
    Ok(Exit::Done)
}
