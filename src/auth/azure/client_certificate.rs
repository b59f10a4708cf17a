//! Client certificate: an assertion signed with its private key
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
//!
//! Signed here, because the crate's own implementation needs OpenSSL.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PSS_SHA256;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p12_keystore::Pkcs12Archive;
use pem::PemError;
use pkcs8::EncryptedPrivateKeyInfoRef;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::file;
use crate::auth::error::SignInError;
use crate::auth::kind::Settings;
use crate::auth::secret::Secret;
use crate::paths;

/// Lifetime of an assertion.
const LIFETIME: Duration = Duration::from_secs(600);

/// A certificate and its private key.
#[derive(Debug)]
pub(super) struct Certificate {
    key: KeyPair,
    /// Thumbprint by which the service finds the certificate.
    thumbprint: String,
}

/// Assertion that the app requests a token. It is signed when it is used.
#[derive(Debug)]
pub(super) struct Assertion {
    pub(super) certificate: Certificate,
    pub(super) app: String,
    /// The token endpoint.
    pub(super) audience: String,
}

/// Reads a certificate and its private key from the file that the settings name: PEM, or PKCS#12 (PFX).
/// Decrypts the key with the password of the settings.
pub(super) async fn read(settings: &Settings) -> Result<Certificate, SignInError> {
    let path = settings.certificate.clone().unwrap_or_default();
    let bytes = file::read(path.clone()).await?;
    let read = if bytes.windows(10).any(|bytes| bytes == b"-----BEGIN") { from_pem } else { from_pfx };
    let certificate = read(&bytes, settings.certificate_password.as_ref());
    certificate.map_err(|error| SignInError::new(format!("`{}`: {error}", paths::display(&path))))
}

/// Error of a file without a usable certificate.
#[derive(Debug, thiserror::Error)]
enum CertificateError {
    #[error("not valid PEM: {0}")]
    InvalidPem(&'static str),
    #[error("neither PEM nor a PKCS#12 that `AZURE_CLIENT_CERTIFICATE_PASSWORD` opens: {0}")]
    InvalidPkcs12(String),
    #[error("no certificate in the file")]
    NoCertificate,
    #[error("no private key in the file")]
    NoKey,
    #[error("the private key is not a usable RSA key: {0}")]
    InvalidKey(String),
    #[error("the private key is not a usable RSA key: unsupported format")]
    UnsupportedKey,
    #[error("the key is encrypted in an outdated format; convert it with `openssl pkcs8 -topk8`")]
    OutdatedEncryption,
    #[error("the key is encrypted, and `AZURE_CLIENT_CERTIFICATE_PASSWORD` is not set")]
    NoPassword,
    #[error("`AZURE_CLIENT_CERTIFICATE_PASSWORD` does not decrypt the key")]
    WrongPassword,
}

fn invalid_key(error: impl fmt::Display) -> CertificateError {
    CertificateError::InvalidKey(error.to_string())
}

fn from_pem(bytes: &[u8], password: Option<&Secret>) -> Result<Certificate, CertificateError> {
    let blocks = pem::parse_many(bytes).map_err(|error| CertificateError::InvalidPem(pem_problem(&error)))?;
    let mut certificate = None;
    let mut key = None;
    for block in &blocks {
        let der = block.contents();
        let found = match block.tag() {
            // The first certificate is the app's, the following ones are its issuers'.
            "CERTIFICATE" => {
                certificate = certificate.or(Some(der));
                continue;
            }
            _ if block.headers().get("Proc-Type").is_some() => {
                return Err(CertificateError::OutdatedEncryption);
            }
            "PRIVATE KEY" => KeyPair::from_pkcs8(der).map_err(invalid_key),
            "RSA PRIVATE KEY" => KeyPair::from_der(der).map_err(invalid_key),
            "ENCRYPTED PRIVATE KEY" => decrypt_key(der, password),
            other if other.ends_with("PRIVATE KEY") => Err(CertificateError::UnsupportedKey),
            _ => continue,
        };
        key = Some(found?);
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Certificate::new(certificate, key)),
        (None, _) => Err(CertificateError::NoCertificate),
        (_, None) => Err(CertificateError::NoKey),
    }
}

/// Returns a fixed text for the kind of PEM error, without the text of the file, which may be the key.
fn pem_problem(error: &PemError) -> &'static str {
    match error {
        PemError::MismatchedTags(..)
        | PemError::MalformedFraming
        | PemError::MissingBeginTag
        | PemError::MissingEndTag => "BEGIN and END of a block do not match",
        PemError::InvalidHeader(_) => "a block contains an empty line",
        PemError::MissingData | PemError::InvalidData(_) | PemError::NotUtf8(_) => "a block is not base64",
    }
}

fn decrypt_key(der: &[u8], password: Option<&Secret>) -> Result<KeyPair, CertificateError> {
    let password = password.ok_or(CertificateError::NoPassword)?;
    let key = EncryptedPrivateKeyInfoRef::try_from(der).map_err(invalid_key)?;
    let key = key.decrypt(password.expose());
    let key = key.map_err(|_| CertificateError::WrongPassword)?;
    KeyPair::from_pkcs8(key.as_bytes()).map_err(invalid_key)
}

fn from_pfx(bytes: &[u8], password: Option<&Secret>) -> Result<Certificate, CertificateError> {
    let password = password.map(Secret::expose).unwrap_or_default();
    let archive = Pkcs12Archive::from_pkcs12(bytes, password)
        .map_err(|error| CertificateError::InvalidPkcs12(error.to_string()))?;
    let key = archive.keys.first().ok_or(CertificateError::NoKey)?;
    let id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
    let its_own = archive.certs.iter().find(|cert| id.is_some() && cert.local_key_id.as_deref() == id);
    let certificate = its_own.or(archive.certs.first()).ok_or(CertificateError::NoCertificate)?;
    let key = KeyPair::from_pkcs8(key.key.as_der()).map_err(invalid_key)?;
    Ok(Certificate::new(certificate.cert.as_der(), key))
}

impl Certificate {
    fn new(der: &[u8], key: KeyPair) -> Self {
        Self { key, thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der)) }
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let Self { certificate: Certificate { key, thumbprint }, app, audience } = self;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
        let claims = json!({
            "aud": audience,
            "iss": app,
            "sub": app,
            "jti": uuid::Uuid::new_v4().to_string(),
            "nbf": now.as_secs(),
            "exp": now.saturating_add(LIFETIME).as_secs(),
        });
        let encode = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| SignInError::new("the certificate's key cannot sign"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
