//! `sandbox`: serves an emulated tenant until it is interrupted.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use same_file::Handle;

use super::values;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::exit::Exit;
use crate::http::Rate;
use crate::output;
use crate::paths;
use crate::run::{CommandError, SnapshotFile};
use crate::sandbox::{Options, Throttle};
use crate::signals::Signals;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// Snapshot of the tenant (changes are written back)
    file: PathBuf,
    /// Loopback address and port to listen on; port 0 selects a free one
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Delay of every response, in milliseconds
    #[arg(long, value_name = "MS", default_value = "0", value_parser = values::parse_milliseconds)]
    latency: Duration,
    /// Rate limit: N requests per SECONDS; requests above it are answered 429
    #[arg(long, value_name = "N/SECONDS")]
    throttle: Option<Rate>,
    /// Share of requests that fail with 429, 500, 502, 503 or 504
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::parse_share)]
    fail: f64,
    /// Items per page of a list
    #[arg(long, value_name = "N", default_value = "100", value_parser = values::parse_positive)]
    page_size: NonZeroU32,
    /// Time for which reads return the old value after a write, in milliseconds
    #[arg(long, value_name = "MS", default_value = "0", value_parser = values::parse_milliseconds)]
    lag: Duration,
    /// Match the ids of flows in requests regardless of letter case
    #[arg(long, hide_short_help = true)]
    ignore_case: bool,
    /// Seed of the random numbers: with the same seed, the same requests fail
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write a JSON line per request to FILE, with tokens masked
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

pub(super) async fn run(args: &SandboxArgs, signals: &Signals) -> Result<Exit, CommandError> {
    let snapshot_file = SnapshotFile::read(&args.file)?;
    // A client that only reads needs no changes.
    if let Err(problem) = snapshot_file.check_writable() {
        output::print_diagnostics(&[Diagnostic { severity: Severity::Warning, ..problem }]);
    }
    let journal = args.journal.as_deref().map(|path| journal(path, &args.file)).transpose()?;
    let options = Options {
        listen: args.listen,
        origin: None,
        latency: args.latency,
        throttle: args.throttle.map(|Rate { requests, per }| Throttle { requests: requests.get(), per }),
        fail: args.fail,
        page_size: args.page_size.get() as usize,
        lag: args.lag,
        ignore_case: args.ignore_case,
        seed: args.seed,
        faults: Vec::new(),
    };
    signals.end_in_stages();
    let sandbox = snapshot_file.serve(options, journal.map(|journal| Box::new(journal) as _)).await?;
    if let Some(path) = args.journal.as_deref().filter(|path| path.is_file()) {
        // Windows does not truncate a file through a handle for appending.
        File::create(path).map_err(|error| journal_error(path, &error))?;
    }
    terminal::print(&format!("{}/beta\n", sandbox.url())).map_err(output::stdout_error)?;
    signals.stopped().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// Opens the journal for appending, and creates it if it does not exist. A journal that is the snapshot file
/// is an error. It is truncated only after the sandbox has started.
fn journal(path: &Path, snapshot: &Path) -> Result<File, CommandError> {
    let file = File::options().append(true).create(true).open(path);
    let file = file.map_err(|error| journal_error(path, &error))?;
    // Truncating the journal would destroy the snapshot.
    if is_same(&file, snapshot) {
        return Err(Diagnostic::error(Code::OutputConflict, "the journal cannot be the snapshot itself")
            .hint("give `--journal` a file of its own")
            .into());
    }
    Ok(file)
}

/// Returns the error of a journal that cannot be written.
fn journal_error(path: &Path, error: &io::Error) -> Diagnostic {
    output::not_writable(format!("cannot write the journal `{}`", paths::display(path)), error)
}

/// Returns whether a path leads to an open file. A pipe, which can be read only once, is not opened again.
fn is_same(file: &File, path: &Path) -> bool {
    let open = file.try_clone().and_then(Handle::from_file);
    path.is_file() && open.and_then(|open| Ok(open == Handle::from_path(path)?)).unwrap_or(false)
}
