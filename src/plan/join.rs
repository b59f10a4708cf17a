//! Joins the results of shards into that of an unsharded run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::binding::Unmanaged;
use super::problem::Problem;
use super::shard::{Member, Shard, ShardInfo};
use super::target::Target;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{FlowId, Ownership, Tenant};

/// Why plans or reports cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Some are shards and some are not.
    #[error("cannot join sharded and unsharded files")]
    NotSharded,
    /// The numbers of shards differ.
    #[error("shard counts differ: {0} and {1}")]
    Counts(Shard, Shard),
    /// The shards were made from different files.
    #[error("shard {0} and shard {1} are from different runs: only one of them has `{2}`")]
    Files(Shard, Shard, String),
    /// The shards were made from the same files in a different order.
    #[error("shard {0} and shard {1} list their files in a different order")]
    Order(Shard, Shard),
    /// One shard is given twice.
    #[error("shard {0} is given twice")]
    Duplicate(Shard),
}

/// Content of a plan or a report: its shard, targets and errors.
pub type Part<T> = (Option<ShardInfo>, Vec<T>, Vec<Problem>);

/// Joined content of several plans or reports.
#[derive(Debug)]
pub struct Joined<T> {
    /// Whether the parts are shards.
    pub is_sharded: bool,
    /// Targets of all.
    pub targets: Vec<T>,
    /// Errors of all.
    pub errors: Vec<Problem>,
    /// Shards that are missing.
    pub missing: Vec<Shard>,
}

/// Joins the shards of one run: the targets in the order of its files, and the errors as [`sort_by_tenant`] sorts
/// them. Equal errors of the run are kept once, and each missing shard is an additional error. Parts that are not
/// shards are appended to each other.
///
/// # Errors
/// The shards are not of one run, one is given twice, or some of the parts are not shards.
pub fn join<T>(parts: Vec<Part<T>>, tenant: impl Fn(&T) -> &Tenant) -> Result<Joined<T>, JoinError> {
    let (shards, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(shard, ..)| shard.is_some());
    let shards = shards.into_iter().filter_map(|(shard, targets, errors)| Some((shard?, targets, errors)));
    let shards: Vec<_> = shards.collect();
    if shards.is_empty() {
        let (mut targets, mut errors) = (Vec::new(), Vec::new());
        for (_, more_targets, more_errors) in others {
            targets.extend(more_targets);
            errors.extend(more_errors);
        }
        return Ok(Joined { is_sharded: false, targets, errors, missing: Vec::new() });
    }
    if !others.is_empty() {
        return Err(JoinError::NotSharded);
    }
    // A shard that could not read its files has an empty list of files.
    let has_files = |(info, ..): &&(ShardInfo, Vec<T>, Vec<Problem>)| !info.fleet.is_empty();
    let first = shards.iter().find(has_files).or_else(|| shards.first()).map(|(first, ..)| first.clone());
    let Some(first) = first else {
        return Ok(Joined { is_sharded: true, targets: Vec::new(), errors: Vec::new(), missing: Vec::new() });
    };
    let mut seen = BTreeSet::new();
    for (info, _, errors) in &shards {
        first.check_same_run(info, !errors.is_empty())?;
        if !seen.insert(info.shard) {
            return Err(JoinError::Duplicate(info.shard));
        }
    }
    let (mut targets, mut errors) = (Vec::new(), Vec::<Problem>::new());
    for (_, more, problems) in shards {
        targets.extend(more);
        // Errors of the files are the same in every shard.
        let new = problems.into_iter().filter(|it| it.tenant.is_some() || !errors.contains(it));
        errors.extend(new.collect::<Vec<_>>());
    }
    let mut positions = positions_by_tenant(&first.fleet);
    let mut placed: Vec<_> = targets
        .into_iter()
        .map(|target| {
            let position = positions.get_mut(tenant(&target)).and_then(VecDeque::pop_front);
            (position.unwrap_or(usize::MAX), target)
        })
        .collect();
    placed.sort_by_key(|(position, _)| *position);
    let missing = (1..=first.shard.count()).filter_map(|number| Shard::new(number, first.shard.count()));
    let missing: Vec<_> = missing.filter(|shard| !seen.contains(shard)).collect();
    errors.extend(missing.iter().map(|shard| {
        let problem = Diagnostic::error(Code::MissingShard, format!("shard {shard} is missing"));
        Problem::from(problem.hint("pass the files of all shards of the run"))
    }));
    sort_by_tenant(&mut errors, &first.fleet);
    let targets = placed.into_iter().map(|(_, target)| target).collect();
    Ok(Joined { is_sharded: true, targets, errors, missing })
}

