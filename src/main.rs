//! The `flowbind` command. Apart from the patterns of Windows, everything it does is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os();
    #[cfg(windows)]
    let arguments = arguments.flat_map(expand_pattern);
    flowbind::cli::main(arguments)
}

/// Returns the files that an argument such as `tenants/*.yaml` matches, as a POSIX shell does, otherwise the argument.
/// The shells of Windows do not expand patterns, and no name of a file there has `*` or `?`.
#[cfg(windows)]
fn expand_pattern(argument: std::ffi::OsString) -> Vec<std::ffi::OsString> {
    let options = glob::MatchOptions {
        case_sensitive: false,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::default()
    };
    let pattern = argument.to_str().filter(|text| text.contains(['*', '?']));
    let matches = pattern.and_then(|pattern| glob::glob_with(&pattern.replace('[', "[[]"), options).ok());
    let files: Vec<_> = matches.into_iter().flatten().flatten().map(Into::into).collect();
    if files.is_empty() { vec![argument] } else { files }
}
