//! Errors of the setup of an HTTP client.

/// Error of the setup of an HTTP client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A certificate in the file of certificate authorities is invalid.
    #[error("certificate {number} of {of}, in line {line}, is invalid")]
    InvalidCertificate {
        /// Number of the certificate, from 1.
        number: usize,
        /// Number of certificates in the file.
        of: usize,
        /// Line of its beginning, from 1.
        line: usize,
    },
    /// The file of certificate authorities has no certificate.
    #[error("no certificate in the file")]
    NoCertificate,
    /// The system has no certificate authorities.
    #[error("no certificate authorities on this system")]
    NoAuthorities,
    /// What a variable names in place of the store of the system is not usable, or has no certificate authorities.
    #[error("{problem}")]
    UnusableAuthorities {
        /// Name of the variable; that of the file if both are set.
        variable: &'static str,
        /// Message.
        problem: String,
    },
    /// The client cannot be built.
    #[error("{0}")]
    Build(String),
    /// A request cannot be built.
    #[error("{0}")]
    Request(String),
}

impl ClientError {
    /// Returns the hint, if what to do is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoAuthorities => Some(
                "install the package `ca-certificates`, or set `SSL_CERT_FILE` to a PEM file with certificate authorities, \
                 or pass one with `--ca-file`",
            ),
            Self::UnusableAuthorities { variable: "SSL_CERT_DIR", .. } => {
                Some("set `SSL_CERT_DIR` to folders with PEM files of certificate authorities, or unset it")
            }
            Self::UnusableAuthorities { .. } => {
                Some("set `SSL_CERT_FILE` to a PEM file with certificate authorities, or unset it")
            }
            _ => None,
        }
    }
}
