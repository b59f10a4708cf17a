//! flowbind
pub mod auth;
pub mod cli;
pub mod current;
pub mod desired;
pub mod diagnostic;
pub mod files;
pub mod graph;
pub mod http;
pub mod model;
pub mod plan;
pub mod render;
pub mod sandbox;
pub mod snapshot;
pub mod terminal;
