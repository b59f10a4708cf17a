//! Trusted certificate authorities: those of `--ca-file`, and those that variables name in place of the store of the
//! system.

use std::env::split_paths;
use std::path::PathBuf;
use std::{fs, io};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_native_certs::{CertificateResult, Error, ErrorKind, load_certs_from_paths};

use super::client_error::ClientError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Variables that replace the store of the system.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    /// `SSL_CERT_FILE`: a PEM file.
    pub file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: folders of PEM files.
    pub folders: Option<String>,
}

impl TrustStore {
    /// Returns the authorities of the variables; `None` if neither is set. They are read here, because reqwest's verifier
    /// reads the variables on Linux only. Invalid certificates are left out, as in the store of a system.
    ///
    /// # Errors
    /// A variable does not name a file with a certificate, or a folder.
    pub(super) fn load(&self) -> Result<Option<Vec<Certificate>>, ClientError> {
        if self.file.is_none() && self.folders.is_none() {
            return Ok(None);
        }
        let unusable = |variable, path: &str, why: &str| {
            let problem = format!("`{variable}`: cannot use `{path}`: {why}");
            ClientError::UnusableAuthorities { variable, problem }
        };
        let mut found = Vec::new();
        if let Some(path) = &self.file {
            let CertificateResult { certs, errors, .. } = load_certs_from_paths(Some(path), None);
            let unusable = |why: &str| unusable("SSL_CERT_FILE", &path.display().to_string(), why);
            if let Some(error) = errors.iter().find_map(io_error) {
                return Err(unusable(&error.to_string()));
            }
            if certs.is_empty() && errors.is_empty() {
                return Err(unusable("no certificate in the file"));
            }
            found.extend(certs);
        }
        if let Some(folders) = &self.folders {
            let mut read = split_paths(folders).map(fs::read_dir).collect::<Vec<_>>();
            if read.iter().all(Result::is_err)
                && let Some(Err(error)) = read.pop()
            {
                return Err(unusable("SSL_CERT_DIR", folders, &error.to_string()));
            }
            found.extend(
                split_paths(folders).flat_map(|folder| load_certs_from_paths(None, Some(&folder)).certs),
            );
        }
        found.retain(|der| RootCertStore::empty().add(der.clone()).is_ok());
        Ok(Some(found.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()))
    }

    /// Returns the error of a store without usable certificates.
    pub(super) fn empty(&self) -> ClientError {
        let name = match (&self.file, &self.folders) {
            (Some(file), None) => format!(" in `{}` (`SSL_CERT_FILE`)", file.display()),
            (None, Some(folders)) => format!(" in `{folders}` (`SSL_CERT_DIR`)"),
            (Some(_), Some(_)) => " in `SSL_CERT_FILE` and `SSL_CERT_DIR`".to_owned(),
            (None, None) => return ClientError::NoAuthorities,
        };
        let variable = if self.file.is_some() { "SSL_CERT_FILE" } else { "SSL_CERT_DIR" };
        ClientError::UnusableAuthorities { variable, problem: format!("no certificate authorities{name}") }
    }
}

fn io_error(error: &Error) -> Option<&io::Error> {
    match &error.kind {
        ErrorKind::Io { inner, .. } => Some(inner),
        _ => None,
    }
}

/// Parses a PEM file of certificate authorities.
///
/// # Errors
/// It has no certificate, or one of them is invalid: a run must not trust fewer authorities than the file has.
pub(super) fn parse_authorities(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    let text = String::from_utf8_lossy(pem);
    let blocks: Vec<_> = text.split(BEGIN).collect();
    let Some((before, blocks)) = blocks.split_first() else { return Err(ClientError::NoCertificate) };
    if blocks.is_empty() {
        return Err(ClientError::NoCertificate);
    }
    let mut line = lines(before).saturating_add(1);
    let mut certificates = Vec::new();
    for block in blocks {
        let number = certificates.len().saturating_add(1);
        let invalid = || ClientError::InvalidCertificate { number, of: blocks.len(), line };
        let der =
            CertificateDer::from_pem_slice(format!("{BEGIN}{block}").as_bytes()).map_err(|_| invalid())?;
        RootCertStore::empty().add(der.clone()).map_err(|_| invalid())?;
        certificates.push(Certificate::from_der(&der).map_err(|_| invalid())?);
        line = line.saturating_add(lines(block));
    }
    Ok(certificates)
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}
