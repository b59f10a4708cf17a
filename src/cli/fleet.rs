//! The tenants of a run: side by side, each by itself, and told in the order of the files.

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
use super::environment::Environment;
use super::failure::Failure;
use super::progress::Progress;
use super::sandboxes::Sandboxes;
use super::values;
use crate::diagnostic::Diagnostic;
use crate::http::retry::Policy;
use crate::http::{Client, Connections, Figures, Meter, Rate, Settings, Stop, saturating_add};
use crate::model::Desired;
use crate::plan::{Member, Part, Shard};
use crate::terminal;

/// The FILES of most commands.
#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// Desired-state files, or folders of which every *.yaml and *.yml is one
    #[arg(default_value = Self::DEFAULT, value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
}

impl FilesArgs {
    /// What is read where no file is named.
    pub(super) const DEFAULT: &str = "flowbind.yaml";
}

/// Which part of the tenants a run is about.
#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    /// Work on the K-th of N parts of the tenants alone; `show` joins what the parts write
    #[arg(long, value_name = "K/N", value_parser = values::shard)]
    pub(super) shard: Option<Shard>,
}

impl ShardArgs {
    /// The part of a fleet, told on stderr; `None` where the run is about all of it.
    pub(super) fn part(&self, fleet: Vec<Member>, quiet: bool) -> Option<Part> {
        let shard = self.shard?;
        let tenants =
            |of: &mut dyn Iterator<Item = &Member>| by_tenant(of.map(|it| it.tenant.as_str())).len();
        let (mine, all) =
            (tenants(&mut fleet.iter().filter(|it| shard.has(&it.tenant))), tenants(&mut fleet.iter()));
        if !quiet {
            terminal::message(&format!("shard {shard}: {mine} of {all} tenants\n"));
        }
        Some(Part { shard, fleet })
    }
}

/// The files of a fleet and their tenants.
pub(super) fn members(files: &[Desired]) -> Vec<Member> {
    let member =
        |desired: &Desired| Member { file: desired.file.clone(), tenant: desired.tenant.to_string() };
    files.iter().map(member).collect()
}

/// What all tenants of a run share.
pub(super) struct Run<'a> {
    pub(super) global: &'a Global,
    pub(super) environment: &'a Environment,
    /// When the run has to be over.
    pub(super) deadline: Instant,
    /// Turns true when nothing new may begin.
    pub(super) stop: Stop,
    /// The emulated tenants, where the run is for such.
    pub(super) sandboxes: Sandboxes,
    /// Shared by all that is asked.
    pub(super) connections: Arc<Connections>,
    /// Counts what Graph is asked.
    pub(super) meter: Arc<Meter>,
}

/// Signing in is to fail within seconds where it cannot work.
const LOGIN: Policy =
    Policy { base: Duration::from_secs(1), longest: Duration::from_secs(30), max_attempts: 3 };

impl<'a> Run<'a> {
    /// Starts the clock, and finds out which tenants the sandboxes are of.
    pub(super) fn start(
        global: &'a Global,
        environment: &'a Environment,
        stop: Stop,
    ) -> Result<Self, Failure> {
        let deadline = saturating_add(Instant::now(), global.timeout);
        let sandboxes = Sandboxes::read(&global.sandbox)?;
        let connections =
            connections(global.ca_file.as_deref())?.reject_proxied_if_invalid(environment.misspelt_proxy);
        let connections = Arc::new(connections);
        Ok(Self { global, environment, deadline, stop, sandboxes, connections, meter: Arc::default() })
    }

    /// Asks the authority of one tenant, which has no budget of ours. One that throttles a tenant's app
    /// holds up no other tenant.
    pub(super) fn login(&self) -> Arc<Client> {
        let endless = Rate { requests: NonZeroU32::MAX, per: Duration::from_secs(1) };
        let settings = Settings { rate: endless, retry: LOGIN, meter: Arc::default(), ..self.settings() };
        Arc::new(Client::new(settings, Arc::clone(&self.connections)))
    }

