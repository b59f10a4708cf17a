//! Tenants, clouds and versions of Graph.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::id::is_guid;
use super::step::Step;

/// National cloud of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Cloud {
    /// Public cloud, including GCC.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    Usgov,
    /// US Government L5 (DoD).
    UsgovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// Returns the name in files.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Version of Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Api {
    /// The only version with B2C flows.
    #[default]
    Beta,
    /// B2X flows only, and not in the US Government clouds.
    #[serde(rename = "v1.0")]
    #[strum(serialize = "v1.0")]
    V1,
}

impl Api {
    /// Returns the name in URLs and files.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns whether this version has user flows in a cloud
    /// (<https://learn.microsoft.com/graph/api/b2xidentityuserflow-get-apiconnectorconfiguration>).
    pub fn supports_cloud(self, cloud: Cloud) -> bool {
        self == Self::Beta || matches!(cloud, Cloud::Global | Cloud::China)
    }

    /// Returns whether this version has a step.
    pub fn supports_step(self, step: Step) -> bool {
        self == Self::Beta || step != Step::PreTokenIssuance
    }
}

/// Tenant, named by a domain or a GUID. Comparison and order ignore case; the spelling is preserved.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Tenant(String);

/// Error for a text that is neither a domain nor a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a domain, such as `contoso.onmicrosoft.com`, or a GUID")]
pub struct InvalidTenant;

impl Tenant {
    /// Returns the text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the GUID if the tenant is written as one.
    pub fn guid(&self) -> Option<&str> {
        is_guid(&self.0).then_some(self.0.as_str())
    }

    /// Returns the text in lower case. A domain and a GUID have only ASCII characters.
    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_guid(text) || is_domain(text) { Ok(Self(text.to_owned())) } else { Err(InvalidTenant) }
    }
}

/// Returns whether a text is a host name of RFC 1123 with at least two labels: letters, digits and inner
/// hyphens. An internationalized domain must be in its `xn--` form.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

impl Deref for Tenant {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Tenant {}

impl PartialOrd for Tenant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tenant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tenants_ignore_case() {
        let tenants = ["Contoso.com", "contoso.COM", "contoso.com.au", "fabrikam.com"];
        let tenants = tenants.map(|tenant| tenant.parse::<Tenant>().unwrap());
        assert!(tenants[0] == tenants[1] && tenants[1] < tenants[2] && tenants[2] < tenants[3]);
        assert_eq!(BTreeSet::from(tenants).len(), 3);
    }

    #[test]
    fn tenant_from_text_accepts_only_domains_and_guids() {
        for good in ["contoso.onmicrosoft.com", "CONTOSO.com", "1f1d2c3b-0000-4000-8000-00000000abcd"] {
            assert!(good.parse::<Tenant>().is_ok(), "{good}");
        }
        for bad in ["", "contoso", "a..b", ".com", "-a.com", "a b.com", "a.com/x", "https://a.com", "a_b.com"]
        {
            assert!(bad.parse::<Tenant>().is_err(), "{bad}");
        }
    }
}
