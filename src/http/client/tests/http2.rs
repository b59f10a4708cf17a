//! Requests that an HTTP/2 server did not process. The server writes its frames as bytes, because no library refuses
//! streams in these ways.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::*;

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
enum Reply {
    /// 200 without a body.
    Ok,
    /// RST_STREAM with REFUSED_STREAM.
    Refuse,
    /// GOAWAY whose last stream is before the request, and the end of the connection.
    GoAway,
}

/// Starts a server, and returns its URL, connections that trust it, and the folder of its authority. `reply` gets the
/// number of requests before.
async fn serve(reply: impl Fn(u32) -> Reply + Send + Sync + 'static) -> (String, Connections, TempDir) {
    let (ca_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = config.with_single_cert(vec![certificate.der().clone()], key.into()).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/beta", listener.local_addr().unwrap());
    let reply = Arc::new(reply);
    let requests = Arc::new(std::sync::atomic::AtomicU32::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, reply, requests) = (acceptor.clone(), Arc::clone(&reply), Arc::clone(&requests));
            let next = move || reply(requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            // A client may disconnect at any time.
            tokio::spawn(async move { handle(stream, &acceptor, next).await });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let trust_store = TrustStore { file: Some(file), folders: None };
    (url, Connections::default().with_environment(Proxies::default(), trust_store), folder)
}

/// Returns a frame (<https://www.rfc-editor.org/rfc/rfc9113.html#section-4.1>).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

async fn handle(stream: TcpStream, acceptor: &TlsAcceptor, next: impl Fn() -> Reply) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, s, t, u, v] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes([s, t, u, v]);
        let answer = match (kind, flags) {
            (SETTINGS, 0) => frame(SETTINGS, 1, 0, &[]),
            (HEADERS, _) => match next() {
                // END_STREAM and END_HEADERS; `:status: 200` of the static table.
                Reply::Ok => frame(HEADERS, 5, id, &[0x88]),
                Reply::Refuse => frame(RST_STREAM, 0, id, &7_u32.to_be_bytes()),
                Reply::GoAway => {
                    stream.write_all(&frame(GOAWAY, 0, 0, &[0; 8])).await?;
                    return stream.shutdown().await;
                }
            },
            _ => continue,
        };
        stream.write_all(&answer).await?;
    }
}

#[tokio::test(start_paused = true)]
async fn unprocessed_request_is_sent_again_without_a_pause() {
    for reply in [Reply::Refuse, Reply::GoAway] {
        for method in [Method::GET, Method::PUT] {
            let (url, connections, _folder) =
                serve(move |before| if before < 3 { reply } else { Reply::Ok }).await;
            let client = client(connections, 200);
            let answer = client.send(&request(method, &url, RetryBudget::UntilDeadline)).await.unwrap();
            assert_eq!((answer.status, answer.attempts), (200, 4), "{reply:?}");
            let figures = client.limits.settings.meter.figures();
            assert_eq!((figures.requests, figures.waited), (1, Duration::ZERO), "{reply:?}");
        }
    }
}

/// The paused clock also advances while a connection of the test is slow, which can cut off the last attempt. The request
/// is then sent again.
#[tokio::test(start_paused = true)]
async fn put_that_is_never_processed_has_not_acted() {
    for reply in [Reply::Refuse, Reply::GoAway] {
        let mut tries = 0;
        let (client, url, error, time) = loop {
            let (url, connections, _folder) = serve(move |_| reply).await;
            let client = client(connections, 200);
            let began = Instant::now();
            let error =
                client.send(&request(Method::PUT, &url, RetryBudget::UntilDeadline)).await.unwrap_err();
            tries += 1;
            let is_cut_off = matches!(
                error.kind,
                SendErrorKind::Broken(FailureReason::NoAnswer(_)) | SendErrorKind::Unreachable(_)
            );
            if !is_cut_off || tries == 20 {
                break (client, url, error, began.elapsed());
            }
        };
        let is_unprocessed = matches!(error.kind, SendErrorKind::Broken(FailureReason::NotProcessed(_)));
        assert!(is_unprocessed && !error.may_have_acted, "{reply:?}: {error}");
        assert!((6..=11).contains(&error.attempts), "{reply:?}: {error}");
        // Attempts and pauses take 45 s.
        assert!(time <= Duration::from_secs(60), "{reply:?}: {time:?}");
        assert!(!client.host(&url.parse().unwrap()).is_failing(), "{reply:?}");
    }
}
