//! Several files of one tenant: what each of them could tell is told once.

use std::collections::BTreeSet;
use std::mem::take;

use super::Target;
use super::diff::gone_warning;
use crate::model::{FlowId, Step};

/// Takes out of the targets of one tenant what another of them tells. What a file manages it tells by
/// itself, and no other file calls it unmanaged; what none of them manages is told by the first.
///
/// `is_managed` says whether any of the files manages a binding, `manages` whether the one of the target
/// at this place does.
pub fn tell_once(
    targets: &mut [&mut Target],
    is_managed: impl Fn(&FlowId, Step) -> bool,
    manages: impl Fn(usize, &FlowId, Step) -> bool,
) {
    let (mut unmanaged, mut unknown, mut gone) = (Told::default(), Told::default(), Told::default());
    for (at, target) in targets.iter_mut().enumerate() {
        let is_own = |told: &mut Told, flow: &FlowId, step| {
            manages(at, flow, step) || !is_managed(flow, step) && told.is_new(flow, step)
        };
        target.unmanaged.retain(|it| !is_managed(&it.flow, it.step) && unmanaged.is_new(&it.flow, it.step));
        target.unknown.retain(|it| is_own(&mut unknown, &it.flow, it.step));
        let (own, others): (Vec<_>, Vec<_>) =
            take(&mut target.gone).into_iter().partition(|it| is_own(&mut gone, &it.flow, it.step));
        let others: BTreeSet<_> = others.iter().map(gone_warning).collect();
        target.warnings.retain(|warning| !others.contains(warning));
        target.gone = own;
    }
}

/// What was told already.
#[derive(Default)]
struct Told(BTreeSet<(FlowId, Step)>);

impl Told {
    fn is_new(&mut self, flow: &FlowId, step: Step) -> bool {
        self.0.insert((flow.clone(), step))
    }
}
