//! HTTP/2, if the service offers it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::https_server::{HttpsServer, RecordedRequest, Reply};
use crate::support::{file, flowbind, folder, yaml_binding_connector_1};

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
    file(
        folder.path(),
        "flowbind.yaml",
        yaml_binding_connector_1(&flows.iter().map(String::as_str).collect::<Vec<_>>()),
    );
    let outcome = flowbind(["plan", "--graph-url", &format!("https://{}/beta", https.address)])
        .args(["--ca-file", https.ca_file().to_str().unwrap()])
        .env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Plan: 40 to enable"), "{outcome}");
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1 + 2 + 40);
    assert!(asked.iter().all(|asked| asked.version == hyper::Version::HTTP_2));
}

/// Starts a proxy to a server. It stops forwarding the first connection soon after it was opened, without
/// closing it, so that the system still accepts data.
fn wedged_at_first(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().take(4).enumerate() {
            let (client, server) = (client.unwrap(), TcpStream::connect(to).unwrap());
            let life = if number == 0 { 300 } else { 60_000 };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || carry(from, to, Duration::from_millis(life)));
            }
        }
    });
    address
}

/// Forwards bytes for some time, and then keeps both connections open.
fn carry(mut from: TcpStream, mut to: TcpStream, life: Duration) {
    let began = std::time::Instant::now();
    from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut bytes = [0; 16_384];
    while began.elapsed() < life {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(length) => _ = to.write_all(&bytes[..length]),
            // Forward nothing more.
            Err(_) => {}
        }
    }
    std::thread::sleep(Duration::from_secs(60));
}

/// Its requests are repeated over another connection, and not over the same one until the end of the run.
#[test]
fn unresponsive_http2_connection_is_replaced() {
    let https = HttpsServer::serve(Arc::new(move |asked| {
        let body = if asked.url.contains("/apiConnectors") { r#"{"value": []}"# } else { "{}" };
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(600)).await;
            Reply { status: 200, headers: Vec::new(), body: body.into() }
        })
    }));
    let folder = folder();
    file(
        folder.path(),
        "flowbind.yaml",
        yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "null"),
    );
    let address = wedged_at_first(https.address);
    let outcome = flowbind(["plan", "--graph-url", &format!("https://{address}/beta"), "--timeout", "55"])
        .args(["--ca-file", https.ca_file().to_str().unwrap()])
        .env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
}
