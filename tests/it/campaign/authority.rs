//! Who signs the certificates that scenarios meet, good ones and others.

use std::path::PathBuf;

use tokio_rustls::TlsAcceptor;

use super::scenario::Tls;
use crate::support::folder;
use crate::support::https::{self, Certified};

/// Who signs the certificates of all scenarios, and TLS by each kind of them.
pub struct Authority {
    folder: tempfile::TempDir,
    good: TlsAcceptor,
    http2: TlsAcceptor,
    expired: TlsAcceptor,
    misnamed: TlsAcceptor,
}

impl Authority {
    pub fn found() -> Self {
        let folder = folder();
        let authority = https::Authority::found(&folder);
        let http1 = |certified| authority.acceptor(certified, &["http/1.1"]);
        Self {
            good: http1(Certified::Good),
            http2: authority.acceptor(Certified::Good, &["h2", "http/1.1"]),
            expired: http1(Certified::Expired),
            misnamed: http1(Certified::Misnamed),
            folder,
        }
    }

    pub fn acceptor(&self, tls: Tls) -> Option<TlsAcceptor> {
        let acceptor = match tls {
            Tls::None | Tls::Missing => return None,
            Tls::Trusted | Tls::Untrusted => &self.good,
            Tls::Http2 => &self.http2,
            Tls::Expired => &self.expired,
            Tls::Misnamed => &self.misnamed,
        };
        Some(acceptor.clone())
    }

    /// TLS that every run trusts that knows the authority.
    pub fn good(&self) -> TlsAcceptor {
        self.http2.clone()
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}
