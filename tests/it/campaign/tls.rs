//! TLS configurations of the scenarios, with valid and invalid certificates.

use std::path::PathBuf;

use tokio_rustls::TlsAcceptor;

use super::scenario::Tls;
use crate::support::folder;
use crate::support::https_server::{CertificateAuthority, CertificateKind};

/// Certificate authority shared by all scenarios, and a TLS configuration per kind of certificate.
pub struct TlsAcceptors {
    folder: tempfile::TempDir,
    valid: TlsAcceptor,
    valid_http2: TlsAcceptor,
    expired: TlsAcceptor,
    wrong_host: TlsAcceptor,
}

impl TlsAcceptors {
    pub fn new() -> Self {
        let folder = folder();
        let authority = CertificateAuthority::new(&folder);
        let http1 = |kind| authority.acceptor(kind, &["http/1.1"]);
        Self {
            valid: http1(CertificateKind::Valid),
            valid_http2: authority.acceptor(CertificateKind::Valid, &["h2", "http/1.1"]),
            expired: http1(CertificateKind::Expired),
            wrong_host: http1(CertificateKind::WrongHost),
            folder,
        }
    }

    /// Returns the configuration of the server, `None` for plain HTTP.
    pub fn acceptor(&self, tls: Tls) -> Option<TlsAcceptor> {
        let acceptor = match tls {
            Tls::None | Tls::NotSpoken => return None,
            Tls::Trusted | Tls::Untrusted => &self.valid,
            Tls::TrustedHttp2 => &self.valid_http2,
            Tls::Expired => &self.expired,
            Tls::WrongHost => &self.wrong_host,
        };
        Some(acceptor.clone())
    }

    /// Returns a configuration that a run with `--ca-file` trusts.
    pub fn trusted(&self) -> TlsAcceptor {
        self.valid_http2.clone()
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}
