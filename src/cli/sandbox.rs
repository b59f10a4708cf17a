//! `sandbox`: serves an emulated tenant until it is stopped.

use std::fs::File;
#[cfg(unix)]
use std::fs::{self, Metadata};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::failure::Failure;
use super::sandboxes::SnapshotFile;
use super::signals::Signals;
use super::{Exit, values};
use crate::diagnostic::{Code, Diagnostic};
use crate::http::Rate;
use crate::sandbox::{Options, Throttle};
use crate::terminal;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowbind sandbox tenant.json --listen 127.0.0.1:8080 --latency 50 --fail 0.05"
)]
pub(super) struct SandboxArgs {
    /// Snapshot of the tenant; what is written to the tenant is kept in it
    file: PathBuf,
    /// Loopback address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Milliseconds that every answer takes
    #[arg(long, value_name = "MS", default_value = "0", value_parser = values::milliseconds)]
    latency: Duration,
    /// Request budget: beyond it the answer is 429
    #[arg(long, value_name = "N/SECONDS", value_parser = values::rate)]
    throttle: Option<Rate>,
    /// Share of requests that fail with 429, 500, 502, 503 or 504
    #[arg(long, value_name = "RATE", default_value = "0", value_parser = values::share)]
    fail: f64,
    /// Items on a page of a list
    #[arg(long, value_name = "N", default_value = "100", value_parser = values::positive)]
    page_size: NonZeroU32,
    /// Milliseconds for which reads still show the value before a write
    #[arg(long, value_name = "MS", default_value = "0", value_parser = values::milliseconds)]
    lag: Duration,
    /// Seed of all chance: the same seed fails the same requests
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// File that gets a JSON line for each request, tokens masked
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

pub(super) async fn run(args: &SandboxArgs) -> Result<Exit, Failure> {
    let snapshot_file = SnapshotFile::read(&args.file)?;
    let journal = args.journal.as_deref().map(|path| journal(path, &args.file)).transpose()?;
    let lines = journal.as_ref().map(File::try_clone).transpose().context("cannot write the journal")?;
    let options = Options {
        listen: args.listen,
        origin: None,
        latency: args.latency,
        throttle: args.throttle.map(|Rate { requests, per }| Throttle { requests: requests.get(), per }),
        fail: args.fail,
        page_size: args.page_size.get() as usize,
        lag: args.lag,
        seed: args.seed,
        faults: Vec::new(),
    };
    // Caught from here on, so that whoever reads the URL may stop the sandbox at once.
    let signals = Signals::catch()?;
    let sandbox = snapshot_file.serve(options, lines.map(|lines| Box::new(lines) as _)).await?;
    if let Some(journal) = journal.filter(|journal| journal.metadata().is_ok_and(|it| it.is_file())) {
        journal.set_len(0).context("cannot truncate the journal")?;
    }
    terminal::print(&format!("{}/beta\n", sandbox.url())).context("cannot write to stdout")?;
    signals.stopped().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// Opens the journal, which begins anew only once the sandbox serves.
fn journal(path: &Path, snapshot: &Path) -> Result<File, Failure> {
    let file = File::options().append(true).create(true).open(path);
    let file = file.with_context(|| format!("cannot write the journal `{}`", path.display()))?;
    // To begin it anew would be the end of the snapshot.
    if is_same(&file, path, snapshot) {
        return Err(Diagnostic::error(Code::OutputConflict, "the journal cannot be the snapshot itself")
            .hint("give `--journal` a file of its own")
            .into());
    }
    Ok(file)
}

/// Whether two files are one, by whatever names.
#[cfg(unix)]
fn is_same(file: &File, _: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |of: Metadata| (of.dev(), of.ino());
    match (file.metadata(), fs::metadata(other)) {
        (Ok(file), Ok(other)) => id(file) == id(other),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same(_: &File, path: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(path).is_some() && real(path) == real(other)
}
