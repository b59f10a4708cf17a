//! The wire: HTTP/1.1 on a TCP socket.
//!
//! Owns connections, the clock and the wait before each answer; it must not decide what is
//! answered.

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
/// How many bytes a truncated answer announces and does not send.
const MISSING: u64 = 64;

type Failure = Box<dyn Error + Send + Sync>;
type Payload = Either<Full<Bytes>, Truncated>;

/// A gateway on the wire.
pub(super) struct Server {
    gateway: Mutex<Gateway>,
    latency: Duration,
    clock: Clock,
}

impl Server {
    pub(super) fn new(gateway: Gateway, latency: Duration) -> Self {
        Self { gateway: Mutex::new(gateway), latency, clock: Clock::start() }
    }

    /// Gives the gateway. Should a request ever have panicked, the others are still served.
    pub(super) fn gateway(&self) -> MutexGuard<'_, Gateway> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves connections until the task is aborted, which ends them too.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(Arc::clone(&self).connection(stream));
                }
                Err(error) => {
                    // Mostly too many open files: wait for connections to end.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be delayed");
        }
        let service = service_fn(|request| self.respond(request));
        if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(error = &error as &dyn Error, "a connection ended");
        }
    }

    /// Answers a request; an error closes the connection.
    async fn respond(&self, request: hyper::Request<Incoming>) -> Result<hyper::Response<Payload>, Failure> {
        let (head, body) = request.into_parts();
        let mut request = plain(&head);
        let reply = match read(body).await? {
            Some(body) => {
                request.body = body;
                self.gateway().answer(&request, self.clock.now())
            }
            None => self.gateway().refuse_body(&request, self.clock.now()),
        };
        tokio::time::sleep(self.latency).await;
        match reply {
            Reply::Send(response) => whole(response),
            Reply::Truncate(response) => truncated(response),
            Reply::Close => Err("closed on purpose".into()),
            Reply::Hang => std::future::pending().await,
        }
    }
}

/// Reads a body; `None` when it is too large, which an announced length tells at once.
async fn read(body: Incoming) -> Result<Option<Vec<u8>>, Failure> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Ok(None);
    }
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(Some(body.to_bytes().into())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        Err(broken) => Err(broken),
    }
}

fn plain(head: &hyper::http::request::Parts) -> Request {
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

fn whole(response: Response) -> Result<hyper::Response<Payload>, Failure> {
    let body = Either::Left(Full::new(response.body.clone().into()));
    Ok(head(&response).body(body)?)
}

fn truncated(response: Response) -> Result<hyper::Response<Payload>, Failure> {
    let body = Either::Right(Truncated { sent: response.body.clone().into(), flushed: false });
    Ok(head(&response).body(body)?)
}

fn head(response: &Response) -> hyper::http::response::Builder {
    let builder = hyper::Response::builder().status(response.status);
    response.headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value))
}

/// A body that ends before the length it has announced.
struct Truncated {
    sent: Bytes,
    flushed: bool,
}

impl Body for Truncated {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.sent.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.sent)))));
        }
        // Hyper writes out what it has while it waits, and drops it if the body ends at once.
        if !std::mem::replace(&mut self.flushed, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        let sent = u64::try_from(self.sent.len()).unwrap_or(u64::MAX);
        SizeHint::with_exact(sent.saturating_add(MISSING))
    }
}

/// The time of day, which never runs backwards while the server lives.
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
