//! The log on stderr. What others say gets into it, so each line is made harmless here, where nothing
//! that logs can forget it.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Global;
use crate::render::escape;
use crate::terminal;

/// Logs from here on what the options ask for.
pub(super) fn to_stderr(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, _) => Level::DEBUG,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .without_time()
        // A log line that cannot be written must not end the run: the default is to panic.
        .log_internal_errors(false)
        .with_writer(|| Harmless(terminal::Log));
    // Our own lines alone: what others log is not held to show no secret.
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

/// Writes each line, which comes in one piece, such that nothing in it acts.
struct Harmless<W>(W);

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", escape::text(text)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_nothing_in_it_acts() {
        let mut written = Vec::new();
        Harmless(&mut written).write_all(" WARN a\n::error::b \u{202e}##[error]é\n".as_bytes()).unwrap();
        let shown = " WARN a\\n::error::b \\u{202e}\\u{23}#[error]é\n";
        assert_eq!(String::from_utf8(written).unwrap(), shown);
    }
}
