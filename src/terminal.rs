//! The two streams of a terminal: data goes to stdout, everything else to stderr.
//!
//! The only module that prints. A line that is drawn anew makes way for whatever is printed. Styles are
//! stripped where they are not wanted, and a reader that closed the pipe has seen enough: that is no
//! error.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use anstream::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use same_file::Handle;

/// The line that is drawn at the moment.
static LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

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

/// Whether a line can be drawn anew.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// A line on stderr that is drawn anew, and gone when this is dropped.
#[derive(Debug)]
pub struct Line(());

impl Line {
    /// Begins a line. It takes the place of any other.
    pub fn begin() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        *line() = Some(bar);
        Self(())
    }

    /// Draws it.
    pub fn draw(&self, text: String) {
        if let Some(bar) = line().as_ref() {
            bar.set_message(text);
            bar.tick();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(bar) = line().take() {
            bar.finish_and_clear();
        }
    }
}

fn line() -> MutexGuard<'static, Option<ProgressBar>> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes to a stream, where no line is drawn meanwhile if both are on the terminal. Nobody else is
/// held while the stream's reader takes its time.
fn without_line<T>(is_terminal: bool, write: impl FnOnce() -> T) -> T {
    let drawn = line().clone();
    match drawn.filter(|_| is_terminal) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Writes lines of a log to stderr.
#[derive(Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        without_line(stderr_is_terminal(), || io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Whether stdout and stderr are the same file, so that a message on both would appear twice.
pub fn streams_are_the_same() -> bool {
    let (Ok(stdout), Ok(stderr)) = (Handle::stdout(), Handle::stderr()) else { return false };
    stdout == stderr
}

/// Writes data to stdout.
///
/// # Errors
/// Any failure to write but a closed pipe.
pub fn print(text: &str) -> io::Result<()> {
    without_line(stdout_is_terminal(), || {
        let mut stdout = anstream::stdout().lock();
        closed_pipe_is_fine(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
    })
}

/// Writes a message to stderr. There is nobody to tell when that fails.
pub fn message(text: &str) {
    let stderr = anstream::stderr();
    // In one piece where it may meet stdout in a log: the stripping stream writes word by word.
    _ = without_line(stderr_is_terminal(), || match stderr.current_choice() {
        ColorChoice::Never => {
            let plain = anstream::adapter::strip_str(text).to_string();
            io::stderr().lock().write_all(plain.as_bytes())
        }
        _ => stderr.lock().write_all(text.as_bytes()),
    });
}

fn closed_pipe_is_fine(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
