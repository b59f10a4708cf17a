//! `apply`: changes of the tenant, and the report about them.

mod approval;
mod properties;
mod stopping;
mod tenant;
mod wire;
