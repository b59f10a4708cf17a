//! Typed access to Microsoft Graph: URLs, JSON, pages and errors. Makes no decisions.

mod batch;
mod client;
mod cloud;
mod error;
mod page;
mod permission;
mod transport;
pub mod wire;

pub use crate::http::{RetryBudget, Stop, saturating_add, stopped};
pub use client::{AcceptedPut, Graph};
pub use cloud::{GraphUrl, InvalidGraphUrl, authority, scope, token_exchange_audience};
pub use error::{GraphError, GraphErrorKind, INVALID_PROXY_HINT, Rejection, RequestLine, UNREACHABLE_HINT};
pub use page::follow;
pub use permission::{Grant, Need};
pub use wire::Bindings;
