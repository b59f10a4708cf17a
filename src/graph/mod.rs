//! Microsoft Graph, typed: its URLs, its JSON, its pages and its errors. Decides nothing.

mod client;
mod cloud;
mod error;
mod page;
mod wire;

pub use crate::http::{Patience, Stop};
pub use client::{Graph, InvalidToken, Taken};
pub use cloud::{GraphUrl, InvalidGraphUrl, authority, is_loopback};
pub use error::{GraphError, GraphErrorKind, Refusal};
