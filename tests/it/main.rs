//! Integration tests: the command line against sandboxes over real HTTP. What only Unix has is tested only there:
//! signals, symbolic links, pipes, file modes and shell scripts. `tests/README.md` explains the levels of tests.

#![cfg_attr(not(unix), allow(unused_imports, dead_code, reason = "used by the tests for Unix"))]
#![allow(unreachable_pub, reason = "the modules of one test binary")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
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
// Shell scripts.
#[cfg(unix)]
mod app_scripts;
mod apply;
mod campaign;
mod composition;
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
mod only;
// Mounts and owners of files.
#[cfg(unix)]
mod output_files;
// Shell scripts.
#[cfg(unix)]
mod pipelines;
mod progress;
mod properties;
mod quickstart;
// A shell closes and redirects streams.
#[cfg(unix)]
mod redirections;
mod release;
mod render;
// Shell scripts.
#[cfg(unix)]
mod runbooks;
mod sandbox;
mod saved;
mod schema;
mod shards;
mod shells;
mod show;
mod step_files;
mod streams;
mod support;
#[cfg(unix)]
mod system_limits;
mod troubleshooting;
mod undo;
mod validate;
mod wire;
