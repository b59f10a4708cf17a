//! Integration tests: the command line against sandboxes over real HTTP. Tests with signals, symbolic links
//! or shell scripts are limited to Unix. `tests/README.md` explains the levels of tests.

#![cfg_attr(not(unix), allow(unused_imports, dead_code, reason = "used by the tests for Unix"))]
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

mod accept;
mod actor;
mod apply;
#[cfg(unix)]
mod campaign;
mod composition;
#[cfg(unix)]
mod docs;
mod drift;
mod explain;
mod export;
mod formats;
mod fuzz_corpus;
mod guard_flags;
mod help;
mod hostile;
#[cfg(feature = "azure")]
mod identity;
mod inputs;
mod label;
mod layering;
mod limits;
#[cfg(unix)]
mod only;
#[cfg(unix)]
mod output_files;
#[cfg(unix)]
mod pipelines;
mod progress;
mod properties;
mod quickstart;
mod release;
mod render;
#[cfg(unix)]
mod runbooks;
mod sandbox;
mod saved;
mod schema;
mod shards;
mod shells;
mod show;
mod step_files;
#[cfg(unix)]
mod streams;
mod support;
mod troubleshooting;
mod undo;
mod validate;
mod wire;
