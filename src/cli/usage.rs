//! Errors of the command line.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::diagnostic::{Code, Diagnostic};
use crate::exit::Exit;
use crate::output::{self, print_diagnostics};
use crate::terminal;

/// Prints what clap returned in place of arguments: help or the version on stdout, or a usage error on stderr.
/// Returns the exit code. clap's own code for usage errors is 2, which means "differs" here.
pub(super) fn print(mut error: clap::Error) -> Exit {
    if !error.use_stderr() {
        return match terminal::print(&error.render().ansi().to_string()) {
            Ok(()) => Exit::Done,
            Err(failed) => {
                print_diagnostics(&[output::stdout_error(failed)]);
                Exit::Error
            }
        };
    }
    remove_tips(&mut error);
    let text = error.render().ansi().to_string();
    terminal::eprint(&match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => text,
        _ => text.replacen("error:", &format!("error[{}]:", Code::Usage), 1),
    });
    Exit::Error
}

/// Removes the tips to pass an unknown option as a value: no value of a command looks like an option.
fn remove_tips(error: &mut clap::Error) {
    let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) else { return };
    tips.retain(|tip| !tip.to_string().contains("' as a value, use '"));
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
}

/// Returns the error of the first long option with a single dash, as Terraform spells it; `None` if there is
/// none. clap would parse `-out=FILE` as the short option `-o` with the value `ut=FILE`.
pub(super) fn single_dash_option(command: &clap::Command, arguments: &[OsString]) -> Option<Diagnostic> {
    let options = command.get_subcommands().flat_map(|command| command.get_arguments());
    let names: Vec<_> = options.filter_map(|option| option.get_long()).collect();
    let options = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    for option in options.take_while(|option| *option != "--") {
        let Some(text) = option.strip_prefix('-').filter(|text| !text.starts_with('-')) else { continue };
        let name = text.split('=').next().unwrap_or_default();
        let hint = if name == "auto-approve" {
            "use `--yes`".to_owned()
        } else if names.contains(&name) {
            format!("use `--{name}`, with two dashes")
        } else {
            continue;
        };
        return Some(Diagnostic::error(Code::Usage, format!("unknown option `-{name}`")).hint(hint));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_dash_option_is_found() {
        let hint = |arguments: &[&str]| {
            let arguments: Vec<_> = ["flowbind"].iter().chain(arguments).map(OsString::from).collect();
            single_dash_option(&crate::cli::command_line(), &arguments)
                .map(|problem| problem.hints.join("; "))
        };
        let two_dashes = Some("use `--out`, with two dashes".to_owned());
        assert_eq!(hint(&["plan", "-out=plan.json"]), two_dashes);
        assert_eq!(hint(&["plan", "-out", "plan.json"]), two_dashes);
        assert_eq!(hint(&["apply", "-auto-approve"]), Some("use `--yes`".to_owned()));
        for right in [&["plan", "-o", "plan.json"][..], &["apply", "-yvv"], &["plan", "--", "-out"], &["-h"]]
        {
            assert_eq!(hint(right), None, "{right:?}");
        }
    }
}