/// Sorts errors: those of the run first, then by tenant in the order of the files, then those of other
/// tenants.
pub fn sort_by_tenant(errors: &mut [Problem], fleet: &[Member]) {
    let positions = positions_by_tenant(fleet);
    let position = |tenant: &Tenant| positions.get(tenant).and_then(|at| at.front().copied());
    errors.sort_by_key(|error| error.tenant.as_ref().map(|tenant| position(tenant).unwrap_or(usize::MAX)));
}

impl ShardInfo {
    fn check_same_run(&self, other: &Self, has_errors: bool) -> Result<(), JoinError> {
        let (ours, theirs) = (self.shard, other.shard);
        if ours.count() != theirs.count() {
            return Err(JoinError::Counts(ours, theirs));
        }
        if self.fleet == other.fleet || other.fleet.is_empty() && has_errors {
            return Ok(());
        }
        let only = |these: &[Member], those: &[Member]| {
            these.iter().find(|member| !those.contains(member)).map(|member| member.file.clone())
        };
        let only = only(&self.fleet, &other.fleet).or_else(|| only(&other.fleet, &self.fleet));
        Err(match only {
            Some(file) => JoinError::Files(ours, theirs, file),
            None => JoinError::Order(ours, theirs),
        })
    }
}

/// Returns the positions of each tenant's files.
fn positions_by_tenant(fleet: &[Member]) -> BTreeMap<&Tenant, VecDeque<usize>> {
    let mut positions = BTreeMap::<_, VecDeque<_>>::new();
    for (position, member) in fleet.iter().enumerate() {
        positions.entry(&member.tenant).or_default().push_back(position);
    }
    positions
}

/// Keeps each finding of a tenant once among targets that were planned in different runs, by the owners of the
/// bindings: an unreadable or dangling binding in the target that manages it, otherwise in the first. An unmanaged
/// binding stays in the first target, unless a target manages it.
pub fn dedupe_findings(targets: &mut [Target]) {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for target in targets {
        tenants.entry(target.tenant.clone()).or_default().push(target);
    }
    for mut targets in tenants.into_values().filter(|targets| targets.len() > 1) {
        let managed: Vec<Vec<_>> = targets
            .iter()
            .map(|target| target.managed().map(|(flow, step)| (flow.clone(), step)).collect())
            .collect();
        let mut owners = Ownership::default();
        for (at, managed) in managed.iter().enumerate() {
            managed.iter().for_each(|(flow, step)| owners.add(flow, *step, at));
        }
        let [mut unmanaged, mut unreadable, mut dangling] = [(); 3].map(|()| BTreeSet::new());
        for (at, target) in targets.iter_mut().enumerate() {
            let stays = |seen: &mut BTreeSet<_>, flow: &FlowId, step| match owners.owner(flow, step) {
                Some(owner) => *owner == at,
                None => seen.insert((flow.clone(), step)),
            };
            let is_managed = |it: &Unmanaged| owners.owner(&it.flow, it.step).is_some();
            target.unmanaged.retain(|it| !is_managed(it) && stays(&mut unmanaged, &it.flow, it.step));
            target.unreadable.retain(|it| stays(&mut unreadable, &it.flow, it.step));
            target.dangling.retain(|it| stays(&mut dangling, &it.flow, it.step));
        }
    }
}
