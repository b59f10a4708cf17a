//! Integration tests: the command line against sandboxes over real HTTP. They need signals, `sh` and
//! symbolic links. Other systems run only the unit tests. `tests/README.md` explains the levels of tests.

#![cfg(unix)]
#![allow(unreachable_pub, reason = "the modules of one test binary")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod apply;
mod campaign;
mod composition;
mod docs;
mod drift;
mod explain;
mod export;
mod formats;
mod fuzz_corpus;
mod help;
mod hostile;
#[cfg(feature = "azure")]
mod identity;
mod layering;
mod limits;
mod pipelines;
mod progress;
mod properties;
mod quickstart;
mod release;
mod render;
mod sandbox;
mod saved;
mod schema;
mod shards;
mod shells;
mod show;
mod support;
mod troubleshooting;
mod validate;
mod wire;
