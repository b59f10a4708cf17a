//! A part of a fleet, and how the parts become one whole again: as if it had never been taken apart.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use sha2::{Digest as _, Sha256};

use super::Problem;

/// The most parts: no fleet needs more, and each that is missing is told.
const MOST: u32 = 10_000;

/// The K-th of N parts of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    number: NonZeroU32,
    of: NonZeroU32,
}

impl Shard {
    /// The part of that number, counted from 1; `None` where there are not so many, or more than 10,000.
    pub fn new(number: u32, of: u32) -> Option<Self> {
        let (number, of) = (NonZeroU32::new(number)?, NonZeroU32::new(of)?);
        (number <= of && of.get() <= MOST).then_some(Self { number, of })
    }

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.number.get()
    }

    /// How many parts there are.
    pub fn of(self) -> u32 {
        self.of.get()
    }

    /// Whether a tenant is in this part: by its name alone, so that no other tenant that comes or goes
    /// moves it. Every tenant is in exactly one part of as many.
    pub fn has(self, tenant: &str) -> bool {
        let digest = Sha256::digest(tenant.to_ascii_lowercase().as_bytes());
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        number % NonZeroU64::from(self.of) == u64::from(self.number.get()).saturating_sub(1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// One file of a fleet, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The file's name.
    pub file: String,
    /// The tenant, as the file names it.
    pub tenant: String,
}

/// Which part of which fleet a plan or a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which part.
    pub shard: Shard,
    /// All files of the fleet, in their order.
    pub fleet: Vec<Member>,
}

/// Why plans or reports do not make one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOneFleet {
    /// One is no shard, and another one is.
    #[error("shards cannot be joined with what is no shard")]
    NoShard,
    /// There are not as many parts of each.
    #[error("shard {0} and shard {1} are not parts of as many")]
    Parts(Shard, Shard),
    /// They were made from other files.
    #[error("shard {0} and shard {1} are of different fleets: only one of them has `{2}`")]
    Fleets(Shard, Shard, String),
    /// They were made from the same files in another order.
    #[error("shard {0} and shard {1} are of fleets whose files have another order")]
    Order(Shard, Shard),
    /// One is there twice.
    #[error("shard {0} is given twice")]
    Twice(Shard),
}

/// What several plans or reports hold together.
#[derive(Debug)]
pub struct Joined<T> {
    /// The files of the fleet, where they are its shards.
    pub fleet: Option<Vec<Member>>,
    /// The targets of all.
    pub targets: Vec<T>,
    /// The errors of all.
    pub errors: Vec<Problem>,
    /// The shards that are not among them.
    pub missing: Vec<Shard>,
}

/// Makes one of what the shards of a fleet hold: the targets in the order of the fleet, and the errors
/// as [`sort`] sorts them. A shard that is not among them is an error more.
///
/// # Errors
/// They are not shards of one fleet, or one is there twice.
pub fn join<T>(
    shards: Vec<(Part, Vec<T>, Vec<Problem>)>,
    tenant: impl Fn(&T) -> &str,
) -> Result<Joined<T>, NotOneFleet> {
    // Where a part could not even read its files, the others know them.
    let is_known = |(part, ..): &&(Part, Vec<T>, Vec<Problem>)| !part.fleet.is_empty();
    let Some((first, ..)) = shards.iter().find(is_known).or_else(|| shards.first()) else {
        return Ok(Joined { fleet: None, targets: Vec::new(), errors: Vec::new(), missing: Vec::new() });
    };
    let first = first.clone();
    let mut seen = BTreeSet::new();
    for (part, _, errors) in &shards {
        first.fits(part, !errors.is_empty())?;
        if !seen.insert(part.shard) {
            return Err(NotOneFleet::Twice(part.shard));
        }
    }
    let (mut targets, mut errors) = (Vec::new(), Vec::<Problem>::new());
    for (_, more, problems) in shards {
        targets.extend(more);
        // What is wrong with the files is wrong with them for every shard.
        let new = problems.into_iter().filter(|it| it.tenant.is_some() || !errors.contains(it));
        errors.extend(new.collect::<Vec<_>>());
    }
    let mut places = places(&first.fleet);
    let mut placed: Vec<_> = targets
        .into_iter()
        .map(|target| {
            let place = places.get_mut(&tenant(&target).to_ascii_lowercase()).and_then(VecDeque::pop_front);
            (place.unwrap_or(usize::MAX), target)
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    let missing = (1..=first.shard.of()).filter_map(|number| Shard::new(number, first.shard.of()));
    let missing: Vec<_> = missing.filter(|shard| !seen.contains(shard)).collect();
    errors.extend(missing.iter().map(|shard| Problem {
        message: format!("shard {shard} is not among the files"),
        place: None,
        tenant: None,
    }));
    sort(&mut errors, &first.fleet);
    let targets = placed.into_iter().map(|(_, target)| target).collect();
    Ok(Joined { fleet: Some(first.fleet), targets, errors, missing })
}

/// Sorts errors: those about the whole run first, then by tenant in the order of the fleet.
pub fn sort(errors: &mut [Problem], fleet: &[Member]) {
    let places = places(fleet);
    let place = |tenant: &String| places.get(&tenant.to_ascii_lowercase()).and_then(|at| at.front().copied());
    errors.sort_by_key(|error| error.tenant.as_ref().map(|tenant| place(tenant).unwrap_or(usize::MAX)));
}

impl Part {
    fn fits(&self, other: &Self, has_errors: bool) -> Result<(), NotOneFleet> {
        let (ours, theirs) = (self.shard, other.shard);
        if ours.of != theirs.of {
            return Err(NotOneFleet::Parts(ours, theirs));
        }
        if self.fleet == other.fleet || other.fleet.is_empty() && has_errors {
            return Ok(());
        }
        let only = |these: &[Member], those: &[Member]| {
            these.iter().find(|member| !those.contains(member)).map(|member| member.file.clone())
        };
        let only = only(&self.fleet, &other.fleet).or_else(|| only(&other.fleet, &self.fleet));
        Err(match only {
            Some(file) => NotOneFleet::Fleets(ours, theirs, file),
            None => NotOneFleet::Order(ours, theirs),
        })
    }
}

/// Where the files of each tenant stand, by the tenant's name in lower case.
fn places(fleet: &[Member]) -> BTreeMap<String, VecDeque<usize>> {
    let mut places = BTreeMap::<_, VecDeque<_>>::new();
    for (place, member) in fleet.iter().enumerate() {
        places.entry(member.tenant.to_ascii_lowercase()).or_default().push_back(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_is_in_one_shard_whatever_its_case() {
        for of in 1..20 {
            for tenant in ["contoso.onmicrosoft.com", "a.com", "b.com", "c.com"] {
                let shards = (1..=of).filter_map(|number| Shard::new(number, of));
                let homes: Vec<_> = shards.filter(|shard| shard.has(tenant)).collect();
                assert_eq!(homes.len(), 1, "{tenant} of {of}");
                assert!(homes[0].has(&tenant.to_uppercase()));
            }
        }
    }

    #[test]
    fn the_shards_of_a_large_fleet_are_about_as_large() {
        let shard = Shard::new(3, 8).unwrap();
        let number = (0..800).filter(|n| shard.has(&format!("tenant{n}.onmicrosoft.com"))).count();
        assert!((70..130).contains(&number), "{number}");
    }
}
