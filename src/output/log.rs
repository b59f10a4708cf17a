//! Log on stderr. Log lines contain text of the service, so this module escapes every line.

use std::io::{self, Write};

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::render::escape;
use crate::terminal;

/// Installs the logger of the process, which writes the log lines of flowbind from `level` to stderr and drops those
/// of dependencies.
pub fn log_to_stderr(level: Level) {
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(false)
        .without_time()
        // A log line that cannot be written must not end the run: the default is to panic.
        .log_internal_errors(false)
        .with_writer(|| EscapedLines(terminal::Log));
    // Log lines of dependencies are dropped, because they may contain secrets.
    let own_lines = Targets::new().with_target(env!("CARGO_PKG_NAME"), level);
    tracing_subscriber::registry().with(lines.with_filter(own_lines)).init();
}

/// Writer that escapes each line. A line arrives in one call.
struct EscapedLines<W>(W);

impl<W: Write> Write for EscapedLines<W> {
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
    fn line_with_control_characters_is_escaped() {
        let mut written = Vec::new();
        EscapedLines(&mut written).write_all(" WARN a\n::error::b \u{202e}##[error]é\n".as_bytes()).unwrap();
        let shown = " WARN a\\n::error::b \\u{202e}\\u{23}#[error]é\n";
        assert_eq!(String::from_utf8(written).unwrap(), shown);
    }
}
