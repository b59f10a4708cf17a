//! Requests and answers, and nothing of Graph: sending, sending again, keeping to a budget.

mod client;
mod conceal;
mod connections;
mod exchange;
mod message;
mod meter;
mod pace;
pub mod retry;
mod words;

pub use client::{Client, Settings, Slot, Stop, stopped};
pub use conceal::Secrets;
pub use connections::{Connections, is_link_local, is_loopback};
pub use exchange::{client_request_id, service_clock};
pub use message::{Answer, Authorize, Patience, Request, SendError, SendErrorKind};
pub use meter::{Figures, Meter};
pub use pace::{Rate, later};
pub use words::cut;
