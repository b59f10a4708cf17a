//! The `flowbind` command. Everything it does is in the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowbind::cli::main(std::env::args_os())
}
