//! Deduplicates findings when several files target one tenant.

use std::collections::BTreeSet;

use super::Target;
use crate::model::{FlowId, Step};

/// Keeps each unreadable or dangling binding in one of the targets of a tenant: in that of the file that
/// manages it, otherwise in the first. Keeps each unmanaged binding in the first target, and removes it if
/// any of the files manages it.
///
/// `is_managed` returns whether any of the files manages a binding. `manages` returns whether the file of the
/// target at this index does.
pub fn dedupe_findings(
    targets: &mut [&mut Target],
    is_managed: impl Fn(&FlowId, Step) -> bool,
    manages: impl Fn(usize, &FlowId, Step) -> bool,
) {
    let (mut unmanaged, mut unreadable, mut dangling) = (Seen::default(), Seen::default(), Seen::default());
    for (index, target) in targets.iter_mut().enumerate() {
        let is_own = |seen: &mut Seen, flow: &FlowId, step| {
            manages(index, flow, step) || !is_managed(flow, step) && seen.insert(flow, step)
        };
        target.unmanaged.retain(|it| !is_managed(&it.flow, it.step) && unmanaged.insert(&it.flow, it.step));
        target.unreadable.retain(|it| is_own(&mut unreadable, &it.flow, it.step));
        target.dangling.retain(|it| is_own(&mut dangling, &it.flow, it.step));
    }
}

/// Bindings that an earlier target reports.
#[derive(Default)]
struct Seen(BTreeSet<(FlowId, Step)>);

impl Seen {
    /// Adds a binding. Returns whether it is new.
    fn insert(&mut self, flow: &FlowId, step: Step) -> bool {
        self.0.insert((flow.clone(), step))
    }
}
