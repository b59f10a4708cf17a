//! A wire between the binary and a sandbox that can be as bad as a network: it refuses, resets, stays
//! silent, talks rubbish, tears what it carries, or takes its time. It may speak TLS.
//!
//! Its address stays the same while what stands behind it is replaced.

mod bridge;
mod carry;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use carry::carry;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// What is wrong with one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kink {
    /// It is reset as soon as it is there.
    Reset,
    /// It is closed as soon as it is there.
    Close,
    /// Whatever is sent is never answered, nor carried on.
    Silent,
    /// The first thing that is sent is answered with this, and not carried on.
    Rubbish(&'static [u8]),
    /// It breaks after so many bytes of what is sent.
    TearRequest(usize),
    /// It breaks after so many bytes of what is answered.
    TearAnswer(usize),
    /// Answers come in pieces of so many bytes, with so many milliseconds between two.
    Drip(usize, u64),
}

impl Kink {
    /// What it is called in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "line: reset",
            Self::Close => "line: closed",
            Self::Silent => "line: silent",
            Self::Rubbish(_) => "line: rubbish",
            Self::TearRequest(_) => "line: request torn",
            Self::TearAnswer(_) => "line: answer torn",
            Self::Drip(..) => "line: dripping",
        }
    }
}

/// A wire that is there until it is dropped.
pub struct Line {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    open: Option<oneshot::Sender<()>>,
    /// When it is dropped, the wire ends.
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
pub(super) struct State {
    /// Where it leads.
    to: Option<SocketAddr>,
    /// What is wrong with the connections to come, by their number; nothing with those beyond.
    kinks: Vec<Option<Kink>>,
    /// How many connections there were since it was last led somewhere.
    number: usize,
    /// What it speaks TLS by, if it does.
    tls: Option<TlsAcceptor>,
    /// How many are open.
    live: usize,
    /// When it began to take connections.
    opened: Option<Instant>,
    /// The kinks that connections ran into.
    met: Vec<Kink>,
    /// Who is let through, by token; everybody where nobody asks.
    gate: Option<Gate>,
    /// How many requests were turned away by it.
    turned_away: usize,
    /// How many requests came over HTTP/2.
    over_http2: usize,
}

/// Tells whether a request with this token is let through.
pub type Gate = Arc<dyn Fn(&str) -> bool + Send + Sync>;

impl Line {
    /// Lays a wire that leads nowhere yet. For so long, or until it is opened, it refuses every
    /// connection.
    pub fn lay(tls: Option<TlsAcceptor>, refuse: Duration) -> Self {
        let state = Arc::new(Mutex::new(State { tls, ..State::default() }));
        let (tell, told) = mpsc::channel();
        let (open, opened) = oneshot::channel();
        let (over, ended) = oneshot::channel::<()>();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
                tell.send(socket.local_addr().unwrap()).unwrap();
                let serve = async {
                    // A socket that is bound and does not listen refuses, and nobody else gets its port.
                    tokio::select! {
                        () = sleep(refuse) => {}
                        _ = opened => {}
                    }
                    let listener = socket.listen(256).unwrap();
                    shared.lock().unwrap().opened = Some(Instant::now());
                    accept(listener, &shared).await
                };
                tokio::select! {
                    () = serve => {}
                    _ = ended => {}
                }
            });
        });
        let address = told.recv().unwrap();
        Self { address, state, open: Some(open), over: Some(over), thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections from now on.
    pub fn open(&mut self) {
        if let Some(open) = self.open.take() {
            // It may have opened by itself.
            _ = open.send(());
        }
    }

    /// Speaks TLS by another certificate from now on.
    pub fn speak(&self, tls: TlsAcceptor) {
        self.state().tls = Some(tls);
    }

    /// Leads the connections to come elsewhere, with these things wrong.
    pub fn lead(&self, to: SocketAddr, kinks: Vec<Option<Kink>>) {
        let mut state = self.state();
        (state.to, state.kinks, state.number) = (Some(to), kinks, 0);
        state.met.clear();
        (state.turned_away, state.over_http2) = (0, 0);
    }

    /// Lets nobody through from now on but those whose token is admitted; the others are told 401.
    pub fn guard(&self, gate: Option<Gate>) {
        self.state().gate = gate;
    }

    /// How many requests were turned away since it was last led somewhere.
    pub fn turned_away(&self) -> usize {
        self.state().turned_away
    }

    /// How many requests came over HTTP/2 since it was last led somewhere.
    pub fn over_http2(&self) -> usize {
        self.state().over_http2
    }

    /// The kinks that connections ran into since it was last led somewhere: what was wrong with one
    /// that nobody used that far is none.
    pub fn met(&self) -> Vec<Kink> {
        self.state().met.clone()
    }

    /// How many connections there were since it was last led somewhere.
    pub fn connections(&self) -> usize {
        self.state().number
    }

    /// When it began to take connections, if it has.
    pub fn opened(&self) -> Option<Instant> {
        self.state().opened
    }

    /// Waits until whoever was connected is gone, and so all that was sent has arrived.
    pub fn settle(&self) {
        let patience = Instant::now() + Duration::from_secs(5);
        while self.state().live > 0 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.over.take();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: &Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (to, kink, tls) = {
            let mut state = state.lock().unwrap();
            let kink = state.kinks.get(state.number).copied().flatten();
            state.number += 1;
            state.live += 1;
            (state.to, kink, state.tls.clone())
        };
        let state = Arc::clone(state);
        connections.spawn(async move {
            // A connection that breaks is over, and this is what they are here for.
            let strike = || state.lock().unwrap().met.extend(kink);
            _ = converse(client, to, kink, tls, &state, &strike).await;
            state.lock().unwrap().live -= 1;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Notes that a kink was run into.
type Strike<'a> = &'a (dyn Fn() + Sync);

async fn converse(
    mut client: TcpStream,
    to: Option<SocketAddr>,
    kink: Option<Kink>,
    tls: Option<TlsAcceptor>,
    state: &Arc<Mutex<State>>,
    strike: Strike<'_>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    match kink {
        Some(Kink::Reset) => {
            strike();
            return client.set_zero_linger();
        }
        Some(Kink::Close) => {
            strike();
            return Ok(());
        }
        Some(Kink::Silent) => {
            strike();
            return swallow(&mut client).await;
        }
        Some(Kink::Rubbish(bytes)) => {
            _ = client.read(&mut [0; 1024]).await?;
            strike();
            return client.write_all(bytes).await;
        }
        // What is torn ends with a reset.
        Some(Kink::TearRequest(_) | Kink::TearAnswer(_)) => client.set_zero_linger()?,
        Some(Kink::Drip(..)) | None => {}
    }
    let to = to.ok_or(io::ErrorKind::NotConnected)?;
    let guarded = state.lock().unwrap().gate.is_some();
    match tls {
        Some(tls) => {
            let client = tls.accept(client).await?;
            let is_http2 = client.get_ref().1.alpn_protocol() == Some(b"h2");
            forth(client, to, guarded || is_http2, kink, state, strike).await
        }
        None => forth(client, to, guarded, kink, state, strike).await,
    }
}

/// Carries bytes to the server as they are; or has requests read on the way, where that is needed.
async fn forth<C: AsyncRead + AsyncWrite + Unpin>(
    client: C,
    to: SocketAddr,
    read: bool,
    kink: Option<Kink>,
    state: &Arc<Mutex<State>>,
    strike: Strike<'_>,
) -> io::Result<()> {
    if !read {
        let server = TcpStream::connect(to).await?;
        server.set_nodelay(true)?;
        return carry(client, server, kink, strike).await;
    }
    let (near, far) = tokio::io::duplex(64 << 10);
    tokio::select! {
        carried = carry(client, near, kink, strike) => carried,
        // What it has answered is still to be carried.
        never = async { _ = bridge::read(far, to, state).await; std::future::pending().await } => never,
    }
}

async fn swallow(client: &mut TcpStream) -> io::Result<()> {
    while client.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}
