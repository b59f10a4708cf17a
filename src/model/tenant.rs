//! A tenant, its cloud, and the version of Graph that it is asked by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Step, is_guid};

/// The national cloud that a tenant lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The public cloud, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    Usgov,
    /// US Government L5 (DoD).
    UsgovDod,
    /// Operated by 21Vianet.
    China,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 4] = [Self::Global, Self::Usgov, Self::UsgovDod, Self::China];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Usgov => "usgov",
            Self::UsgovDod => "usgov-dod",
            Self::China => "china",
        }
    }

    /// The cloud of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The version of Graph that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Api {
    /// The only one with B2C flows.
    #[default]
    #[serde(rename = "beta")]
    Beta,
    /// B2X flows only, and not in the US Government clouds.
    #[serde(rename = "v1.0")]
    V1,
}

impl Api {
    /// Both versions.
    pub const ALL: [Self; 2] = [Self::Beta, Self::V1];

    /// Its name in URLs and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::V1 => "v1.0",
        }
    }

    /// The version of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// Whether it has user flows in a cloud
    /// (<https://learn.microsoft.com/graph/api/b2xidentityuserflow-get-apiconnectorconfiguration>).
    pub fn is_in(self, cloud: Cloud) -> bool {
        self == Self::Beta || matches!(cloud, Cloud::Global | Cloud::China)
    }

    /// Whether it has a step.
    pub fn has(self, step: Step) -> bool {
        self == Self::Beta || step != Step::PreTokenIssuance
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tenant as people name it: a domain or a GUID. Compares without case, shows as written.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Tenant(String);

/// A text that is neither a domain nor a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither a domain (`contoso.onmicrosoft.com`) nor a GUID")]
pub struct InvalidTenant;

impl Tenant {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant's GUID, where that is how it was written.
    pub fn guid(&self) -> Option<&str> {
        is_guid(&self.0).then_some(self.0.as_str())
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_guid(text) || is_domain(text) { Ok(Self(text.to_owned())) } else { Err(InvalidTenant) }
    }
}

/// Host names after RFC 1123: letters, digits and inner hyphens, at least two labels. An
/// internationalised domain is written as its `xn--` form.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Tenant {}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_a_domain_or_a_guid() {
        for good in ["contoso.onmicrosoft.com", "CONTOSO.com", "1f1d2c3b-0000-4000-8000-00000000abcd"] {
            assert!(good.parse::<Tenant>().is_ok(), "{good}");
        }
        for bad in ["", "contoso", "a..b", ".com", "-a.com", "a b.com", "a.com/x", "https://a.com", "a_b.com"]
        {
            assert!(bad.parse::<Tenant>().is_err(), "{bad}");
        }
    }
}
