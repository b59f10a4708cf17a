//! Splits a run into shards by tenant, and joins their results into that of an unsharded run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use sha2::{Digest as _, Sha256};

use super::Problem;
use crate::diagnostic::{Code, Diagnostic};

/// Largest number of shards. Each missing shard is reported, so the number bounds the size of a report.
const MAX_SHARDS: u32 = 10_000;

/// Shard K of N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    number: NonZeroU32,
    count: NonZeroU32,
}

impl Shard {
    /// Creates shard `number` of `count`. `None` if `number` is not in 1 to `count`, or if `count` exceeds
    /// 10,000.
    pub fn new(number: u32, count: u32) -> Option<Self> {
        let (number, count) = (NonZeroU32::new(number)?, NonZeroU32::new(count)?);
        (number <= count && count.get() <= MAX_SHARDS).then_some(Self { number, count })
    }

    /// Returns the number of the shard, from 1.
    pub fn number(self) -> u32 {
        self.number.get()
    }

    /// Returns the number of shards.
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// Returns whether a tenant belongs to this shard. Each tenant belongs to exactly one of N shards. The
    /// shard depends on its name only, ignoring case, so that adding or removing a tenant does not move
    /// others.
    pub fn contains(self, tenant: &str) -> bool {
        let digest = Sha256::digest(tenant.to_ascii_lowercase().as_bytes());
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % NonZeroU64::from(self.count) == u64::from(self.number.get()).saturating_sub(1)
    }
}

impl fmt::Display for Shard {
    /// Writes `K/N`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

/// File of a run, and its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name of the file.
    pub file: String,
    /// Tenant, as the file names it.
    pub tenant: String,
}

/// Shard that a plan or a report is about, and all files of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// The shard.
    pub shard: Shard,
    /// Files of all shards, in order.
    pub fleet: Vec<Member>,
}

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

/// Joined content of several plans or reports.
#[derive(Debug)]
pub struct Joined<T> {
    /// Files of the run, if the input was sharded.
    pub fleet: Option<Vec<Member>>,
    /// Targets of all.
    pub targets: Vec<T>,
    /// Errors of all.
    pub errors: Vec<Problem>,
    /// Shards that are missing.
    pub missing: Vec<Shard>,
}

/// Joins the shards of one run: the targets in the order of its files, and the errors as [`sort`] sorts them.
/// Equal errors of the run are kept once, and each missing shard is an additional error. Without shards, the
/// result is empty.
///
/// # Errors
/// The shards are not of one run, or one is given twice.
pub fn join<T>(
    shards: Vec<(ShardInfo, Vec<T>, Vec<Problem>)>,
    tenant: impl Fn(&T) -> &str,
) -> Result<Joined<T>, JoinError> {
    // A shard that could not read its files has an empty list of files.
    let has_files = |(info, ..): &&(ShardInfo, Vec<T>, Vec<Problem>)| !info.fleet.is_empty();
    let Some((first, ..)) = shards.iter().find(has_files).or_else(|| shards.first()) else {
        return Ok(Joined { fleet: None, targets: Vec::new(), errors: Vec::new(), missing: Vec::new() });
    };
    let first = first.clone();
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
            let position =
                positions.get_mut(&tenant(&target).to_ascii_lowercase()).and_then(VecDeque::pop_front);
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
    sort(&mut errors, &first.fleet);
    let targets = placed.into_iter().map(|(_, target)| target).collect();
    Ok(Joined { fleet: Some(first.fleet), targets, errors, missing })
}

/// Sorts errors: those of the run first, then by tenant in the order of the files, then those of other
/// tenants.
pub fn sort(errors: &mut [Problem], fleet: &[Member]) {
    let positions = positions_by_tenant(fleet);
    let position =
        |tenant: &String| positions.get(&tenant.to_ascii_lowercase()).and_then(|at| at.front().copied());
    errors.sort_by_key(|error| error.tenant.as_ref().map(|tenant| position(tenant).unwrap_or(usize::MAX)));
}

impl ShardInfo {
    fn check_same_run(&self, other: &Self, has_errors: bool) -> Result<(), JoinError> {
        let (ours, theirs) = (self.shard, other.shard);
        if ours.count != theirs.count {
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

/// Returns the positions of each tenant's files, by the tenant's name in lower case.
fn positions_by_tenant(fleet: &[Member]) -> BTreeMap<String, VecDeque<usize>> {
    let mut positions = BTreeMap::<_, VecDeque<_>>::new();
    for (position, member) in fleet.iter().enumerate() {
        positions.entry(member.tenant.to_ascii_lowercase()).or_default().push_back(position);
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_of_a_tenant_is_one_and_ignores_case() {
        for count in 1..20 {
            for tenant in ["contoso.onmicrosoft.com", "a.com", "b.com", "c.com"] {
                let shards = (1..=count).filter_map(|number| Shard::new(number, count));
                let homes: Vec<_> = shards.filter(|shard| shard.contains(tenant)).collect();
                assert_eq!(homes.len(), 1, "{tenant} of {count}");
                assert!(homes[0].contains(&tenant.to_uppercase()));
            }
        }
    }

    #[test]
    fn shards_of_many_tenants_are_about_equally_large() {
        let shard = Shard::new(3, 8).unwrap();
        let number = (0..800).filter(|n| shard.contains(&format!("tenant{n}.onmicrosoft.com"))).count();
        assert!((70..130).contains(&number), "{number}");
    }
}
