//! Shared domain types: flows, steps, connectors, bindings, desired and current state.
//!
//! Plain values that validate themselves. This module must not do I/O or make decisions about a plan.

mod action;
mod actor;
mod certificate;
mod client_ids;
mod connector;
mod current;
mod desired;
mod id;
mod label;
mod listing;
mod look_alike;
mod name_mistake;
mod names;
mod only;
mod ownership;
mod pins;
mod read_error;
mod step;
mod target_url;
mod tenant;
mod tenant_check;

pub use action::Action;
pub use actor::Actor;
pub use certificate::{Certificate, latest_not_after};
pub use client_ids::{ClientIds, Purpose};
pub use connector::{
    Bound, Connector, ConnectorKey, ConnectorRef, ListedConnector, bound_id, contradiction, contradictions,
};
pub use current::{Current, CurrentFlow, Fetched, Inventory, ListedFlow, Reading, Scope};
pub use desired::{Desired, DesiredBinding, DesiredFlow, DesiredHold, GuardLimit, Guards, Prune};
pub use id::{ConnectorId, FlowId, FlowKey, FlowKind, InvalidId, is_guid};
pub use label::Label;
pub use listing::{Listing, ListingLine, Literal};
pub use look_alike::{describe, invisible_difference, is_invisible, spell_out, trim_blanks};
pub use name_mistake::NameMistake;
pub use names::names;
pub use only::Only;
pub use ownership::Ownership;
pub use pins::{Pin, Pins};
pub use read_error::ReadError;
pub use step::{Step, StepMap};
pub use target_url::{InvalidTargetUrl, TargetUrl};
pub use tenant::{Api, Cloud, InvalidTenant, Tenant};
pub use tenant_check::TenantCheck;
