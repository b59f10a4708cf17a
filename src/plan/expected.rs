//! Fingerprints that the plans of a run must have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::model::{InvalidTenant, Tenant};

/// Fewest digits that identify a plan.
const MIN_DIGITS: usize = 12;

/// Digits of a complete fingerprint.
const ALL_DIGITS: usize = 64;

/// Fingerprint, or its first digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FingerprintPrefix(String);

impl FingerprintPrefix {
    /// Returns whether a fingerprint starts with these digits.
    pub fn matches(&self, fingerprint: &str) -> bool {
        fingerprint.starts_with(&self.0)
    }
}

impl fmt::Display for FingerprintPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Expected fingerprint of the run, or of one tenant of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedFingerprint {
    /// Tenant; `None` for the run.
    tenant: Option<Tenant>,
    prefix: FingerprintPrefix,
}

/// Error for a text that is not an expected fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFingerprint {
    /// Not a fingerprint.
    #[error("expected the fingerprint of a plan, or its first {MIN_DIGITS} or more hexadecimal digits")]
    Digits,
    /// Not a tenant before the `=`.
    #[error("`{0}` is not a tenant: {1}")]
    Tenant(String, InvalidTenant),
}

impl FromStr for ExpectedFingerprint {
    type Err = InvalidFingerprint;

    /// Parses `FINGERPRINT` or `TENANT=FINGERPRINT`.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let (tenant, digits) = text.split_once('=').map_or((None, text), |(tenant, it)| (Some(tenant), it));
        let is_complete = (MIN_DIGITS..=ALL_DIGITS).contains(&digits.len());
        if !is_complete || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidFingerprint::Digits);
        }
        let parse = |tenant: &str| {
            tenant.parse().map_err(|error| InvalidFingerprint::Tenant(tenant.to_owned(), error))
        };
        let tenant = tenant.map(parse).transpose()?;
        Ok(Self { tenant, prefix: FingerprintPrefix(digits.to_ascii_lowercase()) })
    }
}

/// Expected fingerprints of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedFingerprints {
    /// Fingerprint of the run.
    Run(FingerprintPrefix),
    /// Fingerprints of tenants. Others may not be changed.
    Tenants(BTreeMap<Tenant, FingerprintPrefix>),
}

/// Error for expected fingerprints that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConflictingFingerprints {
    /// Fingerprint of the run, with any other.
    #[error("the fingerprint of the run cannot be combined with another one")]
    Run,
    /// Two fingerprints of one tenant.
    #[error("two fingerprints for the tenant `{0}`")]
    Tenant(Tenant),
}

impl ExpectedFingerprints {
    /// Combines the values of a command line; `None` without any.
    ///
    /// # Errors
    /// Values that exclude each other.
    pub fn from_values(values: &[ExpectedFingerprint]) -> Result<Option<Self>, ConflictingFingerprints> {
        let mut tenants = BTreeMap::new();
        for ExpectedFingerprint { tenant, prefix } in values {
            match tenant {
                None if values.len() == 1 => return Ok(Some(Self::Run(prefix.clone()))),
                None => return Err(ConflictingFingerprints::Run),
                Some(tenant) if tenants.insert(tenant.clone(), prefix.clone()).is_some() => {
                    return Err(ConflictingFingerprints::Tenant(tenant.clone()));
                }
                Some(_) => {}
            }
        }
        Ok(Some(Self::Tenants(tenants)).filter(|_| !values.is_empty()))
    }

    /// Returns the tenants that have a fingerprint of their own.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        let tenants = match self {
            Self::Run(_) => None,
            Self::Tenants(tenants) => Some(tenants.keys()),
        };
        tenants.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "631d2cc1f3ce66840f0f0a3a8a2e4b8d9c7e5f4a3b2c1d0e9f8a7b6c5d4e3f2a";

    #[test]
    fn expected_fingerprint_has_12_to_64_hexadecimal_digits() {
        for right in [FINGERPRINT, &FINGERPRINT[..12], &FINGERPRINT[..63], &FINGERPRINT.to_ascii_uppercase()]
        {
            let expected: ExpectedFingerprint = right.parse().unwrap();
            assert!(expected.prefix.matches(FINGERPRINT), "{right}");
        }
        for wrong in ["", &FINGERPRINT[..11], &format!("{FINGERPRINT}0"), "631d2cc1f3cg", " 631d2cc1f3ce"] {
            let error = Err(InvalidFingerprint::Digits);
            assert_eq!(wrong.parse::<ExpectedFingerprint>(), error, "{wrong}");
            assert_eq!(format!("contoso.com={wrong}").parse::<ExpectedFingerprint>(), error, "{wrong}");
        }
        assert!(matches!(
            format!("contoso={FINGERPRINT}").parse::<ExpectedFingerprint>(),
            Err(InvalidFingerprint::Tenant(..))
        ));
    }

    #[test]
    fn expected_fingerprints_that_exclude_each_other_are_rejected() {
        let (run, one, other) = (FINGERPRINT, format!("a.com={FINGERPRINT}"), format!("b.com={FINGERPRINT}"));
        let combine = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| value.parse().unwrap()).collect();
            ExpectedFingerprints::from_values(&values)
        };
        assert_eq!(combine(&[]), Ok(None));
        assert!(matches!(combine(&[run]), Ok(Some(ExpectedFingerprints::Run(_)))));
        let tenants = combine(&[&one, &other]).unwrap().unwrap();
        assert_eq!(tenants.tenants().map(Tenant::as_str).collect::<Vec<_>>(), ["a.com", "b.com"]);
        for several in [[run, run], [run, &one], [&one, run]] {
            assert_eq!(combine(&several), Err(ConflictingFingerprints::Run));
        }
        let again = format!("A.com={FINGERPRINT}");
        assert!(matches!(combine(&[&one, &again]), Err(ConflictingFingerprints::Tenant(_))));
    }
}
