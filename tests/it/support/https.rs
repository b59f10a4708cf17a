//! An https server on loopback, over HTTP/2 where that is asked for, whose certificate an authority made
//! for the test has signed. It is a proxy as well: through it every name leads to itself.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// Everybody whom a test may ask by name.
const NAMES: [&str; 12] = [
    "127.0.0.1",
    "0.0.0.0",
    "localhost",
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.chinacloudapi.cn",
    "issuer.example.com",
    "elsewhere.example.com",
];

/// What somebody asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// `https://host/path?query`; the host as it was named, a port of loopback left out.
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub version: hyper::Version,
}

/// What somebody is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Answers whatever is asked.
pub type Answer = Arc<dyn Fn(Asked) -> BoxFuture<'static, Reply> + Send + Sync>;

/// A server that serves until it is dropped.
pub struct Https {
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    /// When it is dropped, the server ends.
    _alive: tokio::sync::oneshot::Sender<()>,
}

impl Https {
    pub fn serve(answer: Answer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let acceptor = acceptor(&folder, &["h2", "http/1.1"]);
        let (tell, told) = mpsc::channel();
        let (alive, over) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let accept = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&answer)));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = over => {}
                }
            });
        });
        Self { address: told.recv().unwrap(), folder, _alive: alive }
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// TLS by a certificate that an authority made for it has signed, whose own one is put into the folder
/// as `ca.pem`, and that offers these protocols.
pub fn acceptor(folder: &tempfile::TempDir, protocols: &[&str]) -> TlsAcceptor {
    Authority::found(folder).acceptor(Certified::Good, protocols)
}

/// Who signs certificates for a test.
pub struct Authority(Issuer<'static, KeyPair>);

/// Whether a certificate is one to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certified {
    Good,
    /// It was good once.
    Expired,
    /// It is another server's.
    Misnamed,
}

impl Authority {
    /// Makes one, and puts its own certificate into the folder as `ca.pem`.
    pub fn found(folder: &tempfile::TempDir) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        Self(Issuer::new(params, key))
    }

    /// TLS by a certificate that it signs, and that offers these protocols.
    pub fn acceptor(&self, certified: Certified, protocols: &[&str]) -> TlsAcceptor {
        let names = match certified {
            Certified::Misnamed => vec!["elsewhere.example.com".to_owned()],
            Certified::Good | Certified::Expired => NAMES.map(str::to_owned).to_vec(),
        };
        let mut params = CertificateParams::new(names).unwrap();
        if certified == Certified::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let certificates = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(certificates, key.into()).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Serves one connection, as a proxy where that is asked for. One that breaks is over.
async fn converse(stream: TcpStream, acceptor: TlsAcceptor, answer: Answer) -> io::Result<()> {
    let mut first = [0; 8];
    while stream.peek(&mut first).await? < first.len() && first.starts_with(b"C") {}
    let mut stream = BufReader::new(stream);
    if first == *b"CONNECT " {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await?;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    }
    let stream = acceptor.accept(stream).await?;
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let reply = answer(asked(request).await).await;
            let mut response = Response::builder().status(reply.status);
            for (name, value) in &reply.headers {
                response = response.header(name, value);
            }
            Ok::<_, hyper::Error>(response.body(Full::new(Bytes::from(reply.body))).unwrap())
        }
    });
    let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    http.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

async fn asked(request: Request<Incoming>) -> Asked {
    let (parts, body) = request.into_parts();
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    let headers: BTreeMap<_, _> = parts.headers.iter().map(header).collect();
    // HTTP/2 names the host in the address.
    let host = parts.uri.host().unwrap_or_else(|| headers["host"].split(':').next().unwrap());
    Asked {
        method: parts.method.to_string(),
        url: format!("https://{host}{}", parts.uri.path_and_query().unwrap()),
        version: parts.version,
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        headers,
    }
}
