//! Why a request got no answer. Errors of lower layers are classified by their types, never by their texts.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::iter::successors;
use std::time::Duration;

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::connections::CONNECT_TIMEOUT;
use super::proxies::Route;
use super::resolve::ResolveError;
use super::truncate::truncate;

/// A host that cannot be reached, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot reach {host}{}: {reason}", through(.route))]
pub struct Unreachable {
    /// The host, with its port if the port is not the default one. Without user info and path.
    pub host: String,
    /// How the host is reached.
    pub route: Route,
    /// The reason.
    pub reason: FailureReason,
}

fn through(route: &Route) -> String {
    match route {
        Route::Proxy { address, .. } => format!(" through the proxy {address}"),
        Route::Local | Route::Direct | Route::NoProxy(_) => String::new(),
    }
}

/// Reason why a host did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailureReason {
    /// The name of the host, or of the proxy, has no address.
    #[error("name not resolved: {0}")]
    NameNotResolved(String),
    /// Nothing listens on the port.
    #[error("connection refused")]
    Refused,
    /// The connection was closed before it could be used.
    #[error("connection reset")]
    Reset,
    /// There is no route to the host.
    #[error("network unreachable: {0}")]
    NetworkUnreachable(String),
    /// The connection was not established in time.
    #[error("no connection within {} s", .0.as_secs())]
    ConnectTimeout(Duration),
    /// The certificate was rejected.
    #[error("certificate not trusted: {0}")]
    CertificateNotTrusted(String),
    /// The certificate is valid at another time than the clock of this machine shows.
    #[error("certificate not trusted: {0}")]
    CertificateNotCurrent(String),
    /// The TLS handshake failed for another reason than the certificate.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// The proxy did not open a tunnel.
    #[error("the proxy did not connect: {0}")]
    Proxy(String),
    /// The proxy answered the request for a tunnel with this status.
    #[error("the proxy answered {0}")]
    ProxyRejected(u16),
    /// The request was sent, and no answer came in time.
    #[error("no answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The request was sent, and the connection ended before the answer was complete.
    #[error("the connection ended before the answer was complete: {0}")]
    Interrupted(String),
    /// The service did not process the request, so that it may be sent again at once.
    #[error("not processed by the service: {0}")]
    NotProcessed(String),
    /// This system allows no further file or thread.
    #[error("a limit of this system is reached: {0}")]
    SystemLimit(String),
    /// None of these.
    #[error("{0}")]
    Other(String),
}

/// Failure of an attempt that got no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttemptFailure {
    pub(super) reason: FailureReason,
    /// Whether another attempt would fail in the same way.
    pub(super) is_permanent: bool,
}

impl AttemptFailure {
    /// Creates a failure after which another attempt may succeed.
    pub(super) fn transient(reason: FailureReason) -> Self {
        Self { reason, is_permanent: false }
    }

    /// Creates the failure of a proxy that answered with this status. Permanent is every 4xx that does not depend on
    /// the time, such as 407 without credentials and 403 for a host that is not allowed.
    pub(super) fn from_proxy_status(status: u16) -> Self {
        let is_permanent = matches!(status, 400..500) && !matches!(status, 408 | 425 | 429);
        Self { reason: FailureReason::ProxyRejected(status), is_permanent }
    }

    /// Classifies an error of the connection phase by its innermost cause: name resolution, TLS, I/O or
    /// timeout. Any other error is `Proxy` if `is_proxied`, else `Other`. Only a TLS error can be permanent.
    pub(super) fn to_connect(error: &reqwest::Error, is_proxied: bool) -> Self {
        if let Some(ResolveError { source }) = find(error) {
            if is_system_limit(source) {
                return Self::transient(FailureReason::SystemLimit(source.to_string()));
            }
            return Self::transient(FailureReason::NameNotResolved(truncate(source.to_string())));
        }
        if let Some(tls) = find::<TlsError>(error) {
            return Self::from_tls(tls);
        }
        let reason = match io_error(error) {
            Some(io) => from_io(io),
            None => error.is_timeout().then_some(FailureReason::ConnectTimeout(CONNECT_TIMEOUT)),
        };
        Self::transient(reason.unwrap_or_else(|| {
            let message = truncate(root_message(error));
            if is_proxied { FailureReason::Proxy(message) } else { FailureReason::Other(message) }
        }))
    }

