//! Terminal output: data goes to stdout, everything else to stderr.
//!
//! The only module that prints. The status line is hidden during other output. Styles are stripped if
//! color is off. A closed pipe is not an error, because its reader needs no more data.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

pub use anstream::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use same_file::Handle;

/// Current status line, if any.
static STATUS_LINE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Sets the color choice of stdout and stderr.
pub fn set_color(choice: ColorChoice) {
    choice.write_global();
}

/// Returns whether stdout is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether the user can be prompted: stdin and stderr are terminals.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Returns whether stderr is a terminal, so that a status line can be shown.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Status line on stderr. It is cleared when this value is dropped.
#[derive(Debug)]
pub struct StatusLine(());

impl StatusLine {
    /// Shows an empty status line, which replaces any other.
    pub fn start() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        *lock_status_line() = Some(bar);
        Self(())
    }

    /// Shows this text in the status line, if it is still shown.
    pub fn set_text(&self, text: String) {
        if let Some(bar) = lock_status_line().as_ref() {
            bar.set_message(text);
            bar.tick();
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if let Some(bar) = lock_status_line().take() {
            bar.finish_and_clear();
        }
    }
}

fn lock_status_line() -> MutexGuard<'static, Option<ProgressBar>> {
    STATUS_LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `write` with the status line hidden if the stream is a terminal. Does not hold the lock during
/// the call, so that a slow reader of the stream does not block other threads.
fn with_status_line_hidden<T>(is_terminal: bool, write: impl FnOnce() -> T) -> T {
    let bar = lock_status_line().clone();
    match bar.filter(|_| is_terminal) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Writer of log lines to stderr.
#[derive(Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written =
            with_status_line_hidden(stderr_is_terminal(), || write_all(&mut io::stderr().lock(), bytes));
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Returns whether stdout and stderr are the same file, so that a message on both would appear twice. False
/// if this cannot be determined.
pub fn streams_are_the_same() -> bool {
    let (Ok(stdout), Ok(stderr)) = (Handle::stdout(), Handle::stderr()) else { return false };
    stdout == stderr
}

/// Checks that stdout was open when the process started, and that it takes a write. Writes nothing, so a full disk is
/// found only by the first write. On Windows, every error is found only then.
///
/// # Errors
/// If stdout was closed, or is a device that rejects every write.
pub fn check_stdout() -> io::Result<()> {
    #[cfg(unix)]
    unless_pipe_is_closed(stdout::check())?;
    Ok(())
}

/// Drops the error of a closed pipe.
fn unless_pipe_is_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes data to stdout and flushes it, without styles if color is off.
///
/// # Errors
/// If writing fails, except for a closed pipe.
pub fn print(text: &str) -> io::Result<()> {
    let stdout = anstream::stdout();
    let written = with_status_line_hidden(stdout_is_terminal(), || match stdout.current_choice() {
        ColorChoice::Never => {
            write_all(&mut io::stdout().lock(), anstream::adapter::strip_str(text).to_string())
        }
        ColorChoice::AlwaysAnsi => write_all(&mut io::stdout().lock(), text),
        // A console of Windows that needs its own calls for styles.
        _ => write_all(&mut stdout.lock(), text),
    });
    unless_pipe_is_closed(written)
}

/// Writes all bytes, and flushes them. Waits for a slow reader also if another process made the stream non-blocking,
/// as Node.js does with those that it shares.
fn write_all(stream: &mut impl Write, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    const PAUSE: Duration = Duration::from_millis(10);
    let mut left = bytes.as_ref();
    loop {
        let written = if left.is_empty() { stream.flush().map(|()| 0) } else { stream.write(left) };
        match written {
            Ok(_) if left.is_empty() => return Ok(()),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(PAUSE),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes a message to stderr, without styles if color is off. Errors are ignored, because they cannot be
/// reported.
pub fn eprint(text: &str) {
    let stderr = anstream::stderr();
    // One write without color, so that stdout and stderr do not mix in a log. The stripping stream would
    // write several pieces.
    _ = with_status_line_hidden(stderr_is_terminal(), || match stderr.current_choice() {
        ColorChoice::Never => {
            write_all(&mut io::stderr().lock(), anstream::adapter::strip_str(text).to_string())
        }
        ColorChoice::AlwaysAnsi => write_all(&mut io::stderr().lock(), text),
        _ => write_all(&mut stderr.lock(), text),
    });
}

#[cfg(unix)]
mod stdout {
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::os::fd::{AsFd as _, OwnedFd};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Whether stdout was closed when the process started.
    static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    /// Records whether stdout is closed. Runs before `main`: the runtime of Rust opens /dev/null in place of a closed
    /// stream (<https://github.com/rust-lang/rust/issues/83904>), which then looks like the /dev/null that a parent
    /// process passed.
    #[ctor::ctor]
    fn record_closed() {
        // EBADF has this number on every Unix. Other errors, such as too many open files, do not mean closed.
        let is_closed = |error: io::Error| error.raw_os_error() == Some(9);
        WAS_CLOSED.store(duplicate().is_err_and(is_closed), Ordering::Relaxed);
    }

    pub(super) fn check() -> io::Result<()> {
        if WAS_CLOSED.load(Ordering::Relaxed) {
            return Err(io::Error::other("stdout was closed when the process started"));
        }
        match duplicate() {
            // Not `write_all`, which skips an empty write.
            Ok(stdout) => File::from(stdout).write(&[]).map(drop),
            // Too many open files: the write itself may succeed.
            Err(_) => Ok(()),
        }
    }

    fn duplicate() -> io::Result<OwnedFd> {
        io::stdout().as_fd().try_clone_to_owned()
    }
}
