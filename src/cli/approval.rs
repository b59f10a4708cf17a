//! Interactive approval: `yes` typed at a terminal.

use std::io;

use crate::run::Answer;
use crate::{blocking, terminal};

/// Prints `question` on stderr and waits for a line from stdin: `yes` is `Yes`, any other line `No`. Asks nothing and
/// returns `NotInteractive` if stdin or stderr is not a terminal.
///
/// # Errors
/// The answer cannot be read.
pub(super) async fn ask(question: &str) -> io::Result<Answer> {
    if !terminal::is_interactive() {
        return Ok(Answer::NotInteractive);
    }
    terminal::eprint(&format!("\n{question} Type 'yes': "));
    let line = blocking::call(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    Ok(if line.await.flatten()?.trim() == "yes" { Answer::Yes } else { Answer::No })
}
