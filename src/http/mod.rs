//! Requests and answers, and nothing of Graph: sending, sending again, keeping to a budget.

mod client;
mod conceal;
mod connections;
mod exchange;
mod failure;
mod message;
mod meter;
mod pace;
mod reachability;
mod resolve;
pub mod retry;
mod sent;
mod stop;
mod words;

pub use client::{Client, Settings, Slot};
pub use conceal::Secrets;
pub use connections::{Connections, is_address_of_a_proxy, is_link_local, is_loopback, is_safe};
pub use exchange::{client_request_id, pause_asked, service_clock};
pub use failure::{FailureReason, Unreachable};
pub use message::{Answer, Authorize, AuthorizeError, Patience, Request, SendError, SendErrorKind};
pub use meter::{Figures, Meter};
pub use pace::{Rate, later};
pub use resolve::ResolveError;
pub use stop::{Stop, stopped};
pub use words::cut;
