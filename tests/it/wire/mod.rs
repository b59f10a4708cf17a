//! What travels between flowbind and Graph, over real HTTP on loopback.

mod auth;
mod batch;
mod errors;
mod paging;
mod retry;
