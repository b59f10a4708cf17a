//! Tenant of a run.

use crate::model::{Api, Cloud, Desired, Tenant};
use crate::plan::Target;

/// Tenant to connect to.
#[derive(Debug, Clone, Copy)]
pub(super) struct TenantRef<'a> {
    pub(super) tenant: &'a Tenant,
    /// App that signs in, if the file names one.
    pub(super) client_id: Option<&'a str>,
    pub(super) cloud: Cloud,
    pub(super) api: Api,
}

impl<'a> From<&'a Desired> for TenantRef<'a> {
    fn from(Desired { tenant, client_id, cloud, api, .. }: &'a Desired) -> Self {
        Self { tenant, client_id: client_id.as_deref(), cloud: *cloud, api: *api }
    }
}

impl<'a> From<&'a Target> for TenantRef<'a> {
    fn from(Target { tenant, client_id, cloud, api, .. }: &'a Target) -> Self {
        Self { tenant, client_id: client_id.as_deref(), cloud: *cloud, api: *api }
    }
}
