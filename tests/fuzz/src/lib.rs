//! What flowbind reads and shows, held to its rules for whatever comes from outside.
//!
//! Each target is a function that takes the bytes of one input and panics where a rule is broken.
//! `targets` runs each with what libFuzzer makes up, and `tests/it/fuzz_corpus.rs` with the inputs
//! of `corpus`.

mod desired;
mod escape;
mod export;
mod formats;
mod graph;
pub(crate) mod inert;
mod pieces;
mod retry;
mod saved;
mod urls;

pub use desired::{composition, desired};
pub use escape::escape;
pub use export::export;
pub use formats::formats;
pub use graph::graph;
pub use retry::retry;
pub use saved::{saved, snapshot};
pub use urls::urls;

/// A function that holds one input to the rules.
pub type Target = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Target); 10] = [
    ("composition", composition),
    ("desired", desired),
    ("escape", escape),
    ("export", export),
    ("formats", formats),
    ("graph", graph),
    ("retry", retry),
    ("saved", saved),
    ("snapshot", snapshot),
    ("urls", urls),
];
