//! Calls that block, on threads of their own.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Calls a function on a thread of its own, and returns its result. If the future is dropped, the thread runs on: a read
/// from a terminal cannot be cancelled. The pool of tokio is not used, because it panics if the system starts no thread.
///
/// # Errors
/// The system starts no thread, or the function panicked.
pub async fn call<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = oneshot::channel();
    // The receiver is dropped with the future.
    thread::Builder::new().spawn(move || _ = sender.send(function()))?;
    receiver.await.map_err(io::Error::other)
}
