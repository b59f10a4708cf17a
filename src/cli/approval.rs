//! The word that a change to a tenant needs: `--yes`, or `yes` at a terminal.

use std::io;

use tokio::sync::oneshot;

use super::signals::Signals;
use crate::{render, terminal};

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    /// Yes, beforehand.
    Given,
    /// Yes, after somebody was waited for: the tenant may have moved meanwhile.
    Waited,
    /// Anything but `yes`.
    Denied,
    /// There is nobody to ask.
    Nobody,
    /// The process was asked to stop.
    Stopped,
}

/// Asks for `yes` where it was not given beforehand.
pub(super) async fn approval(given: bool, changes: usize, tenants: usize, signals: &Signals) -> Approval {
    if given {
        return Approval::Given;
    }
    if !terminal::is_interactive() {
        return Approval::Nobody;
    }
    let changes = render::counted(changes, "change", "changes");
    let tenants = if tenants > 1 { format!(" in {tenants} tenants") } else { String::new() };
    terminal::eprint(&format!("\nMake {changes}{tenants}? Only `yes` will do: "));
    // A thread of its own: a read of a terminal cannot be given up, and must hold nobody.
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        // Nobody listens any more when the run was stopped.
        _ = tell.send(read.is_ok_and(|line| line.trim() == "yes"));
    });
    tokio::select! {
        () = signals.stopped() => Approval::Stopped,
        yes = told => if yes.unwrap_or(false) { Approval::Waited } else { Approval::Denied },
    }
}
