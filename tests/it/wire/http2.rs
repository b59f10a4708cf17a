//! HTTP/2, if the service offers it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::https_server::{HttpsServer, RecordedRequest, Reply};
use crate::support::{Background, file, flowbind, folder, yaml_binding_connector_1};

#[test]
fn reads_share_one_http2_connection() {
    let asked = Arc::<Mutex<Vec<RecordedRequest>>>::default();
    let heard = Arc::clone(&asked);
    let https = HttpsServer::serve(Arc::new(move |asked| {
        let body = if asked.url.contains("/apiConnectors") {
            r#"{"value": [{"id": "00000000-0000-4000-8000-000000000001", "displayName": "Connector 1"}]}"#
        } else {
            "{}"
        };
        let status = if asked.url.contains("$batch") { 404 } else { 200 };
        heard.lock().unwrap().push(asked);
        Box::pin(async move { Reply { status, headers: Vec::new(), body: body.into() } })
    }));
    let folder = folder();
    let flows: Vec<_> = (0..40).map(|flow| format!("B2C_1_{flow}")).collect();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    let outcome = flowbind(["plan"])
        .args(["--ca-file", https.ca_file().to_str().unwrap()])
        .connect_to(&format!("https://{}/beta", https.address))
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Plan: 40 to enable"), "{outcome}");
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1 + 2 + 40);
    assert!(asked.iter().all(|asked| asked.version == hyper::Version::HTTP_2));
}

/// Starts a proxy to a server. If `wedged` is set, its first connection forwards no more responses and
/// stays open, so that the system still accepts data.
fn wedged_at_first(to: SocketAddr, wedged: Arc<AtomicBool>) -> (Background, SocketAddr) {
    let connections = AtomicUsize::new(0);
    Background::serve(move |mut client| {
        let is_first = connections.fetch_add(1, Ordering::SeqCst) == 0;
        let wedged = Arc::clone(&wedged);
        async move {
            let mut server = TcpStream::connect(to).await.unwrap();
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            let responses = async {
                let mut bytes = [0; 16_384];
                loop {
                    let read = from_server.read(&mut bytes).await?;
                    if is_first && wedged.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    to_client.write_all(&bytes[..read]).await?;
                    if read == 0 {
                        return std::io::Result::Ok(());
                    }
                }
            };
            // An error means that the client or the server has disconnected.
            tokio::select! {
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                _ = responses => {}
            }
        }
    })
}

/// Its requests are repeated over another connection, and not over the same one until the end of the run.
#[test]
fn unresponsive_http2_connection_is_replaced() {
    let wedged = Arc::<AtomicBool>::default();
    let asked = Arc::clone(&wedged);
    let https = HttpsServer::serve(Arc::new(move |_| {
        asked.store(true, Ordering::SeqCst);
        Box::pin(async { Reply { status: 200, headers: Vec::new(), body: "{}".into() } })
    }));
    let folder = folder();
    file(
        folder.path(),
        "flowbind.yaml",
        yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "null"),
    );
    let (_proxy, address) = wedged_at_first(https.address, wedged);
    let outcome = flowbind(["plan", "--timeout", "55"])
        .args(["--ca-file", https.ca_file().to_str().unwrap()])
        .connect_to(&format!("https://{address}/beta"))
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
}
