//! Status of a proxy that opens no tunnel. The error of hyper-util does not contain it, so the proxy is asked again.

use std::time::Duration;

use hyper_util::client::proxy::matcher::Intercept;
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time for the response of the proxy.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks a proxy for a tunnel to the host of a URL. Returns the status of its response, except for 2xx. `None` also if
/// there is none in time, or if the proxy is connected to with TLS.
pub(super) async fn rejection_status(proxy: &Intercept, url: &Url) -> Option<u16> {
    let status = timeout(TIMEOUT, status(proxy, url)).await.ok().flatten();
    status.filter(|status| !(200..300).contains(status))
}

async fn status(proxy: &Intercept, url: &Url) -> Option<u16> {
    let uri = proxy.uri();
    let address = uri.host()?.trim_matches(['[', ']']);
    if uri.scheme_str() != Some("http") {
        return None;
    }
    let mut stream = TcpStream::connect((address, uri.port_u16().unwrap_or(80))).await.ok()?;
    let host = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let mut request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n").into_bytes();
    if let Some(authorization) = proxy.basic_auth() {
        request.extend([b"Proxy-Authorization: ", authorization.as_bytes(), b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await.ok()?;
    // The status follows the version: `HTTP/1.1 407 …`.
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.ok()?;
    let line = str::from_utf8(&line).ok()?.strip_prefix("HTTP/1.")?;
    line.split_once(' ')?.1.parse().ok()
}
