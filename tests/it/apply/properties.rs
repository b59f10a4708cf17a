//! For every tenant, every file and a fault at every possible request: the report is the truth, and
//! a rerun converges.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowbind::apply::{Options as ApplyOptions, Outcome, TargetReport, apply};
use flowbind::http::Settings;
use flowbind::http::retry::Policy;
use flowbind::model::Step;
use flowbind::plan::{Overrides, Target, plan};
use flowbind::sandbox::{Effect, Fault, Options};
use flowbind::snapshot::Snapshot;
use flowbind::{current, desired};
use proptest::collection::btree_map;
use proptest::prelude::*;
use tokio::sync::watch;

use crate::support::graph_client::{graph, settings};
use crate::support::{connector_id, serve, tenant};

/// (flow, step) → number of a connector, 0 for nothing. A pair that is absent is not mentioned.
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

/// What a snapshot binds, as [`Bindings`] say it.
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

/// One run of the pipeline, as `apply --yes` makes it.
struct Run {
    /// The plan, where it was whole.
    target: Option<Target>,
    report: Option<TargetReport>,
    truth: Snapshot,
    requests: usize,
    puts: usize,
}

fn run(snapshot: Snapshot, yaml: &str, faults: Vec<Fault>) -> Run {
    let served = serve(snapshot, Options { faults, ..Options::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (target, report) = runtime.block_on(async {
        let (_go_on, stop) = watch::channel(false);
        let retry = Policy { base: Duration::ZERO, ..Policy::default() };
        let settings = Settings { retry, ..settings(&stop, Duration::from_secs(20)) };
        let deadline = settings.deadline;
        let graph = graph(&served.graph_url(), settings, &Arc::default());
        let desired = desired::parse("f.yaml", yaml.as_bytes()).unwrap();
        let current = current::read(&graph, &desired, current::Scope::Listed).await;
        let overrides = Overrides { max_disables: Some(99), ..Overrides::default() };
        let (target, errors) = plan(&desired, &current, &served.graph_url(), &overrides);
        if !errors.is_empty() || !target.unknown.is_empty() {
            return (None, None);
        }
        let options = ApplyOptions {
            fail_fast: false,
            halted: false,
            verify_timeout: Duration::from_millis(60),
            deadline,
            stop,
        };
        let report = apply(&graph, &target, None, &options).await;
        (Some(target), Some(report))
    });
    let (truth, requests, puts) = (served.actual_state(), served.request_count(), served.puts());
    Run { target, report, truth, requests, puts }
}

/// What the tenant has to have in the end: what is wanted where it is managed, else what it had.
fn applied(has: &Bindings, wanted: &Bindings) -> Bindings {
    let mut applied = bound(&snapshot(has));
    applied.extend(wanted.clone());
    applied
}

fn assert_true(run: &Run, has: &Bindings, wanted: &Bindings, what: &str) -> Result<(), TestCaseError> {
    let (before, truth) = (bound(&snapshot(has)), bound(&run.truth));
    let Some(report) = &run.report else {
        prop_assert_eq!(run.puts, 0, "{}: a plan that is not whole writes nothing", what);
        prop_assert_eq!(&truth, &before, "{}", what);
        return Ok(());
    };
    let mut reported = Vec::new();
    for change in &report.changes {
        let flow = FLOWS.iter().position(|flow| *flow == change.change.flow.as_str()).unwrap();
        let at = (flow, change.change.step);
        let (was, wants, is) = (before[&at], wanted[&at], truth[&at]);
        reported.push(at);
        let right = match change.outcome {
            Outcome::Applied => is == wants,
            Outcome::Already => is == wants && is == was,
            Outcome::Failed | Outcome::NotAttempted => is == was,
            Outcome::Unverified => is == was || is == wants,
        };
        prop_assert!(right, "{}: {:?}, but the tenant has {}", what, change, is);
        prop_assert_eq!(change.error.is_none(), change.outcome.is_done(), "{}: {:?}", what, change);
    }
    for (at, was) in &before {
        prop_assert!(reported.contains(at) || truth[at] == *was, "{}: {:?} was not to be changed", what, at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// As many PUTs as managed bindings differ; the tenant is then what the plan says; and the next
    /// run sends none.
    #[test]
    fn a_run_makes_the_tenant_what_is_wanted_with_the_fewest_puts(wanted in bindings(0..7), has in bindings(0..7)) {
        let before = bound(&snapshot(&has));
        let differing = wanted.iter().filter(|(at, wants)| before[*at] != **wants).count();
        let first = run(snapshot(&has), &yaml(&wanted), Vec::new());
        prop_assert_eq!(first.puts, differing);
        prop_assert_eq!(first.target.unwrap().changes.len(), differing);
        prop_assert_eq!(bound(&first.truth), applied(&has, &wanted));
        let second = run(first.truth, &yaml(&wanted), Vec::new());
        prop_assert_eq!(second.puts, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn with_a_fault_at_any_request_the_report_is_true_and_a_rerun_converges(
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
                // Without end a 429 only ends with the run.
                if times.is_none() && effect == answer(429) {
                    continue;
                }
                let what = format!("{effect:?} at request {skip}, {times:?} times");
                let fault = Fault { method: None, path_contains: String::new(), skip, times, effect: effect.clone() };
                let faulty = run(snapshot(&has), &yaml, vec![fault]);
                assert_true(&faulty, &has, &wanted, &what)?;
                let missing = {
                    let truth = bound(&faulty.truth);
                    wanted.iter().filter(|(at, wants)| truth[*at] != **wants).count()
                };
                let rerun = run(faulty.truth, &yaml, Vec::new());
                prop_assert_eq!(rerun.puts, missing, "{}", &what);
                prop_assert_eq!(bound(&rerun.truth), applied(&has, &wanted), "{}", &what);
            }
        }
    }
}
