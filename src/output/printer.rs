//! Printer of stdout.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

use crate::terminal;

/// Printer to stdout with its own thread, so that a slow reader of stdout does not block the run.
pub(super) struct Printer(mpsc::Sender<(String, Option<oneshot::Sender<io::Result<()>>>)>);

impl Printer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(super) fn start() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            let mut printed = Ok(());
            for (text, done) in receiver {
                let text: String = text;
                printed = printed.and_then(|()| terminal::print(&text));
                if let Some(done) = done {
                    let done: oneshot::Sender<_> = done;
                    // The receiver may be dropped. The error is reported once.
                    _ = done.send(std::mem::replace(&mut printed, Ok(())));
                }
            }
        })?;
        Ok(Self(sender))
    }

    pub(super) fn print(&self, text: String) {
        // The thread lives as long as this value.
        _ = self.0.send((text, None));
    }

    pub(super) async fn flushed(&self) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        _ = self.0.send((String::new(), Some(sender)));
        receiver.await.unwrap_or(Ok(()))
    }
}
