//! Manual pages, with the texts of `--help`.

use std::io;

use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::help::{self, Entry, Help, NAME};

/// Returns the name of a command's page, such as `flowbind-apply`.
pub fn page_name(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Returns the manual page of a command, in roff. `all` is the command line that it is part of; `date` has the form
/// `YYYY-MM-DD`.
pub fn page(command: &clap::Command, all: &clap::Command, date: &str) -> io::Result<String> {
    let Help { examples, notes, exit_codes, environment, files } = help::find_help(command.get_name());
    let mut page = Vec::new();
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    // clap_mangen leaves out the help of options that `-h` hides.
    let full = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let man = Man::new(full).title(page_name(command)).date(date).source(source).manual("flowbind manual");
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
        roff.control("nf", []);
        for example in examples {
            roff.text([bold(format!("{NAME} {example}"))]);
        }
        roff.control("fi", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text(see_also(command, all));
    roff.to_writer(&mut page)?;
    let page = String::from_utf8(page).map_err(io::Error::other)?;
    // mandoc rejects the line breaks that clap_mangen writes around the blank line before possible values.
    Ok(page.replace(".br\n\n.br\n", ".sp\n"))
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
        std::iter::once(NAME.to_owned()).chain(names).filter(|other| other != page_name(command)).collect();
    let last = others.len().saturating_sub(1);
    let reference =
        |(at, other): (usize, String)| [italic(other), roman(if at == last { "(1)" } else { "(1), " })];
    others.into_iter().enumerate().flat_map(reference).collect()
}
