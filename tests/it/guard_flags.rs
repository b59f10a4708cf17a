//! Property test of the flags that lift blockers, for random files of several tenants.

use std::collections::BTreeSet;

use flowbind::desired;
use flowbind::diagnostic::Code;
use flowbind::model::{Current, Desired, Fetched, FlowId, GuardLimit, Guards, Step, TenantCheck};
use flowbind::plan::{
    Blocker, Connected, Override, Plan, PlanTime, RunOverrides, ScopedOverride, Target, TenantPlan,
    plan_tenant,
};
use flowbind::render;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::properties::{self, Bindings, URL, bindings, file};

/// What random files of a tenant list and what it has.
#[derive(Debug, Clone)]
struct GuardedTenant {
    /// Bindings and guards of each file. Two files list the flows of even and of odd numbers.
    files: Vec<(Bindings, Guards)>,
    has: Bindings,
    /// Whether each binding is protected, in turn.
    protected: Vec<bool>,
    /// Whether the only file prunes all flows and lists none.
    prunes_all: bool,
}

fn guarded_tenant() -> impl Strategy<Value = GuardedTenant> {
    let guards = (prop::option::of(0..5u32), 0..4u32);
    let guards = guards.prop_map(|(max_changes, max_disables)| Guards {
        max_changes: max_changes.map(GuardLimit::from),
        max_disables: max_disables.into(),
    });
    let tenant =
        (vec((bindings(), guards), 1..3), bindings(), vec(any::<bool>(), 5), prop::bool::weighted(0.2));
    tenant.prop_map(|(files, has, protected, prunes)| {
        let prunes_all = prunes && files.len() == 1;
        GuardedTenant { files, has, protected, prunes_all }
    })
}

fn guarded_files(at: usize, tenant: &GuardedTenant) -> Vec<Desired> {
    let mut protected = tenant.protected.iter().cycle();
    let files = tenant.files.iter().enumerate().map(|(number, (wanted, guards))| {
        let is_listed = |flow: u8| match tenant.files.len() {
            _ if tenant.prunes_all => false,
            1 => true,
            _ => usize::from(flow) % 2 == number,
        };
        let wanted = wanted.iter().filter(|((flow, _), _)| is_listed(*flow));
        let mut desired = file(&wanted.map(|(at, bound)| (*at, *bound)).collect(), false);
        let bindings = desired.flows.iter_mut().flat_map(|flow| flow.bindings.values_mut());
        bindings
            .zip(&mut protected)
            .for_each(|(binding, protect)| binding.protect = protect.then(|| binding.span.clone()));
        if tenant.prunes_all {
            let pruning = b"version: 1\ntenant: a.com\nprune: flows\nflows: {}\n";
            desired.prune = desired::parse("prune.yaml", pruning).unwrap().prune;
        }
        let tenant = format!("tenant{at}.onmicrosoft.com").parse().unwrap();
        Desired { file: format!("{at}-{number}.yaml"), tenant, guards: guards.clone(), ..desired }
    });
    files.collect()
}

fn current(tenant: &GuardedTenant, files: &[Desired]) -> Current {
    let all = file(&tenant.has, false);
    let mut current = properties::tenant(&tenant.has, &all);
    if tenant.prunes_all {
        current.flow_list = Fetched::Known(Vec::new());
    }
    for desired in files {
        current.flows.extend(properties::tenant(&tenant.has, desired).flows);
    }
    current
}

fn guarded_plan(current: &Current, files: &[Desired], flags: &RunOverrides) -> TenantPlan {
    let connected =
        Connected { graph_url: URL.to_owned(), tenant_check: TenantCheck::NotApplicable, actor: None };
    let time = PlanTime::new(Timestamp::UNIX_EPOCH, 30);
    let overrides = flags.for_tenant(&files[0].tenant);
    plan_tenant(&files[0].tenant, files, current, &connected, &overrides, time)
}

fn blockers(plan: &Plan) -> impl Iterator<Item = (&Target, &Blocker)> {
    let targets = plan.tenants.iter().flat_map(|tenant| &tenant.targets);
    targets.flat_map(|target| target.blockers.iter().map(move |blocker| (target, blocker)))
}

/// File of a blocker, its guard, and the binding if it concerns one. Counts and limits are left out.
type Guard = (String, Code, Option<(FlowId, Step)>);

