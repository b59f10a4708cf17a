//! Trusted certificate authorities: those of a file, and the store of the system.

use std::env::split_paths;
use std::fs;
use std::path::PathBuf;

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::client_error::ClientError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Variables that replace the store of the system. macOS and Windows have no such variables.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    /// `SSL_CERT_FILE`: a PEM file.
    pub file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: folders of PEM files.
    pub folders: Option<String>,
}

impl TrustStore {
    /// Checks that the variables name a file with a certificate and a folder, without parsing the certificates: rustls
    /// ignores a file or folder that it cannot read.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        if cfg!(not(unix)) || cfg!(target_vendor = "apple") {
            return Ok(());
        }
        let unusable = |variable: &str, path: &str, why: &str| {
            Err(ClientError::TrustStore(format!("`{variable}`: cannot use `{path}`: {why}")))
        };
        if let Some(path) = &self.file {
            let name = path.display().to_string();
            match fs::read(path) {
                Ok(text) if String::from_utf8_lossy(&text).contains(BEGIN) => {}
                Ok(_) => return unusable("SSL_CERT_FILE", &name, "no certificate in the file"),
                Err(error) => return unusable("SSL_CERT_FILE", &name, &error.to_string()),
            }
        }
        if let Some(folders) = &self.folders {
            let mut read = split_paths(folders).map(fs::read_dir).collect::<Vec<_>>();
            if read.iter().all(Result::is_err)
                && let Some(Err(error)) = read.pop()
            {
                return unusable("SSL_CERT_DIR", folders, &error.to_string());
            }
        }
        Ok(())
    }

    /// Returns the error of a store without usable certificates.
    pub(super) fn empty(&self) -> ClientError {
        let name = match (&self.file, &self.folders) {
            (Some(file), None) => format!(" in `{}` (`SSL_CERT_FILE`)", file.display()),
            (None, Some(folders)) => format!(" in `{folders}` (`SSL_CERT_DIR`)"),
            (Some(_), Some(_)) => " in `SSL_CERT_FILE` and `SSL_CERT_DIR`".to_owned(),
            (None, None) => " on this system".to_owned(),
        };
        ClientError::TrustStore(format!("no certificate authorities{name}"))
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
