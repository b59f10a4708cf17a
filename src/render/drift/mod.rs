//! Renders drift: what the file says, then what the tenant has, the most dangerous differences first. One file for
//! each format.

mod actions;
pub(super) mod diff;
pub(super) mod github;
pub(super) mod html;
pub(super) mod junit;
pub(super) mod markdown;
pub(super) mod prom;
mod text;
mod wording;

pub use text::render as text;
