//! HTTP client of a tenant: retries, rate limit, reachability, redaction. Independent of Graph.

mod client;
mod client_error;
mod connections;
mod exchange;
mod failure;
mod foreign_text;
mod history;
mod limits;
mod message;
mod meter;
mod proxies;
mod rate_limiter;
mod reachability;
mod redact;
mod resolve;
pub mod retry;
mod sending;
mod stop;
mod truncate;
mod trust_store;
mod tunnel;
mod warnings;

pub use client::Client;
pub use connections::{ClientError, Connections, is_link_local, is_loopback, is_safe};
pub use exchange::{new_client_request_id, retry_after, server_time};
pub use failure::{FailureReason, Unreachable};
pub use foreign_text::foreign_text;
pub use limits::{Limits, RequestPermit, Settings};
pub use message::{Answer, Authorize, AuthorizeError, Request, RetryBudget, SendError, SendErrorKind};
pub use meter::{Figures, Meter};
pub use proxies::{Proxies, Route, UnusableProxy};
pub use rate_limiter::{InvalidRate, Rate, saturating_add};
pub use redact::Redactor;
pub use resolve::ResolveError;
pub use stop::{Halt, Stop, StopStage, never_stopped, stopped};
pub use trust_store::TrustStore;
