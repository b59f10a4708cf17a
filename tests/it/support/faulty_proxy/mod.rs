//! TCP proxy between the binary and a sandbox that injects network faults: refused and reset
//! connections, silence, invalid bytes, truncated and slow transfers. It can terminate TLS.
//!
//! Its address stays the same when the upstream server is replaced.

mod bridge;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use transfer::transfer;

use super::{Background, wait_until};

/// Fault of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// The connection is reset right after it was accepted.
    Reset,
    /// The connection is closed right after it was accepted.
    Close,
    /// Requests are read, but neither forwarded nor answered.
    Silent,
    /// The first bytes received are answered with these bytes and not forwarded.
    Garbage(&'static [u8]),
    /// The connection is reset after so many bytes of the request.
    TruncateRequest(usize),
    /// The connection is reset after so many bytes of the response.
    TruncateResponse(usize),
    /// The response is sent in pieces of so many bytes, with a pause of so many milliseconds.
    SlowResponse(usize, u64),
}

impl WireFault {
    /// Returns the name under which the campaign counts the fault.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "wire: reset",
            Self::Close => "wire: closed",
            Self::Silent => "wire: silent",
            Self::Garbage(_) => "wire: garbage",
            Self::TruncateRequest(_) => "wire: request truncated",
            Self::TruncateResponse(_) => "wire: response truncated",
            Self::SlowResponse(..) => "wire: slow response",
        }
    }
}

/// Proxy that runs in a thread of its own until it is dropped.
pub struct FaultyProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    start_listening: Option<oneshot::Sender<()>>,
    _background: Background,
}

#[derive(Default)]
pub(super) struct State {
    upstream: Option<SocketAddr>,
    /// Faults of the next connections, by connection number. Further connections have none.
    faults: Vec<Option<WireFault>>,
    /// Number of connections since the upstream was set.
    connections: usize,
    /// TLS configuration, if the proxy terminates TLS.
    tls: Option<TlsAcceptor>,
    /// Number of open connections and of requests in flight.
    active: usize,
    /// Time at which the proxy began to listen.
    listening_since: Option<Instant>,
    /// Faults that took effect.
    observed_faults: Vec<WireFault>,
    /// Decides by token which requests are forwarded. Without it all are.
    token_gate: Option<TokenGate>,
    /// Number of requests that the gate rejected.
    rejected_requests: usize,
    /// Number of requests received over HTTP/2.
    http2_requests: usize,
}

/// Returns whether a request with this token is forwarded.
pub type TokenGate = Arc<dyn Fn(&str) -> bool + Send + Sync>;

impl FaultyProxy {
    /// Binds a port on loopback, without an upstream. The proxy refuses connections for the given
    /// time, or until [`Self::start_listening`] is called.
    pub fn bind(tls: Option<TlsAcceptor>, refuse: Duration) -> Self {
        let state = Arc::new(Mutex::new(State { tls, ..State::default() }));
        let (start_listening, listening_requested) = oneshot::channel();
        let shared = Arc::clone(&state);
        let (background, address) = Background::start(async move |ready| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            ready.send(socket.local_addr().unwrap()).unwrap();
            // A bound socket that does not listen refuses connections and keeps its port.
            tokio::select! {
                () = sleep(refuse) => {}
                _ = listening_requested => {}
            }
            let listener = socket.listen(256).unwrap();
            shared.lock().unwrap().listening_since = Some(Instant::now());
            accept(listener, &shared).await;
        });
        Self { address, state, start_listening: Some(start_listening), _background: background }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections from now on.
    pub fn start_listening(&mut self) {
        if let Some(start) = self.start_listening.take() {
            // The receiver no longer exists if the proxy already listens.
            _ = start.send(());
        }
    }

    /// Replaces the TLS configuration for new connections.
    pub fn set_tls(&self, tls: TlsAcceptor) {
        self.state().tls = Some(tls);
    }

    /// Forwards new connections to another server, with these faults, and resets all counters.
    pub fn set_upstream(&self, upstream: SocketAddr, faults: Vec<Option<WireFault>>) {
        let mut state = self.state();
        (state.upstream, state.faults, state.connections) = (Some(upstream), faults, 0);
        state.observed_faults.clear();
        (state.rejected_requests, state.http2_requests) = (0, 0);
    }

