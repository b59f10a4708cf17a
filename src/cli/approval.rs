//! Interactive approval: `yes` typed at a terminal.

use std::io;

use crate::run::Answer;
use crate::{blocking, terminal};

/// Prints `question` on stderr and waits for a line from stdin: `yes` is `Yes`, any other line `No`. Asks nothing and
/// returns `NotInteractive` if stdin or stderr is not a terminal.
pub(super) async fn ask(question: &str) -> Answer {
    if !terminal::is_interactive() {
        return Answer::NotInteractive;
    }
    terminal::eprint(&format!("\n{question} Type 'yes': "));
    let line = blocking::call(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let is_yes = line.await.flatten().is_ok_and(|line| line.trim() == "yes");
    if is_yes { Answer::Yes } else { Answer::No }
}
