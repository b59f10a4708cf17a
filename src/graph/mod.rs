//! Typed access to Microsoft Graph: URLs, JSON, pages and errors. Makes no decisions.

mod advice;
mod batch;
mod client;
mod cloud;
mod error;
mod page;
mod permission;
mod transport;
pub mod wire;

pub use crate::http::{Halt, RetryBudget, Stop, StopStage, saturating_add, stopped};
pub use advice::{LOGIN_OVER_HINT, unreachable_hint};
pub use client::{AcceptedPut, Graph};
pub use cloud::{GraphUrl, InvalidGraphUrl, authority, token_exchange_audience};
pub use error::{GraphError, GraphErrorKind, Rejection, RequestLine};
pub use page::follow;
pub use permission::{Grant, Need};
pub use wire::Bindings;
