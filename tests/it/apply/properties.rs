//! Property tests of apply, for random tenants and files and a fault at every request: the report
//! matches the tenant, and a rerun converges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowbind::apply::{
    Access, Consent, Options as ApplyOptions, Outcome, TargetReport, UnverifiedTenantPolicy, apply, approve,
};
use flowbind::http::retry::Policy;
use flowbind::http::{Settings, never_stopped};
use flowbind::model::{Scope, Step, TenantCheck};
use flowbind::plan::{Connected, Overrides, Plan, PlanTime, Target, plan_tenant};
use flowbind::sandbox::{Effect, Fault, Options};
use flowbind::snapshot::Snapshot;
use flowbind::{current, desired};
use jiff::Timestamp;
use proptest::collection::btree_map;
use proptest::prelude::*;

use crate::support::graph_client::{graph, settings};
use crate::support::{connector_id, serve, tenant};

/// (flow, step) → number of a connector, 0 for unbound. An absent pair is not in the file.
type Bindings = BTreeMap<(usize, Step), usize>;

const FLOWS: [&str; 3] = ["B2C_1_0", "B2C_1_1", "B2C_1_2"];

fn bindings(size: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Bindings> {
    btree_map((0..FLOWS.len(), prop::sample::select(Step::DEFAULT.to_vec())), 0..4usize, size)
}

fn snapshot(has: &Bindings) -> Snapshot {
    let bound = |flow, step| has.get(&(flow, step)).copied().unwrap_or(0);
    let flows: Vec<_> = FLOWS
        .iter()
        .enumerate()
        .map(|(at, flow)| {
            (*flow, bound(at, Step::PostFederationSignup), bound(at, Step::PostAttributeCollection))
        })
        .collect();
    tenant(&flows)
}

fn yaml(wanted: &Bindings) -> String {
    let mut yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n".to_owned();
    for (at, flow) in FLOWS.iter().enumerate() {
        yaml.push_str(&format!("  {flow}: {{"));
        for ((_, step), number) in wanted.iter().filter(|((flow, _), _)| *flow == at) {
            let value = if *number == 0 { "null".to_owned() } else { format!("Connector {number}") };
            yaml.push_str(&format!("{step}: {value}, "));
        }
        yaml.push_str("}\n");
    }
    yaml
}

/// Returns the bindings of a snapshot.
fn bound(snapshot: &Snapshot) -> Bindings {
    let number = |id: &Option<String>| match id {
        Some(id) => (1..=5).find(|number| connector_id(*number) == *id).unwrap(),
        None => 0,
    };
    let mut bound = Bindings::new();
    for (at, flow) in FLOWS.iter().enumerate() {
        let flow = snapshot.flows.iter().find(|found| found.id == *flow).unwrap();
        for step in Step::DEFAULT {
            let id = flow.bindings.iter().find(|(name, _)| name.name() == step.name()).map(|(_, id)| id);
            bound.insert((at, step), number(id.unwrap_or(&None)));
        }
    }
    bound
}

/// Result of reading, planning and applying, as in `apply --yes`.
struct Run {
    /// Plan, if it is complete.
    target: Option<Target>,
    report: Option<TargetReport>,
    actual_state: Snapshot,
    requests: usize,
    puts: usize,
}

fn run(snapshot: Snapshot, yaml: &str, faults: Vec<Fault>) -> Run {
    let served = serve(snapshot, Options { faults, ..Options::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (target, report) = runtime.block_on(async {
        let stop = never_stopped();
        let retry = Policy { base: Duration::ZERO, ..Policy::default() };
        let settings = Settings { retry, ..settings(&stop, Duration::from_secs(20)) };
        let deadline = settings.deadline;
        let graph = graph(&served.graph_url(), settings, &Arc::default());
        let desired = desired::parse("f.yaml", yaml.as_bytes()).unwrap();
        let files = std::slice::from_ref(&desired);
        let current = current::read(&graph, files, Scope::Listed).await;
        let overrides = Overrides { max_disables: Some(99), ..Overrides::default() };
        let tenant_check = TenantCheck::NotApplicable;
        let connected =
            Connected { graph_url: served.graph_url(), tenant_check: tenant_check.clone(), actor: None };
        let time = PlanTime::new(Timestamp::UNIX_EPOCH, 30);
        let tenant = plan_tenant(&desired.tenant, files, &current, &connected, &overrides, time);
        let plan = Plan { tenants: vec![tenant], ..Plan::default() };
        let tenant = &plan.tenants[0];
        if !tenant.is_complete() {
            return (None, None);
        }
        let options =
            ApplyOptions { fail_fast: false, verify_timeout: Duration::from_millis(60), deadline, stop };
        let policy = UnverifiedTenantPolicy::Reject;
        let access =
            Access { graph: &graph, tenant_check: &tenant_check, policy, now: Timestamp::UNIX_EPOCH };
        let approved = approve(&plan, tenant, access, &Consent::Given, None).unwrap();
        let report = apply(&approved, &options).await.remove(0);
        (Some(tenant.targets[0].clone()), Some(report))
    });
    let (actual_state, requests, puts) = (served.actual_state(), served.request_count(), served.puts());
    Run { target, report, actual_state, requests, puts }
}

/// Returns the bindings after a complete apply.
fn applied(has: &Bindings, wanted: &Bindings) -> Bindings {
    let mut applied = bound(&snapshot(has));
    applied.extend(wanted.clone());
    applied
}

fn assert_report_is_true(
    run: &Run,
    has: &Bindings,
    wanted: &Bindings,
    context: &str,
) -> Result<(), TestCaseError> {
    let (before, actual_state) = (bound(&snapshot(has)), bound(&run.actual_state));
    let Some(report) = &run.report else {
        prop_assert_eq!(run.puts, 0, "{}: PUT for an incomplete plan", context);
        prop_assert_eq!(&actual_state, &before, "{}", context);
        return Ok(());
    };
    let mut reported = Vec::new();
    for change in &report.changes {
        let flow = FLOWS.iter().position(|flow| *flow == change.change.flow.as_str()).unwrap();
        let at = (flow, change.change.step);
        let (was, wants, is) = (before[&at], wanted[&at], actual_state[&at]);
        reported.push(at);
        let is_truthful = match change.outcome {
            Outcome::Applied(_) => is == wants,
            Outcome::Already => is == wants && is == was,
            Outcome::Failed(..) | Outcome::NotAttempted(_) => is == was,
            Outcome::Unverified(..) => is == was || is == wants,
        };
        prop_assert!(is_truthful, "{}: {:?}, but the tenant has {}", context, change, is);
        prop_assert_eq!(
            change.outcome.error().is_none(),
            change.outcome.is_done(),
            "{}: {:?}",
            context,
            change
        );
    }
    for (at, was) in &before {
        prop_assert!(
            reported.contains(at) || actual_state[at] == *was,
            "{}: {:?} changed, but is not reported",
            context,
            at
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// The first run sends one PUT per managed binding that differs; the second sends none.
    #[test]
    fn apply_reaches_the_desired_state_with_minimal_puts(wanted in bindings(0..7), has in bindings(0..7)) {
        let before = bound(&snapshot(&has));
        let differing = wanted.iter().filter(|(at, wants)| before[*at] != **wants).count();
        let first = run(snapshot(&has), &yaml(&wanted), Vec::new());
        prop_assert_eq!(first.puts, differing);
        prop_assert_eq!(first.target.unwrap().changes.len(), differing);
        prop_assert_eq!(bound(&first.actual_state), applied(&has, &wanted));
        let second = run(first.actual_state, &yaml(&wanted), Vec::new());
        prop_assert_eq!(second.puts, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn apply_with_a_fault_at_any_request_reports_actual_state_and_converges(
        wanted in bindings(1..5),
        has in bindings(0..5),
    ) {
        let yaml = yaml(&wanted);
        let requests = run(snapshot(&has), &yaml, Vec::new()).requests;
        let answer = |status: u16| Effect::Answer { status, headers: Vec::new(), body: String::new() };
        for effect in [
            answer(500), answer(403), answer(429), Effect::DropBefore, Effect::DropAfter, Effect::AcceptOnly, Effect::Truncate,
        ] {
            for (skip, times) in (0..requests as u32).flat_map(|skip| [(skip, Some(1)), (skip, None)]) {
                // A permanent 429 lasts until the timeout of the run.
                if times.is_none() && effect == answer(429) {
                    continue;
                }
                let context = format!("{effect:?} at request {skip}, {times:?} times");
                let fault = Fault { method: None, path_contains: String::new(), skip, times, effect: effect.clone() };
                let faulty = run(snapshot(&has), &yaml, vec![fault]);
                assert_report_is_true(&faulty, &has, &wanted, &context)?;
                let missing = {
                    let actual_state = bound(&faulty.actual_state);
                    wanted.iter().filter(|(at, wants)| actual_state[*at] != **wants).count()
                };
                let rerun = run(faulty.actual_state, &yaml, Vec::new());
                prop_assert_eq!(rerun.puts, missing, "{}", &context);
                prop_assert_eq!(bound(&rerun.actual_state), applied(&has, &wanted), "{}", &context);
            }
        }
    }
}
