//! Requests and responses between flowbind and Graph, over real HTTP on loopback.

mod auth;
mod batch;
mod begin;
mod errors;
mod http2;
mod paging;
mod retry;
mod throttle;
