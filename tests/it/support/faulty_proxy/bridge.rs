//! HTTP bridge inside the proxy, for connections whose requests must be parsed: accepts HTTP/2, applies
//! the token gate, and forwards to a server that speaks only HTTP/1.1.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::State;

type Error = Box<dyn std::error::Error + Send + Sync>;
type BridgeResponse = Response<Either<Incoming, Full<Bytes>>>;

/// Handles requests until the client disconnects.
pub(super) async fn serve(
    from: tokio::io::DuplexStream,
    upstream: SocketAddr,
    state: &Arc<Mutex<State>>,
) -> Result<(), Error> {
    let service = service_fn(|request| handle_request(request, upstream, Arc::clone(state)));
    let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    http.serve_connection(TokioIo::new(from), service).await
}

async fn handle_request(
    request: Request<Incoming>,
    upstream: SocketAddr,
    state: Arc<Mutex<State>>,
) -> Result<BridgeResponse, Error> {
    let gate = {
        let mut state = state.lock().unwrap();
        state.http2_requests += usize::from(request.version() == Version::HTTP_2);
        state.token_gate.clone()
    };
    let token = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = token.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    if gate.is_some_and(|gate| !gate(&token)) {
        state.lock().unwrap().rejected_requests += 1;
        // The response repeats the token, so that a test can check that flowbind redacts it.
        let body = format!(
            r#"{{"error":{{"code":"InvalidAuthenticationToken","message":"the token {token} is expired"}}}}"#
        );
        let body = Either::Right(Full::new(Bytes::from(body)));
        return Ok(Response::builder().status(401).header(CONTENT_TYPE, "application/json").body(body)?);
    }
    // The request counts as active until it is answered, even if the client has disconnected.
    let _active = ActiveRequest::new(&state);
    let mut response = send(request, upstream).await?;
    // Hop-by-hop headers are not forwarded.
    response.headers_mut().remove(CONNECTION);
    response.headers_mut().remove(TRANSFER_ENCODING);
    *response.version_mut() = Version::default();
    Ok(response.map(Either::Left))
}

async fn send(request: Request<Incoming>, upstream: SocketAddr) -> Result<Response<Incoming>, Error> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = parts.uri.path_and_query().ok_or("no path")?.as_str();
    let mut forwarded = Request::builder().method(parts.method).uri(path).header(HOST, upstream.to_string());
    for (name, value) in parts.headers.iter().filter(|(name, _)| **name != HOST) {
        forwarded = forwarded.header(name, value);
    }
    Ok(sender.send_request(forwarded.body(Full::new(body))?).await?)
}

/// Request that `FaultyProxy::wait_until_idle` waits for.
struct ActiveRequest(Arc<Mutex<State>>);

impl ActiveRequest {
    fn new(state: &Arc<Mutex<State>>) -> Self {
        state.lock().unwrap().active += 1;
        Self(Arc::clone(state))
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.lock().unwrap().active -= 1;
    }
}
