//! GitOps for the API connectors of Microsoft Graph user flows.
//!
//! ```text
//! files ──desired──▶ Desired ──┐
//!                              ├──plan──▶ TenantPlan ──gate──▶ Approved ──apply──▶ Report
//! tenant ─current──▶ Current ──┘
//! ```
//!
//! [`cli`] has the commands, and [`run`] what they do to tenants. [`plan`] is pure, and only [`apply`] writes to a
//! tenant. `docs/architecture.md` describes all modules and their rules.
//!
//! The library exists for tests. Its API may change at any time; the command line, the exit codes and the file
//! formats are the interface.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        clippy::string_slice,
        reason = "a test that cannot continue has failed, and `clippy.toml` has no setting for these"
    )
)]

pub mod accept;
pub mod apply;
pub mod atomic_file;
pub mod auth;
pub mod blocking;
pub mod cli;
pub mod compare;
pub mod current;
pub mod desired;
pub mod diagnostic;
pub mod drift;
pub mod encoding;
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
pub mod signals;
pub mod snapshot;
pub mod terminal;
