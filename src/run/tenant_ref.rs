//! Tenant of a run.

use crate::model::{Api, Cloud, Desired, Purpose, Tenant};
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

impl<'a> TenantRef<'a> {
    /// Returns the tenant of a file, with the app that signs in for a command.
    pub(super) fn from_file(file: &'a Desired, purpose: Purpose) -> Self {
        let Desired { tenant, client_id, cloud, api, .. } = file;
        let client_id = client_id.as_ref().map(|ids| ids.for_purpose(purpose));
        Self { tenant, client_id, cloud: *cloud, api: *api }
    }

    /// Returns the tenant of a saved plan, with the app that applies.
    pub(super) fn from_saved(target: &'a Target) -> Self {
        let Target { tenant, client_id, cloud, api, .. } = target;
        let client_id = client_id.as_ref().map(|ids| ids.for_purpose(Purpose::Apply));
        Self { tenant, client_id, cloud: *cloud, api: *api }
    }
}
