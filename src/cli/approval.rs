//! Interactive approval: `--yes`, or `yes` typed at a terminal.

use std::io;

use tokio::sync::oneshot;

use super::signals::Signals;
use crate::terminal;

/// Result of the approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    /// Approved on the command line.
    Given,
    /// Approved at the prompt. The tenant may have changed meanwhile.
    Typed,
    /// The answer was not `yes`.
    Denied,
    /// stdin or stderr is not a terminal.
    NotInteractive,
    /// The run was interrupted.
    Interrupted,
}

/// Returns `Given` if `given`. Otherwise prints `question` on stderr and waits for a line from stdin or a
/// signal: `yes` is `Typed`, any other line `Denied`. Asks nothing and returns `NotInteractive` without a
/// terminal.
pub(super) async fn approval(given: bool, question: &str, signals: &Signals) -> Approval {
    if given {
        return Approval::Given;
    }
    if !terminal::is_interactive() {
        return Approval::NotInteractive;
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
    tokio::select! {
        () = signals.stopped() => Approval::Interrupted,
        yes = receiver => if yes.unwrap_or(false) { Approval::Typed } else { Approval::Denied },
    }
}
