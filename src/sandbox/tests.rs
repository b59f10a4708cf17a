//! Tests of the sandbox over real TCP connections.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::snapshot::Step;

const CONNECTORS: &str = "/beta/identity/apiConnectors";
const STEP: &str = "/beta/identity/b2cUserFlows/B2C_1_a/apiConnectorConfiguration/postFederationSignup/$ref";
const BIND: &str = r#"{"@odata.id":"https://graph.microsoft.com/beta/identity/apiConnectors/c1"}"#;

fn snapshot() -> Snapshot {
    let json = r#"{ "formatVersion": "1", "tenant": "t", "cloud": "global", "takenAt": "",
        "connectors": [{ "id": "c1" }],
        "flows": [{ "id": "B2C_1_a", "userFlowType": "signUp", "userFlowTypeVersion": 1, "bindings": {} }] }"#;
    Snapshot::parse(json).unwrap()
}

async fn start(options: Options) -> Sandbox {
    Sandbox::start(snapshot(), options, None, None).await.unwrap()
}

async fn start_with(path: &str, effect: Effect) -> Sandbox {
    let fault = Fault { method: None, path_contains: path.into(), skip: 0, times: Some(1), effect };
    start(Options { faults: vec![fault], ..Options::default() }).await
}

fn request(method: &str, target: &str, body: &str, connection: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer t\r\nConnection: {connection}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends bytes over one connection and reads until it is closed. Runs on a blocking thread.
async fn exchange(sandbox: &Sandbox, sent: String) -> String {
    let address = sandbox.url().strip_prefix("http://").unwrap().to_owned();
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut received = Vec::new();
        read_until_closed(stream.read_to_end(&mut received));
        String::from_utf8(received).unwrap()
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

/// Returns the number of bytes read before the connection was closed or reset. Panics if the
/// connection is still open.
fn read_until_closed(read: io::Result<usize>) -> usize {
    read.unwrap_or_else(|error| {
        let is_timeout = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_timeout, "the connection is still open: {error}");
        0
    })
}

fn is_bound(sandbox: &Sandbox) -> bool {
    sandbox.snapshot().flows[0].bindings.get(&Step::PostFederationSignup).is_some_and(Option::is_some)
}

#[tokio::test]
async fn connection_with_several_requests_serves_all() {
    let sandbox = start(Options::default()).await;
    let requests = [
        request("PUT", STEP, BIND, "keep-alive"),
        request("GET", CONNECTORS, "", "keep-alive"),
        request("GET", "/beta/users", "", "close"),
    ];
    let received = exchange(&sandbox, requests.concat()).await;
    let statuses: Vec<_> = received.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
    assert_eq!(statuses, ["204", "200", "404"]);
    assert!(received.contains("\r\nrequest-id: "));
    assert!(is_bound(&sandbox));
}

#[tokio::test]
async fn drop_after_executes_the_request_without_a_response() {
    let sandbox = start_with("$ref", Effect::DropAfter).await;
    assert_eq!(exchange(&sandbox, request("PUT", STEP, BIND, "close")).await, "");
    assert!(is_bound(&sandbox));
}

#[tokio::test]
async fn truncate_announces_more_bytes_than_it_sends() {
    for (method, target, body, sends_some) in [("PUT", STEP, BIND, false), ("GET", CONNECTORS, "", true)] {
        let sandbox = start_with("identity", Effect::Truncate).await;
        let received = exchange(&sandbox, request(method, target, body, "close")).await;
        let (head, sent) = received.split_once("\r\n\r\n").unwrap();
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(announced.parse::<usize>().unwrap(), sent.len() + 64, "{received}");
        assert_eq!(!sent.is_empty(), sends_some);
    }
}

#[tokio::test]
async fn request_with_too_large_a_body_gets_a_413() {
    let sandbox = start(Options::default()).await;
    let head = format!("PUT {STEP} HTTP/1.1\r\nHost: sandbox\r\nContent-Length: {}\r\n\r\n", 5 << 20);
    assert!(exchange(&sandbox, head).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn start_on_a_public_address_fails() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let result = Sandbox::start(snapshot(), Options { listen, ..Options::default() }, None, None).await;
    let Err(error) = result else { panic!("the sandbox listens") };
    assert_eq!(error.to_string(), "`0.0.0.0:0` is not a loopback address");
}

#[tokio::test]
async fn stop_closes_the_listener_and_hanging_connections() {
    let sandbox = start_with("identity", Effect::Hang).await;
    let address = sandbox.url().strip_prefix("http://").unwrap().to_owned();
    let mut open = TcpStream::connect(&address).unwrap();
    open.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    open.write_all(request("GET", CONNECTORS, "", "close").as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    sandbox.stop().await;
    assert_eq!(read_until_closed(open.read(&mut [0; 8])), 0, "the hanging connection is closed");
    assert!(TcpStream::connect(&address).is_err());
}
