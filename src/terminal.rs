//! The two streams of a terminal: data goes to stdout, everything else to stderr.
//!
//! The only module that prints. Styles are stripped where they are not wanted, and a reader that
//! closed the pipe has seen enough: that is no error.

use std::io::{self, ErrorKind, IsTerminal as _, Write};

pub use anstream::ColorChoice;

/// Says when to colour, for both streams.
pub fn set_color(choice: ColorChoice) {
    choice.write_global();
}

/// Whether data goes to a person.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether there is somebody who can be asked: who reads stderr and writes stdin.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Writes data to stdout.
///
/// # Errors
/// Any failure to write but a closed pipe.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    closed_pipe_is_fine(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Writes a message to stderr. There is nobody to tell when that fails.
pub fn message(text: &str) {
    let stderr = anstream::stderr();
    // In one piece where it may meet stdout in a log: the stripping stream writes word by word.
    _ = match stderr.current_choice() {
        ColorChoice::Never => {
            let plain = anstream::adapter::strip_str(text).to_string();
            io::stderr().lock().write_all(plain.as_bytes())
        }
        _ => stderr.lock().write_all(text.as_bytes()),
    };
}

fn closed_pipe_is_fine(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
