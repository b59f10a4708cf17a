//! `sandbox`: serves an emulated tenant until it is stopped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::failure::Failure;
use super::sandboxes::{read_snapshot, start_sandbox};
use super::signals::Signals;
use super::{Exit, values};
use crate::diagnostic::Diagnostic;
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
    let snapshot = read_snapshot(&args.file)?;
    let journal = match &args.journal {
        Some(path) => {
            refuse_the_snapshot_itself(path, &args.file)?;
            let file = File::create(path)
                .with_context(|| format!("cannot write the journal `{}`", path.display()))?;
            Some(Box::new(file) as _)
        }
        None => None,
    };
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
    let sandbox = start_sandbox(&args.file, snapshot, options, journal).await?;
    terminal::print(&format!("{}/beta\n", sandbox.url())).context("cannot write to stdout")?;
    signals.stopped().await;
    sandbox.stop().await;
    Ok(Exit::Done)
}

/// A journal starts empty, which would be the end of the snapshot.
fn refuse_the_snapshot_itself(journal: &Path, snapshot: &Path) -> Result<(), Failure> {
    let real = |path: &Path| path.canonicalize().ok();
    if real(journal).is_some() && real(journal) == real(snapshot) {
        return Err(Diagnostic::error("the journal cannot be the snapshot itself")
            .hint("give `--journal` a file of its own")
            .into());
    }
    Ok(())
}