    /// Classifies a TLS error. Permanent are a rejected or missing certificate, an incompatible peer, a
    /// general error, and every alert of the peer except an internal error. Any other failed handshake may
    /// succeed in the next attempt.
    fn from_tls(error: &TlsError) -> Self {
        let is_permanent = match error {
            TlsError::AlertReceived(alert) => *alert != AlertDescription::InternalError,
            TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented => true,
            TlsError::PeerIncompatible(_) | TlsError::General(_) => true,
            _ => false,
        };
        // Without the time of day, the text is the same for all tenants of a run.
        let dated = |what, date: u64, now: u64| {
            let at = |seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok();
            let (date, now) = (at(date)?, at(now)?.strftime("%Y-%m-%d"));
            let text = format!("{what} {date}, and the clock of this machine shows {now}");
            Some(FailureReason::CertificateNotCurrent(text))
        };
        let reason = match error {
            TlsError::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
                dated("expired at", not_after.as_secs(), time.as_secs())
            }
            TlsError::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) => {
                dated("not valid before", not_before.as_secs(), time.as_secs())
            }
            // The verifiers of Windows and macOS return no dates.
            TlsError::InvalidCertificate(CertificateError::Expired) => {
                Some(FailureReason::CertificateNotCurrent("expired".into()))
            }
            TlsError::InvalidCertificate(CertificateError::NotValidYet) => {
                Some(FailureReason::CertificateNotCurrent("not valid yet".into()))
            }
            TlsError::InvalidCertificate(it) => {
                Some(FailureReason::CertificateNotTrusted(truncate(it.to_string())))
            }
            _ => None,
        };
        let reason = reason.unwrap_or_else(|| FailureReason::Tls(truncate(error.to_string())));
        Self { reason, is_permanent }
    }
}

impl FailureReason {
    /// Returns `NotProcessed` if the error proves that the service did not process the request, else `None`: a
    /// stream that the service refused, one after the last stream of its GOAWAY, or a connection that was closed
    /// before the request was written (<https://www.rfc-editor.org/rfc/rfc9113.html#section-8.7>).
    pub(super) fn not_processed(error: &reqwest::Error) -> Option<Self> {
        let is_refused = |error: &&h2::Error| {
            let is_refused_stream = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            error.is_remote() && (error.is_go_away() || is_refused_stream)
        };
        let refused = find::<h2::Error>(error).filter(is_refused).map(ToString::to_string);
        let unwritten = || {
            find::<hyper::Error>(error).filter(|error| error.is_canceled()).map(|error| root_message(error))
        };
        Some(Self::NotProcessed(truncate(refused.or_else(unwritten)?)))
    }

    /// Returns `NoAnswer` with `waited` if the error of a request that was sent is a timeout, otherwise
    /// `Interrupted` with the message of the innermost cause.
    pub(super) fn from_sent_request(error: &reqwest::Error, waited: Duration) -> Self {
        if error.is_timeout() {
            return Self::NoAnswer(waited);
        }
        let message = io_error(error).map_or_else(|| root_message(error), ToString::to_string);
        Self::Interrupted(truncate(message))
    }
}

fn from_io(error: &io::Error) -> Option<FailureReason> {
    match error.kind() {
        _ if is_system_limit(error) => Some(FailureReason::SystemLimit(error.to_string())),
        ErrorKind::ConnectionRefused => Some(FailureReason::Refused),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(FailureReason::Reset),
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
            Some(FailureReason::NetworkUnreachable(truncate(error.to_string())))
        }
        ErrorKind::TimedOut => Some(FailureReason::ConnectTimeout(CONNECT_TIMEOUT)),
        _ => None,
    }
}

/// Returns whether the reason of an error is a limit of files or threads.
fn is_system_limit(error: &io::Error) -> bool {
    // ENFILE and EMFILE have these numbers on every Unix.
    let no_file: &[i32] = if cfg!(windows) { &[10_024] } else { &[23, 24] };
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error().is_some_and(|code| no_file.contains(&code))
}

/// Returns the error and its causes, outermost first. An `io::Error` hides the error that it wraps from `source`.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    })
}

/// Returns the innermost error of type `T` among an error and its causes; `None` if there is none.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    chain(error).filter_map(|error| error.downcast_ref()).last()
}

/// Returns the innermost I/O error, among an error and its causes, whose kind is not `Other`.
fn io_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .filter(|error| error.kind() != ErrorKind::Other)
        .last()
}

/// Returns the message of the innermost cause that has one; empty if none has.
pub(super) fn root_message(error: &(dyn Error + 'static)) -> String {
    chain(error).map(ToString::to_string).filter(|message| !message.is_empty()).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::UnixTime;

    use super::*;

    #[test]
    fn certificate_that_is_not_current_has_the_dates_if_the_system_returns_them() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (time, other) = (at(1_795_963_904), at(1_609_459_200));
        for (error, expected) in [
            (
                CertificateError::ExpiredContext { time, not_after: other },
                "expired at 2021-01-01T00:00:00Z, and the clock of this machine shows 2026-11-29",
            ),
            (
                CertificateError::NotValidYetContext { time, not_before: other },
                "not valid before 2021-01-01T00:00:00Z, and the clock of this machine shows 2026-11-29",
            ),
            (CertificateError::Expired, "expired"),
            (CertificateError::NotValidYet, "not valid yet"),
        ] {
            let failure = AttemptFailure::from_tls(&TlsError::InvalidCertificate(error));
            assert_eq!(failure.reason, FailureReason::CertificateNotCurrent(expected.to_owned()));
            assert!(failure.is_permanent);
        }
    }
}