fn guard((target, blocker): (&Target, &Blocker)) -> Guard {
    let binding = match blocker {
        Blocker::Protected { flow, step, .. } => Some((flow.clone(), *step)),
        _ => None,
    };
    (target.file.clone(), blocker.code(), binding)
}

fn guards(plan: &Plan) -> BTreeSet<Guard> {
    blockers(plan).map(guard).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Each flag that is shown beside a blocker lifts it, with the same guard of other files of the tenant that its limit
    /// allows. It lifts no other blocker and blocks nothing.
    #[test]
    fn suggested_flag_alone_lifts_its_blocker_and_no_other(tenants in vec(guarded_tenant(), 1..4)) {
        let files: Vec<_> = tenants.iter().enumerate().map(|(at, tenant)| guarded_files(at, tenant)).collect();
        let all_files: Vec<_> = files.iter().flatten().cloned().collect();
        let current: Vec<_> = tenants.iter().zip(&files).map(|(tenant, files)| current(tenant, files)).collect();
        let plan_with = |flags: Vec<ScopedOverride>| {
            let flags = RunOverrides::from(flags);
            prop_assert_eq!(flags.check(&all_files), Ok(()));
            let plans = current.iter().zip(&files).map(|(current, files)| guarded_plan(current, files, &flags));
            Ok(Plan { tenants: plans.collect(), ..Plan::default() })
        };
        let blocked = plan_with(Vec::new())?;
        let text = render::plan_text(&blocked);
        let before = guards(&blocked);
        for (target, blocker) in blockers(&blocked) {
            let flag = blocked.lifting_flag(target, blocker).unwrap();
            prop_assert_eq!(flag.tenant.is_some(), tenants.len() > 1);
            prop_assert!(text.contains(&format!("if this is intended: `{}`", flag.to_shell())), "{}", text);
            let is_lifted = |(other_target, other): &(&Target, &Blocker)| match (&flag.value, other) {
                _ if other_target.tenant != target.tenant => false,
                (Override::MaxChanges(limit), Blocker::MaxChanges { changes: number, .. })
                | (Override::MaxDisables(limit), Blocker::MaxDisables { disables: number, .. }) => {
                    *number <= *limit as usize
                }
                _ => (&other_target.file, *other) == (&target.file, blocker),
            };
            let lifted: Vec<_> = blockers(&blocked).filter(is_lifted).map(guard).collect();
            prop_assert!(lifted.contains(&guard((target, blocker))));
            let left: BTreeSet<_> = before.iter().filter(|guard| !lifted.contains(guard)).cloned().collect();
            let after = plan_with(vec![flag.clone()])?;
            prop_assert_eq!(guards(&after), left, "{:?}", flag);
            for tenant in &after.tenants {
                let is_concerned = flag.tenant.as_ref().is_none_or(|it| *it == tenant.tenant);
                prop_assert!(tenant.targets.iter().all(|target| target.overrides.is_empty() != is_concerned));
            }
            // No lower limit does.
            let lower = match flag.value {
                Override::MaxChanges(limit) => Override::MaxChanges(limit - 1),
                Override::MaxDisables(limit) => Override::MaxDisables(limit - 1),
                _ => continue,
            };
            let lower = guards(&plan_with(vec![ScopedOverride { value: lower, ..flag }])?);
            prop_assert!(lower.contains(&guard((target, blocker))) || !lower.is_subset(&before));
        }
        let mut flags: Vec<_> = blocked.tenants.iter().flat_map(|tenant| {
            tenant.lifting_flags().into_iter().map(|flag| flag.scoped(&tenant.tenant, tenants.len() > 1))
        }).collect();
        let passed = plan_with(flags.clone())?;
        prop_assert_eq!(guards(&passed), BTreeSet::new());
        prop_assert_eq!(passed.fingerprint(), blocked.with_lifted_blockers().fingerprint());
        // Limits that are too low change neither what was reviewed nor the flags that it needs.
        for flag in &mut flags {
            if let Override::MaxChanges(limit) | Override::MaxDisables(limit) = &mut flag.value {
                *limit -= 1;
            }
        }
        flags.retain(|flag| matches!(flag.value, Override::MaxChanges(_) | Override::MaxDisables(_)));
        let too_low = plan_with(flags)?;
        prop_assert_eq!(passed.fingerprint(), too_low.with_lifted_blockers().fingerprint());
    }
}
