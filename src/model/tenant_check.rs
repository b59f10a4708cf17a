//! Tenant check: whether an access token is for the tenant of the files.

/// Result of comparing the token's tenant with the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantCheck {
    /// The tenants are the same, with this GUID.
    Verified(String),
    /// The comparison was not possible, for this reason.
    Unverified(String),
    /// There is nothing to compare: an emulator has only one tenant.
    NotApplicable,
}
