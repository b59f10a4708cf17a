//! What `apply` does to a tenant, and what it says of it.

mod approval;
mod properties;
mod stopping;
mod tenant;
mod wire;
