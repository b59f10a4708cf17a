//! `man`: prints or writes the manual pages, which have the texts of `--help`.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::exit::Exit;
use super::help::{self, Entry, Help, NAME};
use super::outputs;
use crate::run::CommandError;
use crate::{saved, terminal};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder for the pages of all commands; without it, the page of flowbind goes to stdout
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, command: clap::Command) -> Result<Exit, CommandError> {
    let mut command = command.disable_help_subcommand(true);
    // Sets the usage and the full name of each command.
    command.build();
    match &args.dir {
        None => {
            let page = page(&command, &command).context("cannot create the manual page")?;
            terminal::print(&page).map_err(outputs::stdout_error)?;
        }
        Some(dir) => {
            let shown = dir.display();
            fs::create_dir_all(dir).map_err(|error| outputs::folder_error(dir, &error))?;
            for page_of in [&command].into_iter().chain(command.get_subcommands()) {
                let path = dir.join(format!("{}.1", name(page_of)));
                let write = || saved::write(&path, &page(page_of, &command)?);
                write().map_err(|error| {
                    outputs::not_writable(format!("cannot write manual pages to `{shown}`"), &error)
                })?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Returns the name of a command's page, such as `flowbind-apply`.
fn name(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Returns the manual page of a command, in roff. `all` is the command line that it is part of.
fn page(command: &clap::Command, all: &clap::Command) -> io::Result<String> {
    let Help { examples, notes, exit_codes, environment, files } = help::find_help(command.get_name());
    let mut page = Vec::new();
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    // clap_mangen leaves out the help of options that `-h` hides.
    let full = command.clone().mut_args(|arg| arg.hide_short_help(false));
    // The date is empty, so that equal versions write equal pages. Only a quoted empty argument keeps its position.
    let man = Man::new(full).title(name(command)).date("\"\"").source(source).manual("flowbind manual");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut roff = Roff::new();
    let usage = command.clone().render_usage().to_string();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman(usage.trim_start_matches("Usage: "))]);
    roff.to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut roff = Roff::new();
    for note in notes {
        roff.control("PP", []);
        roff.text([roman(*note)]);
    }
    roff.to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    let subcommands: Vec<_> = command.get_subcommands().collect();
    if !subcommands.is_empty() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    let exit_codes = exit_codes.iter().map(|(exit, meaning)| (format!("{}", *exit as u8), *meaning));
    list(&mut roff, "EXIT STATUS", exit_codes);
    list(&mut roff, "ENVIRONMENT", entries(environment));
    list(&mut roff, "FILES", entries(files));
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        for example in examples {
            roff.control("PP", []);
            roff.control("nf", []);
            roff.text([bold(format!("{NAME} {example}"))]);
            roff.control("fi", []);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text(see_also(command, all));
    roff.to_writer(&mut page)?;
    String::from_utf8(page).map_err(io::Error::other)
}

fn entries(entries: &[Entry]) -> impl Iterator<Item = (String, &'static str)> {
    entries.iter().map(|(name, meaning)| ((*name).to_owned(), *meaning))
}

/// Adds a section with a list of names and their meanings; adds nothing if there are no entries.
fn list(roff: &mut Roff, title: &str, entries: impl Iterator<Item = (String, &'static str)>) {
    let entries: Vec<_> = entries.collect();
    if entries.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for (name, meaning) in entries {
        roff.control("TP", []);
        roff.text([bold(name)]);
        roff.text([roman(meaning)]);
    }
}

/// Returns references to the pages of the other commands.
fn see_also(command: &clap::Command, all: &clap::Command) -> Vec<Inline> {
    let names = all.get_subcommands().map(|other| format!("{NAME}-{}", other.get_name()));
    let others: Vec<_> =
        std::iter::once(NAME.to_owned()).chain(names).filter(|other| other != name(command)).collect();
    let last = others.len().saturating_sub(1);
    let reference =
        |(at, other): (usize, String)| [italic(other), roman(if at == last { "(1)" } else { "(1), " })];
    others.into_iter().enumerate().flat_map(reference).collect()
}
