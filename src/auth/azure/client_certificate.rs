//! A certificate of the app: a statement that its private key signed
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
//!
//! Signed here, since the crate's own way needs OpenSSL.

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

use super::{Secret, Settings, SignInError};

/// How long a statement is good for.
const LIFE: Duration = Duration::from_secs(600);

/// A certificate and its private key.
#[derive(Debug)]
pub(super) struct Certificate {
    key: KeyPair,
    /// Of the certificate, so that the service finds it.
    thumbprint: String,
}

/// What the key states: that the app asks the authority.
#[derive(Debug)]
pub(super) struct Assertion {
    certificate: Certificate,
    app: String,
    audience: String,
}

/// Reads the certificate that the settings name: PEM, or PKCS#12 (PFX).
pub(super) async fn read(settings: &Settings) -> Result<Certificate, SignInError> {
    let path = settings.certificate.clone().unwrap_or_default();
    let bytes = super::read(path.clone()).await?;
    let read = if bytes.windows(10).any(|bytes| bytes == b"-----BEGIN") { of_pem } else { of_pfx };
    let certificate = read(&bytes, settings.certificate_password.as_ref());
    certificate.map_err(|why| SignInError::new(format!("`{}`: {why}", path.display())))
}

fn of_pem(bytes: &[u8], password: Option<&Secret>) -> Result<Certificate, String> {
    let blocks = pem::parse_many(bytes).map_err(|error| format!("it is no PEM: {}", wrong_in_pem(&error)))?;
    let mut certificate = None;
    let mut key = None;
    for block in &blocks {
        let der = block.contents();
        let found = match block.tag() {
            // The first is the app's, those after it are its issuers'.
            "CERTIFICATE" => {
                certificate = certificate.or(Some(der));
                continue;
            }
            _ if block.headers().get("Proc-Type").is_some() => {
                return Err(
                    "its key is encrypted in an outdated way; `openssl pkcs8 -topk8` makes a new one".into(),
                );
            }
            "PRIVATE KEY" => KeyPair::from_pkcs8(der).map_err(|error| error.to_string()),
            "RSA PRIVATE KEY" => KeyPair::from_der(der).map_err(|error| error.to_string()),
            "ENCRYPTED PRIVATE KEY" => decrypted(der, password),
            other if other.ends_with("PRIVATE KEY") => Err("it is of another kind".into()),
            _ => continue,
        };
        key = Some(found.map_err(|why| format!("its private key is no RSA key that can be used: {why}"))?);
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Certificate::new(certificate, key)),
        (None, _) => Err("it holds no certificate".into()),
        (_, None) => Err("it holds no private key".into()),
    }
}

/// What is wrong, without what stands there: it may be the key.
fn wrong_in_pem(error: &PemError) -> &'static str {
    match error {
        PemError::MismatchedTags(..)
        | PemError::MalformedFraming
        | PemError::MissingBeginTag
        | PemError::MissingEndTag => "a block's BEGIN and END do not fit",
        PemError::InvalidHeader(_) => "a block has an empty line in it",
        PemError::MissingData | PemError::InvalidData(_) | PemError::NotUtf8(_) => "a block is no base64",
    }
}

fn decrypted(der: &[u8], password: Option<&Secret>) -> Result<KeyPair, String> {
    let password = password.ok_or("it is encrypted, and `AZURE_CLIENT_CERTIFICATE_PASSWORD` is not set")?;
    let key = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|error| error.to_string())?;
    let key = key.decrypt(password.expose());
    let key = key.map_err(|_| "`AZURE_CLIENT_CERTIFICATE_PASSWORD` does not decrypt it")?;
    KeyPair::from_pkcs8(key.as_bytes()).map_err(|error| error.to_string())
}

fn of_pfx(bytes: &[u8], password: Option<&Secret>) -> Result<Certificate, String> {
    let password = password.map(Secret::expose).unwrap_or_default();
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| {
        format!("it is neither PEM nor a PKCS#12 that `AZURE_CLIENT_CERTIFICATE_PASSWORD` opens: {error}")
    })?;
    let key = archive.keys.first().ok_or("it holds no private key")?;
    let id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
    let its_own = archive.certs.iter().find(|cert| id.is_some() && cert.local_key_id.as_deref() == id);
    let certificate = its_own.or(archive.certs.first()).ok_or("it holds no certificate")?;
    let key = KeyPair::from_pkcs8(key.key.as_der())
        .map_err(|error| format!("its private key is no RSA key that can be used: {error}"))?;
    Ok(Certificate::new(certificate.cert.as_der(), key))
}

impl Certificate {
    fn new(der: &[u8], key: KeyPair) -> Self {
        Self { key, thumbprint: BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der)) }
    }

    /// What the key states for an app to an authority's token endpoint.
    pub(super) fn assertion(self, app: String, audience: String) -> Assertion {
        Assertion { certificate: self, app, audience }
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
            "exp": now.saturating_add(LIFE).as_secs(),
        });
        let encode = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let statement = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), statement.as_bytes(), &mut signature)
            .map_err(|_| SignInError::new("the certificate's key cannot sign"))?;
        Ok(format!("{statement}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
