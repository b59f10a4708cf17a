//! Values → text for a person or a pipeline. One file for each format; nothing here decides.

mod diagnostic;
pub mod escape;
mod text;

pub use diagnostic::diagnostic;
pub use text::plan as plan_text;
