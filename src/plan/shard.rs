//! Splits a run into shards by tenant.

use std::collections::BTreeSet;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::model::Tenant;

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
    pub fn contains(self, tenant: &Tenant) -> bool {
        let digest = Sha256::digest(tenant.as_str().to_ascii_lowercase().as_bytes());
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

/// Error of a text that is not a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected K/N, shard K of N, such as 2/5; K is from 1 to N, N at most {MAX_SHARDS}")]
pub struct InvalidShard;

impl FromStr for Shard {
    type Err = InvalidShard;

    /// Parses `K/N`, without signs.
    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let (number, count) = text.split_once('/').ok_or(InvalidShard)?;
        let parse = |text: &str| text.parse::<NonZeroU32>().map_err(|_| InvalidShard);
        Self::new(parse(number)?.get(), parse(count)?.get()).ok_or(InvalidShard)
    }
}

/// File of a run, and its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path of the file in its repository, with `/`.
    pub file: String,
    /// Tenant, as the file names it.
    pub tenant: Tenant,
}

/// Returns whether files are of more than one tenant.
pub fn has_several_tenants(members: &[Member]) -> bool {
    members.first().is_some_and(|first| members.iter().any(|member| member.tenant != first.tenant))
}

/// Shard that a plan or a report is about, and all files of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// The shard.
    pub shard: Shard,
    /// Files of all shards, in order.
    pub fleet: Vec<Member>,
}

impl ShardInfo {
    /// Returns the number of tenants in the shard, and in all shards.
    pub fn count_tenants(&self) -> (usize, usize) {
        let tenants: BTreeSet<_> = self.fleet.iter().map(|member| &member.tenant).collect();
        (tenants.iter().filter(|tenant| self.shard.contains(tenant)).count(), tenants.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_of_a_tenant_is_one_and_ignores_case() {
        for count in 1..20 {
            for tenant in ["contoso.onmicrosoft.com", "a.com", "b.com", "c.com"] {
                let shards = (1..=count).filter_map(|number| Shard::new(number, count));
                let homes: Vec<_> = shards.filter(|shard| shard.contains(&tenant.parse().unwrap())).collect();
                assert_eq!(homes.len(), 1, "{tenant} of {count}");
                assert!(homes[0].contains(&tenant.to_uppercase().parse().unwrap()));
            }
        }
    }

    #[test]
    fn shards_of_many_tenants_are_about_equally_large() {
        let shard = Shard::new(3, 8).unwrap();
        let number = (0..800)
            .filter(|n| shard.contains(&format!("tenant{n}.onmicrosoft.com").parse().unwrap()))
            .count();
        assert!((70..130).contains(&number), "{number}");
    }

    #[test]
    fn shard_from_text_is_k_of_n() {
        assert_eq!("3/3".parse::<Shard>().unwrap().to_string(), "3/3");
        for bad in
            ["", "0/3", "4/3", "1/0", "3", "1/", "/3", "1/3/3", "-1/3", "a/b", " 1/3", "1.0/3", "1/10001"]
        {
            assert_eq!(bad.parse::<Shard>(), Err(InvalidShard), "{bad:?}");
        }
    }
}
