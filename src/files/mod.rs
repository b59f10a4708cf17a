//! What is saved: each format in structs of its own, apart from the values that the code works with.

mod atomic;
pub mod plan;

pub use atomic::write;
