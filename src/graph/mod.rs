//! Microsoft Graph, typed: its URLs, its JSON, its pages and its errors. Decides nothing.

mod client;
mod cloud;
mod error;
mod page;
mod wire;

pub use client::{Graph, InvalidToken};
pub use cloud::{GraphUrl, InvalidGraphUrl};
pub use error::{GraphError, GraphErrorKind};
