//! GitOps for the API connectors of Microsoft Graph user flows.
//!
//! ```text
//! files ──desired──▶ Desired ──┐
//!                              ├──plan──▶ Plan ──render──▶ text for a person or a pipeline
//! tenant ─current──▶ Current ──┘           │
//!                                          └──apply──▶ PUTs, read-back ──▶ Report ──render──▶
//! ```
//!
//! The values between the arrows are types of [`model`], [`plan`] and [`apply`]. [`desired`] reads files,
//! [`current`] reads a tenant, and [`plan`] compares them without I/O. [`render`] and [`saved`] print and save
//! the results. Only [`apply`] writes to a tenant. A problem is a [`diagnostic`] with a stable id. [`paths`]
//! decides which files may be read and written.
//!
//! [`cli`] connects these modules. Only it reads arguments and the environment, and sets exit codes.
//! [`terminal`] prints. [`graph`] is the typed client of Microsoft Graph, on top of [`http`] (limits, retries,
//! redaction) and [`auth`] (credentials). [`sandbox`] emulates Graph for rehearsals and tests; it shares only
//! the [`snapshot`] format with the client.
//!
//! The library exists for tests. Its API is not stable; the command line, the exit codes and the file formats
//! are.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::string_slice,
        reason = "a test that cannot continue has failed, and `clippy.toml` has no setting for these"
    )
)]

pub mod apply;
pub mod atomic_file;
pub mod auth;
pub mod cli;
pub mod current;
pub mod desired;
pub mod diagnostic;
pub mod exit;
pub mod graph;
pub mod http;
pub mod manual;
pub mod model;
pub mod output;
pub mod paths;
pub mod plan;
pub mod render;
pub mod run;
pub mod sandbox;
pub mod saved;
pub mod snapshot;
pub mod terminal;