    /// How one tenant's Graph is asked.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            parallelism: self.global.parallelism,
            rate: self.global.rate,
            deadline: self.deadline,
            retry: Policy::default(),
            stop: self.stop.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// Works on the groups of a list, as many at once as `--tenants-at-once` allows, and shows how far it
    /// is: see [`each`].
    pub(super) async fn each<R>(
        &self,
        groups: &[Vec<usize>],
        work: impl AsyncFn(&[usize]) -> Vec<R>,
        tell: impl FnMut(usize, R),
    ) {
        let shown = terminal::stderr_is_terminal() && !self.global.quiet;
        let progress = Progress::of(groups.len(), &self.meter, shown);
        let work = async |group: &[usize]| progress.on_one(work(group)).await;
        progress.during(each(groups, self.global.tenants_at_once, work, tell)).await;
    }
}

impl Drop for Run<'_> {
    /// Tells what it cost, however it ended: nothing comes after it.
    fn drop(&mut self) {
        let Figures { requests, exchanges, retries, waited, bytes } = self.meter.figures();
        if exchanges == 0 {
            return;
        }
        let waited = waited.as_secs_f64();
        info!(
            "{requests} requests in {exchanges} exchanges, {retries} retries; {waited:.1} s waited; {bytes} bytes"
        );
    }
}

/// Connections that trust what `--ca-file` holds, too.
fn connections(ca_file: Option<&Path>) -> Result<Connections, Failure> {
    let Some(path) = ca_file else { return Ok(Connections::default()) };
    let wrong = |why: String| {
        Diagnostic::error(format!("`--ca-file`: cannot use `{}`: {why}", path.display()))
            .hint("give a file with the certificates of the authorities to trust, as PEM")
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    Ok(Connections::with_authorities(&pem).map_err(|error| wrong(error.to_string()))?)
}

/// Puts the items of one tenant together, by their place in the list: they share its connection and
/// are worked on one after the other.
pub(super) fn by_tenant<'t>(tenants: impl IntoIterator<Item = &'t str>) -> Vec<Vec<usize>> {
    let mut places = BTreeMap::new();
    let mut groups = Vec::<Vec<usize>>::new();
    for (at, tenant) in tenants.into_iter().enumerate() {
        let place = *places.entry(tenant.to_ascii_lowercase()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// Whether a run is about more than one tenant.
pub(super) fn are_several<'t>(tenants: impl IntoIterator<Item = &'t str>) -> bool {
    by_tenant(tenants).len() > 1
}

/// Works on at most so many groups at once. `work` gives a result for each item of a group; each is
/// told as soon as it and all before it are there.
async fn each<R>(
    groups: &[Vec<usize>],
    at_once: NonZeroU32,
    work: impl AsyncFn(&[usize]) -> Vec<R>,
    tell: impl FnMut(usize, R),
) {
    let in_order = RefCell::new(InOrder { next: 0, waiting: BTreeMap::new(), tell });
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

/// Hands on what comes in any order in the order of the list.
struct InOrder<R, T> {
    next: usize,
    waiting: BTreeMap<usize, R>,
    tell: T,
}

impl<R, T: FnMut(usize, R)> InOrder<R, T> {
    fn add(&mut self, at: usize, result: R) {
        self.waiting.insert(at, result);
        while let Some(result) = self.waiting.remove(&self.next) {
            (self.tell)(self.next, result);
            self.next = self.next.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_files_of_one_tenant_are_a_group_whatever_its_case() {
        assert_eq!(
            by_tenant(["a.com", "b.com", "A.com", "c.com", "b.com"]),
            [vec![0, 2], vec![1, 4], vec![3]]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn results_are_told_in_order_and_no_slow_one_keeps_others_from_beginning() {
        let groups: Vec<_> = (0..20).map(|at| vec![at]).collect();
        let (running, most) = (Cell::new(0), Cell::new(0));
        let mut told = Vec::new();
        let started = Instant::now();
        let work = async |group: &[usize]| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::time::sleep(Duration::from_secs(if group == [0] { 19 } else { 1 })).await;
            running.set(running.get() - 1);
            group.to_vec()
        };
        each(&groups, NonZeroU32::new(2).unwrap(), work, |at, result| told.push((at, result))).await;
        assert_eq!(told, (0..20).map(|at| (at, at)).collect::<Vec<_>>());
        assert_eq!(most.get(), 2);
        assert_eq!(started.elapsed(), Duration::from_secs(19));
    }
}
