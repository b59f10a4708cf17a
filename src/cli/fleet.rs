//! Runs over several tenants: concurrently, each independent of the others, with results in file order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;
use tracing::info;

use super::Global;
use super::connect::ConnectionArgs;
use super::environment::Environment;
use super::failure::Failure;
use super::progress::Progress;
use super::sandboxes::Sandboxes;
use super::values;
use crate::diagnostic::{Code, Diagnostic};
use crate::http::retry::Policy;
use crate::http::{Client, Connections, Figures, Meter, Rate, Settings, Stop, saturating_add};
use crate::model::Desired;
use crate::plan::{Member, Shard, ShardInfo};
use crate::terminal;

/// FILES argument of most commands.
#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// Desired-state files, or folders of them (*.yaml, *.yml)
    #[arg(default_value = Self::DEFAULT, value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
}

impl FilesArgs {
    /// File that is read if none is named.
    pub(super) const DEFAULT: &str = "flowbind.yaml";
}

/// Shard of a run.
#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    /// Process only shard K of N; combine the results with `show`
    #[arg(long, value_name = "K/N", value_parser = values::parse_shard, hide_short_help = true)]
    pub(super) shard: Option<Shard>,
}

impl ShardArgs {
    /// Returns the shard of `--shard` with the files of all shards, and prints its number of tenants on
    /// stderr unless `quiet`. Returns `None` and prints nothing without `--shard`.
    pub(super) fn info(&self, fleet: Vec<Member>, quiet: bool) -> Option<ShardInfo> {
        let shard = self.shard?;
        let tenants =
            |of: &mut dyn Iterator<Item = &Member>| group_by_tenant(of.map(|it| it.tenant.as_str())).len();
        let (mine, all) =
            (tenants(&mut fleet.iter().filter(|it| shard.contains(&it.tenant))), tenants(&mut fleet.iter()));
        if !quiet {
            terminal::eprint(&format!("shard {shard}: {mine} of {all} tenants\n"));
        }
        Some(ShardInfo { shard, fleet })
    }
}

/// Returns the files of a run and their tenants.
pub(super) fn members(files: &[Desired]) -> Vec<Member> {
    let member =
        |desired: &Desired| Member { file: desired.file.clone(), tenant: desired.tenant.to_string() };
    files.iter().map(member).collect()
}

/// State that all tenants of a run share.
pub(super) struct Run<'a> {
    pub(super) global: &'a Global,
    pub(super) connection_args: &'a ConnectionArgs,
    pub(super) environment: &'a Environment,
    /// Deadline of the run.
    pub(super) deadline: Instant,
    /// Shutdown signal.
    pub(super) stop: Stop,
    /// Emulated tenants, if the run uses any.
    pub(super) sandboxes: Sandboxes,
    /// Connections of all clients.
    pub(super) connections: Arc<Connections>,
    /// Counts requests to Graph.
    pub(super) meter: Arc<Meter>,
}

/// Retry policy for signing in, which fails within seconds if it cannot work.
const LOGIN: Policy =
    Policy { base: Duration::from_secs(1), longest: Duration::from_secs(30), max_attempts: 3 };

impl<'a> Run<'a> {
    /// Starts the time limit, reads the sandboxes and `--ca-file`, and creates the connections. An unusable
    /// file is an error; nothing is sent.
    pub(super) fn start(
        global: &'a Global,
        connection_args: &'a ConnectionArgs,
        environment: &'a Environment,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let deadline = saturating_add(Instant::now(), connection_args.timeout);
        let sandboxes = Sandboxes::read(&connection_args.sandbox)?;
        let connections = connections(connection_args.ca_file.as_deref())?
            .reject_proxied(environment.invalid_proxy_variable);
        let connections = Arc::new(connections);
        let meter = Arc::default();
        Ok(Self { global, connection_args, environment, deadline, stop, sandboxes, connections, meter })
    }

    /// Creates a client for the login authority of one tenant: without a rate limit, with at most 3 attempts,
    /// and not counted by the meter of the run. A throttled app delays no other tenant.
    pub(super) fn login_client(&self) -> Arc<Client> {
        let unlimited = Rate { requests: NonZeroU32::MAX, per: Duration::from_secs(1) };
        let settings = Settings { rate: unlimited, retry: LOGIN, meter: Arc::default(), ..self.settings() };
        Arc::new(Client::new(settings, Arc::clone(&self.connections)))
    }

