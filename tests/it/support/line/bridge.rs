//! What stands in a wire where requests have to be read on the way: it takes HTTP/2, turns those away
//! that the gate does not let through, and asks a server that speaks HTTP/1.1 alone.

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

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// Reads requests until whoever sends them is gone.
pub(super) async fn read(
    from: tokio::io::DuplexStream,
    to: SocketAddr,
    state: &Arc<Mutex<State>>,
) -> Result<(), Failure> {
    let service = service_fn(|request| answer(request, to, Arc::clone(state)));
    let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    http.serve_connection(TokioIo::new(from), service).await
}

async fn answer(
    request: Request<Incoming>,
    to: SocketAddr,
    state: Arc<Mutex<State>>,
) -> Result<Answer, Failure> {
    let gate = {
        let mut state = state.lock().unwrap();
        state.over_http2 += usize::from(request.version() == Version::HTTP_2);
        state.gate.clone()
    };
    let token = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let token = token.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    if gate.is_some_and(|gate| !gate(&token)) {
        state.lock().unwrap().turned_away += 1;
        // It repeats the token, as a careless service may.
        let body = format!(
            r#"{{"error":{{"code":"InvalidAuthenticationToken","message":"the token {token} is expired"}}}}"#
        );
        let body = Either::Right(Full::new(Bytes::from(body)));
        return Ok(Response::builder().status(401).header(CONTENT_TYPE, "application/json").body(body)?);
    }
    // It is on its way until it is answered, even if nobody waits for it any more.
    let _on_its_way = OnItsWay::new(&state);
    let mut answer = ask(request, to).await?;
    // These are of one connection alone.
    answer.headers_mut().remove(CONNECTION);
    answer.headers_mut().remove(TRANSFER_ENCODING);
    *answer.version_mut() = Version::default();
    Ok(answer.map(Either::Left))
}

async fn ask(request: Request<Incoming>, to: SocketAddr) -> Result<Response<Incoming>, Failure> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = parts.uri.path_and_query().ok_or("no path")?.as_str();
    let mut asked = Request::builder().method(parts.method).uri(path).header(HOST, to.to_string());
    for (name, value) in parts.headers.iter().filter(|(name, _)| **name != HOST) {
        asked = asked.header(name, value);
    }
    Ok(sender.send_request(asked.body(Full::new(body))?).await?)
}

/// One more of those that the wire is waited for.
struct OnItsWay(Arc<Mutex<State>>);

impl OnItsWay {
    fn new(state: &Arc<Mutex<State>>) -> Self {
        state.lock().unwrap().live += 1;
        Self(Arc::clone(state))
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().live -= 1;
    }
}
