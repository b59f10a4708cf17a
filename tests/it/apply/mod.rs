//! `apply`: changes of the tenant, and the report about them.

mod approval;
mod properties;
#[cfg(unix)]
mod stopping;
mod tenant;
mod wire;
