//! Servers in threads of their own, which end when the test drops them.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Thread with a Tokio runtime. Dropping the value ends the thread and all its tasks.
pub struct Background {
    /// Dropping it stops the thread.
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts a thread that runs `main`. Also returns the value that `main` sends when it is ready.
    pub fn start<T: Send + 'static, F: Future<Output = ()>>(
        main: impl FnOnce(mpsc::Sender<T>) -> F + Send + 'static,
    ) -> (Self, T) {
        let (ready, value) = mpsc::channel();
        let (shutdown, shutdown_requested) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = main(ready) => {}
                    _ = shutdown_requested => {}
                }
            });
        });
        (Self { shutdown: Some(shutdown), thread: Some(thread) }, value.recv().unwrap())
    }

    /// Starts a server on a free port of loopback. It handles connections concurrently.
    pub fn serve<F: Future<Output = ()> + Send + 'static>(
        handle: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> (Self, SocketAddr) {
        Self::start(async move |ready| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            ready.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(handle(stream));
            }
        })
    }

    /// Starts a server that answers the first request of each connection with the result of `answer`,
    /// which gets the lines of the head. Then it closes the connection.
    pub fn answer(
        answer: impl Fn(Vec<String>) -> Vec<u8> + Clone + Send + Sync + 'static,
    ) -> (Self, SocketAddr) {
        Self::serve(move |stream| {
            let answer = answer.clone();
            async move {
                let mut stream = BufReader::new(stream);
                let head = read_head(&mut stream).await;
                // Fails if the client has disconnected.
                _ = stream.write_all(&answer(head)).await;
            }
        })
    }
}

/// Reads the lines up to the first empty one.
async fn read_head(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let mut head = Vec::new();
    let mut lines = stream.lines();
    while let Ok(Some(line)) = lines.next_line().await
        && !line.is_empty()
    {
        head.push(line);
    }
    head
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shutdown.take();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