    /// Returns the settings of one tenant's client: parallelism and rate of the options, and deadline, stop
    /// signal and meter of the run.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            parallelism: self.connection_args.parallelism,
            rate: self.connection_args.rate,
            deadline: self.deadline,
            retry: Policy::default(),
            stop: self.stop.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// Calls `work` for each group of indices, at most `--tenants-at-once` concurrently, and `handle` for
    /// each index and its result, in order. Shows the progress if stderr is a terminal, unless `--quiet`. See
    /// [`for_each_in_order`].
    pub(super) async fn for_each_in_order<R>(
        &self,
        groups: &[Vec<usize>],
        work: impl AsyncFn(&[usize]) -> Vec<R>,
        handle: impl FnMut(usize, R),
    ) {
        let shown = terminal::stderr_is_terminal() && !self.global.quiet;
        let progress = Progress::new(groups.len(), &self.meter, shown);
        let work = async |group: &[usize]| progress.count_while(work(group)).await;
        progress
            .show_while(for_each_in_order(groups, self.connection_args.tenants_at_once, work, handle))
            .await;
    }
}

impl Drop for Run<'_> {
    /// Logs the cost of the run, however it ended.
    fn drop(&mut self) {
        let Figures { requests, exchanges, retries, waited, bytes } = self.meter.figures();
        if exchanges == 0 {
            return;
        }
        let waited = waited.as_secs_f64();
        info!(
            "{requests} requests in {exchanges} exchanges, {retries} retried; waited {waited:.1} s; {bytes} bytes"
        );
    }
}

/// Creates the connections of a run, which also trust the certificates in `ca_file` if it is given. A file
/// that cannot be read or used is an error.
fn connections(ca_file: Option<&Path>) -> Result<Connections, Failure> {
    let Some(path) = ca_file else { return Ok(Connections::default()) };
    let wrong = |why: String| {
        let message = format!("`--ca-file`: cannot use `{}`: {why}", path.display());
        Diagnostic::error(Code::InvalidCaFile, message)
            .hint("pass a PEM file with the certificates of the authorities to trust")
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    Ok(Connections::with_authorities(&pem).map_err(|error| wrong(error.to_string()))?)
}

/// Groups the indices of `tenants` by tenant, ignoring case, in the order of the first occurrence. The items
/// of a group share a connection and are processed one after the other.
pub(super) fn group_by_tenant<'t>(tenants: impl IntoIterator<Item = &'t str>) -> Vec<Vec<usize>> {
    let mut positions = BTreeMap::new();
    let mut groups = Vec::<Vec<usize>>::new();
    for (at, tenant) in tenants.into_iter().enumerate() {
        let position = *positions.entry(tenant.to_ascii_lowercase()).or_insert(groups.len());
        match groups.get_mut(position) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// Calls `work` for at most `at_once` groups concurrently; it returns one result for each index of its group.
/// Calls `handle` with each index and its result, in ascending order from 0, as soon as all results before it
/// are there.
async fn for_each_in_order<R>(
    groups: &[Vec<usize>],
    at_once: NonZeroU32,
    work: impl AsyncFn(&[usize]) -> Vec<R>,
    handle: impl FnMut(usize, R),
) {
    let in_order = RefCell::new(InOrder { next: 0, waiting: BTreeMap::new(), handle });
    let at_once = usize::try_from(at_once.get()).unwrap_or(usize::MAX);
    stream::iter(groups)
        .for_each_concurrent(at_once, async |group| {
            let results = work(group).await;
            for (at, result) in group.iter().zip(results) {
                in_order.borrow_mut().add(*at, result);
            }
        })
        .await;
}

/// Puts results that arrive in any order into the order of the list.
struct InOrder<R, T> {
    next: usize,
    waiting: BTreeMap<usize, R>,
    handle: T,
}

impl<R, T: FnMut(usize, R)> InOrder<R, T> {
    fn add(&mut self, at: usize, result: R) {
        self.waiting.insert(at, result);
        while let Some(result) = self.waiting.remove(&self.next) {
            (self.handle)(self.next, result);
            self.next = self.next.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn group_by_tenant_ignores_case() {
        assert_eq!(
            group_by_tenant(["a.com", "b.com", "A.com", "c.com", "b.com"]),
            [vec![0, 2], vec![1, 4], vec![3]]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn for_each_in_order_with_a_slow_group_starts_the_others() {
        let groups: Vec<_> = (0..20).map(|at| vec![at]).collect();
        let (running, most) = (Cell::new(0), Cell::new(0));
        let mut results = Vec::new();
        let started = Instant::now();
        let work = async |group: &[usize]| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::time::sleep(Duration::from_secs(if group == [0] { 19 } else { 1 })).await;
            running.set(running.get() - 1);
            group.to_vec()
        };
        for_each_in_order(&groups, NonZeroU32::new(2).unwrap(), work, |at, result| {
            results.push((at, result))
        })
        .await;
        assert_eq!(results, (0..20).map(|at| (at, at)).collect::<Vec<_>>());
        assert_eq!(most.get(), 2);
        assert_eq!(started.elapsed(), Duration::from_secs(19));
    }
}
