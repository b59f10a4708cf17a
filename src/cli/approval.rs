//! Interactive approval: `yes` typed at a terminal.

use std::io;

use tokio::sync::oneshot;

use crate::run::Answer;
use crate::terminal;

/// Prints `question` on stderr and waits for a line from stdin: `yes` is `Yes`, any other line `No`. Asks nothing and
/// returns `NotInteractive` if stdin or stderr is not a terminal.
pub(super) async fn ask(question: &str) -> Answer {
    if !terminal::is_interactive() {
        return Answer::NotInteractive;
    }
    terminal::eprint(&format!("\n{question} Type 'yes': "));
    // A thread of its own, because a read from a terminal cannot be cancelled.
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        // The receiver is dropped if the run was interrupted.
        _ = sender.send(read.is_ok_and(|line| line.trim() == "yes"));
    });
    if receiver.await.unwrap_or(false) { Answer::Yes } else { Answer::No }
}
