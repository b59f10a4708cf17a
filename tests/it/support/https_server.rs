//! HTTPS server on loopback, with HTTP/2 if the client offers it. Its certificate is signed by a
//! certificate authority made for the test. It is also a proxy that resolves every host name to itself.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::Background;

/// Host names for which valid certificates are issued.
const HOST_NAMES: [&str; 14] = [
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
    "graph.new.cloud",
    "login.new.cloud",
];

/// Request as the server received it.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    pub method: String,
    /// `https://host/path?query`, with the host of the request and without a port.
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub version: hyper::Version,
}

/// Response to send.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Returns the response to a request.
pub type Handler = Arc<dyn Fn(RecordedRequest) -> BoxFuture<'static, Reply> + Send + Sync>;

/// Server that runs until it is dropped.
pub struct HttpsServer {
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    _background: Background,
}

impl HttpsServer {
    pub fn serve(handler: Handler) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let acceptor = acceptor(&folder, &["h2", "http/1.1"]);
        let (background, address) = Background::serve(move |stream| {
            let connection = handle_connection(stream, acceptor.clone(), Arc::clone(&handler));
            // A client may disconnect at any time.
            connection.map(|_| ())
        });
        Self { address, folder, _background: background }
    }

    /// Returns the path of the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

/// Creates a TLS configuration with a new authority and these protocols. Writes the authority's
/// certificate to `ca.pem` in the folder.
pub fn acceptor(folder: &tempfile::TempDir, protocols: &[&str]) -> TlsAcceptor {
    CertificateAuthority::new(folder).acceptor(CertificateKind::Valid, protocols)
}

/// Certificate authority of a test.
pub struct CertificateAuthority(Issuer<'static, KeyPair>);

/// Kind of a server certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    Valid,
    /// Its validity has ended.
    Expired,
    /// It is issued for another host name.
    WrongHost,
}

impl CertificateAuthority {
    /// Creates an authority and writes its certificate to `ca.pem` in the folder.
    pub fn new(folder: &tempfile::TempDir) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        Self(Issuer::new(params, key))
    }

    /// Creates a TLS configuration with a certificate of this authority and these protocols.
    pub fn acceptor(&self, kind: CertificateKind, protocols: &[&str]) -> TlsAcceptor {
        let names = match kind {
            CertificateKind::WrongHost => vec!["elsewhere.example.com".to_owned()],
            CertificateKind::Valid | CertificateKind::Expired => HOST_NAMES.map(str::to_owned).to_vec(),
        };
        let mut params = CertificateParams::new(names).unwrap();
        if kind == CertificateKind::Expired {
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

/// Serves one connection, after the `CONNECT` handshake if the client uses the server as a proxy.
async fn handle_connection(stream: TcpStream, acceptor: TlsAcceptor, handler: Handler) -> io::Result<()> {
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
        let handler = Arc::clone(&handler);
        async move {
            let reply = handler(record(request).await).await;
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

async fn record(request: Request<Incoming>) -> RecordedRequest {
    let (parts, body) = request.into_parts();
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    let headers: BTreeMap<_, _> = parts.headers.iter().map(header).collect();
    // HTTP/2 sends the host in the URI.
    let host = parts.uri.host().unwrap_or_else(|| headers["host"].split(':').next().unwrap());
    RecordedRequest {
        method: parts.method.to_string(),
        url: format!("https://{host}{}", parts.uri.path_and_query().unwrap()),
        version: parts.version,
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        headers,
    }
}
