//! `apply`: changes of the tenant, and the report about them.

mod approval;
mod properties;
// Signals.
#[cfg(unix)]
mod stopping;
mod tenant;
mod wire;