    /// Answers 401 to requests whose token the gate rejects.
    pub fn set_token_gate(&self, gate: Option<TokenGate>) {
        self.state().token_gate = gate;
    }

    /// Returns how many requests the gate rejected since the upstream was set.
    pub fn rejected_requests(&self) -> usize {
        self.state().rejected_requests
    }

    /// Returns how many requests came over HTTP/2 since the upstream was set.
    pub fn http2_requests(&self) -> usize {
        self.state().http2_requests
    }

    /// Returns the faults that took effect since the upstream was set. A fault that lies beyond the
    /// bytes that a connection transferred is not included.
    pub fn observed_faults(&self) -> Vec<WireFault> {
        self.state().observed_faults.clone()
    }

    /// Returns the number of connections since the upstream was set.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// Returns when the proxy began to listen, if it did.
    pub fn listening_since(&self) -> Option<Instant> {
        self.state().listening_since
    }

    /// Waits until all clients have disconnected, so that everything they sent has arrived.
    pub fn wait_until_idle(&self) {
        wait_until("all clients have disconnected", || self.state().active == 0);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn accept(listener: TcpListener, state: &Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (upstream, fault, tls) = {
            let mut state = state.lock().unwrap();
            let fault = state.faults.get(state.connections).copied().flatten();
            state.connections += 1;
            state.active += 1;
            (state.upstream, fault, state.tls.clone())
        };
        let state = Arc::clone(state);
        connections.spawn(async move {
            let record_fault = || state.lock().unwrap().observed_faults.extend(fault);
            // I/O errors are the expected effect of the injected faults.
            _ = handle_connection(client, upstream, fault, tls, &state, &record_fault).await;
            state.lock().unwrap().active -= 1;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Records that the fault of a connection took effect.
type RecordFault<'a> = &'a (dyn Fn() + Sync);

async fn handle_connection(
    mut client: TcpStream,
    upstream: Option<SocketAddr>,
    fault: Option<WireFault>,
    tls: Option<TlsAcceptor>,
    state: &Arc<Mutex<State>>,
    record_fault: RecordFault<'_>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    match fault {
        Some(WireFault::Reset) => {
            record_fault();
            return client.set_zero_linger();
        }
        Some(WireFault::Close) => {
            record_fault();
            return Ok(());
        }
        Some(WireFault::Silent) => {
            record_fault();
            return discard(&mut client).await;
        }
        Some(WireFault::Garbage(bytes)) => {
            _ = client.read(&mut [0; 1024]).await?;
            record_fault();
            return client.write_all(bytes).await;
        }
        // A truncated connection ends with a reset.
        Some(WireFault::TruncateRequest(_) | WireFault::TruncateResponse(_)) => client.set_zero_linger()?,
        Some(WireFault::SlowResponse(..)) | None => {}
    }
    let upstream = upstream.ok_or(io::ErrorKind::NotConnected)?;
    let has_gate = state.lock().unwrap().token_gate.is_some();
    match tls {
        Some(tls) => {
            let client = tls.accept(client).await?;
            let is_http2 = client.get_ref().1.alpn_protocol() == Some(b"h2");
            forward(client, upstream, has_gate || is_http2, fault, state, record_fault).await
        }
        None => forward(client, upstream, has_gate, fault, state, record_fault).await,
    }
}

/// Forwards a connection byte by byte or, if `parse_requests`, request by request.
async fn forward<C: AsyncRead + AsyncWrite + Unpin>(
    client: C,
    upstream: SocketAddr,
    parse_requests: bool,
    fault: Option<WireFault>,
    state: &Arc<Mutex<State>>,
    record_fault: RecordFault<'_>,
) -> io::Result<()> {
    if !parse_requests {
        let server = TcpStream::connect(upstream).await?;
        server.set_nodelay(true)?;
        return transfer(client, server, fault, record_fault).await;
    }
    let (near, far) = tokio::io::duplex(64 << 10);
    tokio::select! {
        transferred = transfer(client, near, fault, record_fault) => transferred,
        // Responses of the bridge are still in the pipe when the bridge ends.
        never = async { _ = bridge::serve(far, upstream, state).await; std::future::pending().await } => never,
    }
}

async fn discard(client: &mut TcpStream) -> io::Result<()> {
    while client.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}
