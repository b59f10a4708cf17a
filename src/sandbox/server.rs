//! HTTP/1.1 server on a TCP socket.
//!
//! Handles connections, the clock and the latency of responses. `gateway` determines the response.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::gateway::{Gateway, Reply};
use super::message::{Request, Response};

const MAX_BODY: usize = 4 * 1024 * 1024;
/// Number of bytes that a truncated response announces but does not send.
const TRUNCATED_BYTES: u64 = 64;

type BoxError = Box<dyn Error + Send + Sync>;
type ResponseBody = Either<Full<Bytes>, TruncatedBody>;

/// HTTP server in front of a gateway.
pub(super) struct Server {
    gateway: Mutex<Gateway>,
    latency: Duration,
    clock: Clock,
}

impl Server {
    pub(super) fn new(gateway: Gateway, latency: Duration) -> Self {
        Self { gateway: Mutex::new(gateway), latency, clock: Clock::start() }
    }

    /// Locks the gateway. Ignores a poisoned lock, so that a panic does not affect other requests.
    pub(super) fn gateway(&self) -> MutexGuard<'_, Gateway> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves connections until the task is aborted. Aborting it also ends the connections.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut is_warned = false;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(Arc::clone(&self).serve_connection(stream));
                }
                Err(error) => {
                    // Usually too many open files: wait for connections to end.
                    if !std::mem::replace(&mut is_warned, true) {
                        tracing::warn!(%error, "cannot accept a connection; retrying");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    async fn serve_connection(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY; responses may be delayed");
        }
        let service = service_fn(|request| self.respond(request));
        if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(error = &error as &dyn Error, "connection failed");
        }
    }

    /// Passes a request to the gateway and executes its reply after the latency. A body of more than 4 MiB is
    /// rejected with 413. An error closes the connection, and a hanging reply never returns.
    async fn respond(
        &self,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<ResponseBody>, BoxError> {
        let (head, body) = request.into_parts();
        let mut request = request_without_body(&head);
        let reply = match read_body(body).await? {
            Some(body) => {
                request.body = body;
                self.gateway().respond(&request, self.clock.now())
            }
            None => self.gateway().reject_body(&request, self.clock.now()),
        };
        tokio::time::sleep(self.latency).await;
        match reply {
            Reply::Send(response) => build_response(response, |body| Either::Left(body.into())),
            Reply::Truncate(response) => {
                build_response(response, |sent| Either::Right(TruncatedBody { sent, flushed: false }))
            }
            Reply::Close => Err("closed by a fault".into()),
            Reply::Hang => std::future::pending().await,
        }
    }
}

/// Reads a body. Returns `None` if it is too large; an announced length is checked first.
async fn read_body(body: Incoming) -> Result<Option<Vec<u8>>, BoxError> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Ok(None);
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(Some(body.to_bytes().into())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(error) => Err(error),
    }
}

fn request_without_body(head: &hyper::http::request::Parts) -> Request {
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    }
}

fn build_response(
    Response { status, headers, body }: Response,
    to_body: impl FnOnce(Bytes) -> ResponseBody,
) -> Result<hyper::Response<ResponseBody>, BoxError> {
    let builder = hyper::Response::builder().status(status);
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
    Ok(builder.body(to_body(body.into()))?)
}

/// Body that ends before its announced length.
struct TruncatedBody {
    sent: Bytes,
    flushed: bool,
}

impl Body for TruncatedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.sent.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.sent)))));
        }
        // Hyper flushes while the body is pending. If the body ended here, it would discard the data.
        if !std::mem::replace(&mut self.flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        let sent = u64::try_from(self.sent.len()).unwrap_or(u64::MAX);
        SizeHint::with_exact(sent.saturating_add(TRUNCATED_BYTES))
    }
}

/// Wall clock that is monotonic for the lifetime of the server.
struct Clock {
    epoch: Timestamp,
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { epoch: Timestamp::now(), started: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.epoch.checked_add(self.started.elapsed()).unwrap_or(self.epoch)
    }
}
