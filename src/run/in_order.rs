//! Results in order, although the work ends in any order.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use futures_util::{StreamExt as _, stream};

use crate::model::Tenant;

/// Groups values by tenant, with their positions in the list, in the order of the first occurrence. The values of
/// a group share a connection and are processed one after the other.
pub(super) fn group_by_tenant<T>(
    values: impl IntoIterator<Item = T>,
    tenant: impl Fn(&T) -> &Tenant,
) -> Vec<Vec<(usize, T)>> {
    let mut positions = BTreeMap::new();
    let mut groups = Vec::<Vec<_>>::new();
    for (at, value) in values.into_iter().enumerate() {
        let position = *positions.entry(tenant(&value).clone()).or_insert(groups.len());
        match groups.get_mut(position) {
            Some(group) => group.push((at, value)),
            None => groups.push(vec![(at, value)]),
        }
    }
    groups
}

/// Calls `work` for at most `at_once` items concurrently; it returns results with their positions. Calls `handle`
/// with each result in ascending order of the positions from 0, as soon as all results before it are there.
pub(super) async fn for_each_in_order<T, R>(
    items: Vec<T>,
    at_once: NonZeroU32,
    work: impl AsyncFn(T) -> Vec<(usize, R)>,
    handle: impl FnMut(R),
) {
    let in_order = RefCell::new(InOrder { next: 0, waiting: BTreeMap::new(), handle });
    let at_once = usize::try_from(at_once.get()).unwrap_or(usize::MAX);
    stream::iter(items)
        .for_each_concurrent(at_once, async |item| {
            let results = work(item).await;
            results.into_iter().for_each(|(at, result)| in_order.borrow_mut().add(at, result));
        })
        .await;
    // A gap in the positions must not lose a result.
    let InOrder { waiting, mut handle, .. } = in_order.into_inner();
    waiting.into_values().for_each(&mut handle);
}

/// Puts results that arrive in any order into the order of the list.
struct InOrder<R, T> {
    next: usize,
    waiting: BTreeMap<usize, R>,
    handle: T,
}

impl<R, T: FnMut(R)> InOrder<R, T> {
    fn add(&mut self, at: usize, result: R) {
        self.waiting.insert(at, result);
        while let Some(result) = self.waiting.remove(&self.next) {
            (self.handle)(result);
            self.next = self.next.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn group_by_tenant_ignores_case() {
        let tenants = ["a.com", "b.com", "A.com", "c.com", "b.com"].map(|name| name.parse().unwrap());
        let groups = group_by_tenant(tenants, |tenant| tenant);
        let positions: Vec<Vec<_>> =
            groups.iter().map(|group| group.iter().map(|(at, _)| *at).collect()).collect();
        assert_eq!(positions, [vec![0, 2], vec![1, 4], vec![3]]);
    }

    #[tokio::test(start_paused = true)]
    async fn for_each_in_order_with_a_slow_item_starts_the_others() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let mut results = Vec::new();
        let started = Instant::now();
        let work = async |at: usize| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            tokio::time::sleep(Duration::from_secs(if at == 0 { 19 } else { 1 })).await;
            running.set(running.get() - 1);
            vec![(at, at)]
        };
        for_each_in_order((0..20).collect(), NonZeroU32::new(2).unwrap(), work, |result| {
            results.push(result)
        })
        .await;
        assert_eq!(results, (0..20).collect::<Vec<_>>());
        assert_eq!(most.get(), 2);
        assert_eq!(started.elapsed(), Duration::from_secs(19));
    }
}
