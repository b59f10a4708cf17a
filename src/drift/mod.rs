//! Drift: what is different in the tenants, compared with their files. Pure: no I/O, no clock.
//!
//! `find` converts a [`Plan`], which has compared everything, to a [`Drift`]: one [`Difference`] for each binding
//! and connector, of the most dangerous [`Kind`] that fits. `memory` compares with an earlier drift, `fingerprint`
//! identifies the set of differences, and `join` joins the results of shards.
//!
//! [`Plan`]: crate::plan::Plan

mod difference;
mod find;
mod fingerprint;
mod join;
mod kind;
mod memory;
mod run;
mod target;

pub use difference::{Difference, Subject, Value};
pub use find::{Options, find_drift};
pub use join::join;
pub use kind::Kind;
pub use memory::compare_with_earlier;
pub use run::{Drift, Remembered, TenantDrift};
pub use target::{Revert, TargetDrift};
