//! GitOps for the API connectors of Microsoft Graph user flows.
//!
//! ```text
//! files ──desired──▶ Desired ──┐
//!                              ├──plan──▶ Plan ──render──▶ text for a person or a pipeline
//! tenant ─current──▶ Current ──┘           │
//!                                          └──apply──▶ PUTs, read-back ──▶ Report ──render──▶
//! ```
//!
//! Everything between the arrows is a value of [`model`], [`plan`] or [`apply`]. [`desired`] and
//! [`current`] only make theirs, [`plan`] is pure, [`render`] and [`files`] show and keep them, and [`apply`]
//! alone writes to a tenant. What goes wrong is a value of [`diagnostic`]. [`cli`] puts them
//! together: it alone knows of arguments, the environment and exit codes. [`terminal`] prints.
//! [`graph`] speaks Microsoft Graph over [`http`] with what [`auth`] gives it; [`sandbox`] is a Graph
//! of our own for rehearsals and tests, which shares nothing with the client but the [`snapshot`]
//! format.
//!
//! The library exists so that tests can call the pieces. Its API promises nothing; the command
//! line, the exit codes and the file formats do.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::string_slice,
        reason = "a test that cannot go on has failed, and `clippy.toml` has no setting for these"
    )
)]

pub mod apply;
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
