//! Property tests of parsing and planning, for random tenants and files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowbind::diagnostic::{Code, SourceLocation};
use flowbind::model::{
    Action, Bound, ClientIds, Connector, ConnectorId, Current, CurrentFlow, Desired, DesiredBinding,
    DesiredFlow, DesiredHold, Fetched, FlowId, Guards, ListedConnector, ReadError, Reading, Scope, Step,
    TenantCheck,
};
use flowbind::plan::{
    Blocker, Change, Connected, Override, Overrides, Plan, PlanTime, RunOverrides, Target, Unmanaged,
    plan_tenant,
};
use flowbind::saved::Saved;
use flowbind::{desired, drift, render, saved};
use jiff::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;

pub const URL: &str = "https://graph.microsoft.com/beta";

/// (flow, step) → number of a connector, `None` for unbound. An absent pair is not in the file.
pub type Bindings = BTreeMap<(u8, Step), Option<u8>>;

pub fn bindings() -> impl Strategy<Value = Bindings> {
    let step = prop::sample::select(Step::DEFAULT.to_vec());
    btree_map((0..12u8, step), prop::option::of(0..6u8), 0..24)
}

fn flow(number: u8) -> String {
    format!("B2C_1_flow{number}")
}

/// Connectors 4 and 5 share a name, so a file can name them by id only.
fn connector(number: u8) -> Connector {
    Connector {
        id: ConnectorId::parse(&format!("00000000-0000-4000-8000-00000000000{number}")).unwrap(),
        display_name: Some(format!("Connector {}", number.min(4))),
    }
}

/// Creates a file with these bindings, with connectors by name or by id.
pub fn file(bindings: &Bindings, by_id: bool) -> Desired {
    let mut yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n".to_owned();
    for number in bindings.keys().map(|(flow, _)| *flow).collect::<BTreeSet<_>>() {
        yaml.push_str(&format!("  {}:\n", flow(number)));
        for ((_, step), wanted) in bindings.iter().filter(|((flow, _), _)| *flow == number) {
            let value = match wanted {
                None => "null".to_owned(),
                Some(number) if by_id || *number >= 4 => connector(*number).id.to_string(),
                Some(number) => connector(*number).display_name.unwrap(),
            };
            yaml.push_str(&format!("    {step}: {value}\n"));
        }
    }
    if bindings.is_empty() {
        yaml = yaml.replace("flows:", "flows: {}");
    }
    desired::parse("f.yaml", yaml.as_bytes()).unwrap()
}

/// Creates the part of a tenant that `desired` reads, with only these bindings.
pub fn tenant(bindings: &Bindings, desired: &Desired) -> Current {
    let flows = desired.flows.iter().map(|wanted| {
        let bound = |step: Step| -> Reading<Bound> {
            let found =
                bindings.iter().find(|((number, at), _)| flow(*number) == wanted.id.as_str() && *at == step);
            Reading::Known(found.and_then(|(_, bound)| *bound).map(connector))
        };
        let steps = desired.steps.iter().map(|step| (*step, bound(*step))).collect();
        (wanted.id.clone(), CurrentFlow::Found(steps))
    });
    Current {
        scope: Scope::Listed,
        unsupported_step: None,
        connectors: Fetched::Known(
            (0..6)
                .map(|number| ListedConnector {
                    connector: connector(number),
                    target_url: None,
                    certificates: Vec::new(),
                })
                .collect(),
        ),
        flows: flows.collect(),
        flow_list: Fetched::NotRequested,
    }
}

/// Returns the tenant after all changes of a plan.
fn applied(plan: &Plan, current: &Current) -> Current {
    let mut current = current.clone();
    for change in plan.targets().flat_map(|target| &target.changes) {
        let Some(CurrentFlow::Found(steps)) = current.flows.get_mut(&change.flow) else {
            panic!("{change:?}")
        };
        steps.insert(change.step, Reading::Known(change.desired.clone()));
    }
    current
}

fn planned(desired: &Desired, current: &Current) -> Plan {
    plan_with(desired, current, &Overrides::default())
}

fn plan_with(desired: &Desired, current: &Current, overrides: &Overrides) -> Plan {
    plan_at(Timestamp::UNIX_EPOCH, desired, current, overrides)
}

fn plan_at(now: Timestamp, desired: &Desired, current: &Current, overrides: &Overrides) -> Plan {
    let connected =
        Connected { graph_url: URL.to_owned(), tenant_check: TenantCheck::NotApplicable, actor: None };
    let files = std::slice::from_ref(desired);
    let time = PlanTime::new(now, 30);
    let tenant = plan_tenant(&desired.tenant, files, current, &connected, overrides, time);
    Plan { tenants: vec![tenant], ..Plan::default() }
}

/// Holds of bindings: connector until the end, and the end in seconds.
type Holds = BTreeMap<(u8, Step), (Option<u8>, i64)>;

fn holds() -> impl Strategy<Value = Holds> {
    let step = prop::sample::select(Step::DEFAULT.to_vec());
    btree_map((0..12u8, step), (prop::option::of(0..6u8), 0..3i64), 0..12)
}

/// Adds holds to the bindings that the file has.
fn with_holds(mut desired: Desired, holds: &Holds, by_id: bool) -> Desired {
    let held = holds.iter().map(|(at, (connector, _))| (*at, *connector)).collect();
    let held = file(&held, by_id);
    for DesiredFlow { id, bindings, .. } in &held.flows {
        let Some(listed) = desired.flows.iter_mut().find(|flow| flow.id == *id) else { continue };
        for (step, DesiredBinding { connector, span, .. }) in bindings.iter() {
            let (_, (_, until)) =
                holds.iter().find(|((number, at), _)| flow(*number) == id.as_str() && *at == step).unwrap();
            let hold = DesiredHold {
                connector: connector.clone(),
                until: Timestamp::from_second(*until).unwrap(),
                reason: "INC-4711".to_owned(),
                span: span.clone(),
            };
            if let Some(mut binding) = listed.bindings.remove(step) {
                binding.hold = Some(Box::new(hold));
                listed.bindings.insert(step, binding);
            }
        }
    }
    desired
}

/// Returns a target without what depends on holds: the holds, the locations, and the protection of bindings.
fn without_holds(plan: &Plan) -> Target {
    let mut target = plan.tenants[0].targets[0].clone();
    let nowhere = SourceLocation { file: String::new(), line: 1, column: 1 };
    for change in &mut target.changes {
        (change.hold, change.source) = (None, nowhere.clone());
    }
    for in_sync in &mut target.in_sync {
        (in_sync.hold, in_sync.source) = (None, nowhere.clone());
    }
    target.blockers.retain(|blocker| !matches!(blocker, Blocker::Protected { .. }));
    target
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn plan_in_sync_is_empty(wanted in bindings(), by_id: bool) {
        let desired = file(&wanted, by_id);
        let plan = planned(&desired, &tenant(&wanted, &desired));
        prop_assert!(plan.is_complete() && !plan.has_changes());
        prop_assert_eq!(plan.summary().unchanged, wanted.len());
        prop_assert!(render::plan_text(&plan).contains("No changes."));
    }

    /// A plan has exactly one change per managed binding that differs.
    #[test]
    fn plan_changes_exactly_the_differing_bindings(wanted in bindings(), has in bindings(), by_id: bool) {
        let desired = file(&wanted, by_id);
        let plan = planned(&desired, &tenant(&has, &desired));
        let has = |at: &(u8, Step)| has.get(at).copied().flatten();
        let differing = wanted.iter().filter(|(at, wanted)| has(at) != **wanted).count();
        let target = &plan.tenants[0].targets[0];
        prop_assert_eq!(target.changes.len(), differing);
        prop_assert_eq!(target.in_sync.len(), wanted.len() - differing);
        for change in &target.changes {
            prop_assert_ne!(&change.current, &change.desired);
            let action = match (&change.current, &change.desired) {
                (None, _) => Action::Enable,
                (_, None) => Action::Disable,
                _ => Action::Replace,
            };
            prop_assert_eq!(change.action, action);
        }
    }

    /// Until a hold ends, its value counts, and from then on the regular one. `protect` blocks neither the change to the
    /// value of an active hold nor the way back, and no other guard is lifted.
    #[test]
    fn plan_with_holds_equals_the_plan_of_the_values_that_count(
        wanted in bindings(),
        has in bindings(),
        holds in holds(),
        now in 0..3i64,
        by_id: bool,
        protected in vec(any::<bool>(), 24),
        max_disables in 0..4u32,
    ) {
        let active = |at: &(u8, Step)| holds.get(at).filter(|(_, until)| now < *until);
        let value = |(at, wanted): (&(u8, Step), &Option<u8>)| (*at, active(at).map_or(*wanted, |(held, _)| *held));
        let counting = wanted.iter().map(value).collect();
        let guarded = |mut desired: Desired| {
            desired.guards = Guards { max_changes: None, max_disables: max_disables.into() };
            let bindings = desired.flows.iter_mut().flat_map(|flow| flow.bindings.values_mut());
            bindings.zip(&protected).for_each(|(binding, protect)| binding.protect = protect.then(|| binding.span.clone()));
            desired
        };
        let desired = with_holds(guarded(file(&wanted, by_id)), &holds, by_id);
        let expected = guarded(file(&counting, by_id));
        let current = tenant(&has, &desired);
        let now = Timestamp::from_second(now).unwrap();
        let plan = plan_at(now, &desired, &current, &Overrides::default());
        let without = plan_at(now, &expected, &current, &Overrides::default());
        prop_assert!(plan.is_complete());
        prop_assert_eq!(without_holds(&plan), without_holds(&without));
        let target = &plan.tenants[0].targets[0];
        let held = target.held_bindings();
        let expected: Vec<_> = wanted.keys().filter(|at| active(at).is_some()).collect();
        prop_assert_eq!(held.len(), expected.len());
        let bound_out_of_band = |change: &Change| {
            let hold = holds.iter().find(|((number, step), _)| flow(*number) == change.flow.as_str() && *step == change.step);
            hold.is_none_or(|(_, (held, _))| change.current != held.map(connector))
        };
        for change in &target.changes {
            let is_blocked = target.blockers.iter().any(|blocker| {
                matches!(blocker, Blocker::Protected { flow, step, .. } if (flow, step) == (&change.flow, &change.step))
            });
            let is_declared = change.active_hold().is_some() || !bound_out_of_band(change);
            prop_assert_eq!(is_blocked, change.protected && change.action != Action::Enable && !is_declared);
        }
        let json = saved::plan::to_json(&plan, "2026-11-02T08:00:00Z");
        prop_assert_eq!(saved::read(&json).unwrap(), Saved::Plan(plan.clone(), "2026-11-02T08:00:00Z".into()));
        let drift = |plan: &Plan| {
            let options = drift::Options { strict: false, now, graph_url: None, sandbox: &|_| None };
            drift::find_drift(plan.clone(), &options)
        };
        prop_assert_eq!(drift(&plan).fingerprint(), drift(&without).fingerprint());
    }

    /// A saved plan cannot prolong the hold that a reviewer saw.
    #[test]
    fn fingerprint_with_another_end_of_a_hold_differs(wanted in bindings(), has in bindings(), holds in holds(), at in any::<Index>()) {
        let desired = with_holds(file(&wanted, false), &holds, false);
        let plan = planned(&desired, &tenant(&has, &desired));
        let mut edited = plan.clone();
        let active = |change: &&mut Change| change.active_hold().is_some();
        let mut held: Vec<_> = edited.tenants[0].targets[0].changes.iter_mut().filter(active).collect();
        prop_assume!(!held.is_empty());
        let at = at.index(held.len());
        held[at].hold.as_mut().unwrap().until = Timestamp::MAX;
        prop_assert_ne!(plan.fingerprint(), edited.fingerprint());
    }

    #[test]
    fn plan_never_changes_unmanaged_bindings(wanted in bindings(), has in bindings()) {
        let desired = file(&wanted, false);
        let plan = planned(&desired, &tenant(&has, &desired));
        let managed = |flow_id: &str, step| wanted.keys().any(|(number, at)| flow(*number) == flow_id && *at == step);
        for change in &plan.tenants[0].targets[0].changes {
            prop_assert!(managed(change.flow.as_str(), change.step));
        }
        for unmanaged in &plan.tenants[0].targets[0].unmanaged {
            prop_assert!(!managed(unmanaged.flow.as_str(), unmanaged.step));
        }
    }

    #[test]
    fn plan_after_apply_is_empty(wanted in bindings(), has in bindings(), by_id: bool) {
        let desired = file(&wanted, by_id);
        let before = tenant(&has, &desired);
        let after = applied(&planned(&desired, &before), &before);
        prop_assert!(!planned(&desired, &after).has_changes());
    }

    /// The order in which the service lists connectors does not affect the plan.
    #[test]
    fn plan_of_shuffled_connectors_is_identical(wanted in bindings(), has in bindings(), at in vec(any::<Index>(), 6)) {
        let desired = file(&wanted, false);
        let current = tenant(&has, &desired);
        let mut shuffled = current.clone();
        if let Fetched::Known(connectors) = &mut shuffled.connectors {
            for (from, to) in at.iter().enumerate() {
                connectors.swap(from, to.index(6));
            }
        }
        let (one, other) = (planned(&desired, &current), planned(&desired, &shuffled));
        prop_assert_eq!(render::plan_text(&one), render::plan_text(&other));
        prop_assert_eq!(saved::plan::to_json(&one, "now"), saved::plan::to_json(&other, "now"));
    }

    /// The fingerprint depends on the changes and not on their order.
    #[test]
    fn fingerprint_differs_exactly_if_changes_differ(wanted in bindings(), one in bindings(), other in bindings()) {
        let desired = file(&wanted, false);
        let one = planned(&desired, &tenant(&one, &desired));
        let other = planned(&desired, &tenant(&other, &desired));
        let same = one.tenants[0].targets[0].changes == other.tenants[0].targets[0].changes;
        prop_assert_eq!(one.fingerprint() == other.fingerprint(), same);
        let mut reversed = one.clone();
        reversed.tenants[0].targets[0].changes.reverse();
        prop_assert_eq!(one.fingerprint(), reversed.fingerprint());
    }

    /// A saved plan cannot show another name for the connectors of a change than the reviewer saw.
    #[test]
    fn fingerprint_with_another_display_name_in_a_change_differs(
        wanted in bindings(),
        has in bindings(),
        at in any::<Index>(),
        of_desired: bool,
        name in prop::option::of("[a-z ]{0,4}"),
    ) {
        let desired = file(&wanted, false);
        let plan = planned(&desired, &tenant(&has, &desired));
        let mut edited = plan.clone();
        let changes = &mut edited.tenants[0].targets[0].changes;
        prop_assume!(!changes.is_empty());
        let at = at.index(changes.len());
        let change = &mut changes[at];
        let bound = if of_desired { &mut change.desired } else { &mut change.current };
        prop_assume!(bound.is_some());
        // No generated connector has such a name.
        bound.as_mut().unwrap().display_name = name;
        prop_assert_ne!(plan.fingerprint(), edited.fingerprint());
    }

    /// An edited plan cannot skip the check of an address, hide a protection or sign in with another app.
    #[test]
    fn fingerprint_with_another_pin_protection_or_app_differs(
        wanted in bindings(),
        has in bindings(),
        at in any::<Index>(),
    ) {
        let desired = file(&wanted, false);
        let plan = planned(&desired, &tenant(&has, &desired));
        let at = match plan.tenants[0].targets[0].changes.len() {
            0 => return Err(TestCaseError::reject("no change")),
            changes => at.index(changes),
        };
        let edits: [fn(&mut Target, usize); 4] = [
            |target, at| target.changes[at].pin = Some(Arc::new("https://pin.example/".parse().unwrap())),
            |target, at| target.changes[at].protected ^= true,
            |target, _| target.client_id = Some("app".to_owned().into()),
            |target, _| {
                let (plan, apply) = ("app".to_owned(), "another app".to_owned());
                target.client_id = Some(ClientIds { plan, apply });
            },
        ];
        for edit in edits {
            let mut edited = plan.clone();
            edit(&mut edited.tenants[0].targets[0], at);
            prop_assert_ne!(plan.fingerprint(), edited.fingerprint());
        }
    }

    /// Texts, locations and bindings that the plan does not change can differ from run to run.
    #[test]
    fn fingerprint_ignores_messages_locations_and_unchanged_bindings(
        wanted in bindings(),
        has in bindings(),
        others in bindings(),
        text in "[a-z ]{1,8}",
        line in 1..9usize,
    ) {
        let desired = file(&wanted, false);
        let plan = planned(&desired, &tenant(&has, &desired));
        let mut edited = plan.clone();
        let target = &mut edited.tenants[0].targets[0];
        let unmanaged = others.iter().map(|((number, step), bound)| Unmanaged {
            flow: FlowId::parse(&flow(*number)).unwrap(),
            step: *step,
            current: bound.map(connector),
        });
        target.unmanaged = unmanaged.collect();
        target.dangling = target.unmanaged.clone();
        target.in_sync.clear();
        target.unverified = Some(text.clone());
        target.file.clone_from(&text);
        let sources = target.changes.iter_mut().map(|change| &mut change.source);
        sources.for_each(|source| *source = SourceLocation { file: text.clone(), line, column: 1 });
        prop_assert_eq!(plan.fingerprint(), edited.fingerprint());
    }

    /// A plan that needs an override flag differs from one with the same changes that needs none.
    #[test]
    fn fingerprint_with_another_blocker_or_lifted_blocker_differs(
        wanted in bindings(),
        has in bindings(),
        protected in vec(any::<bool>(), 24),
        max_disables in 0..4u32,
        at in any::<Index>(),
    ) {
        let mut desired = file(&wanted, false);
        desired.guards = Guards { max_changes: None, max_disables: max_disables.into() };
        let bindings = desired.flows.iter_mut().flat_map(|flow| flow.bindings.values_mut());
        bindings.zip(protected).for_each(|(binding, protect)| binding.protect = protect.then(|| binding.span.clone()));
        let current = tenant(&has, &desired);
        let plan_with = |overrides: &Overrides| plan_with(&desired, &current, overrides);
        let blocked = plan_with(&Overrides::default());
        let blockers = &blocked.tenants[0].targets[0].blockers;
        prop_assume!(!blockers.is_empty());
        let flags: Vec<_> = blockers.iter().map(|blocker| blocker.lifted_by().unwrap()).collect();
        let lifted = plan_with(&overrides(&flags));
        prop_assert_eq!(&lifted.tenants[0].targets[0].changes, &blocked.tenants[0].targets[0].changes);
        let mut edited = lifted.clone();
        edited.tenants[0].targets[0].lifted.remove(at.index(blockers.len()));
        let mut without = lifted.clone();
        without.tenants[0].targets[0].lifted.clear();
        let fingerprints = [&blocked, &lifted, &without].map(Plan::fingerprint);
        prop_assert_eq!(BTreeSet::from(fingerprints).len(), 3);
        prop_assert_ne!(lifted.fingerprint(), edited.fingerprint());
        // The flags that were given are not part of it, only what they lift.
        let mut higher = overrides(&flags);
        higher.max_disables = higher.max_disables.map(|limit| limit + 1);
        prop_assert_eq!(plan_with(&higher).fingerprint(), lifted.fingerprint());
    }

    /// An incomplete plan has no fingerprint that could be approved.
    #[test]
    fn fingerprint_of_incomplete_plan_is_none(wanted in bindings(), has in bindings(), at in any::<Index>()) {
        let desired = file(&wanted, true);
        let mut current = tenant(&has, &desired);
        prop_assume!(!desired.flows.is_empty());
        let id = &desired.flows[at.index(desired.flows.len())].id;
        if let Some(CurrentFlow::Found(steps)) = current.flows.get_mut(id) {
            let denied = Reading::Unknown(ReadError::new(Code::GraphRejected, "denied"));
            steps.values_mut().for_each(|read| *read = denied.clone());
        }
        let plan = planned(&desired, &current);
        prop_assert_eq!(plan.fingerprint(), None);
        prop_assert_eq!(plan.target_fingerprints(), vec![None]);
        let text = render::plan_text(&plan);
        prop_assert!(!text.contains("Fingerprint:") && !text.contains("Plan:"), "{}", text);
    }

    /// With exactly the suggested flags, no blocker is left; with one flag less, one is.
    #[test]
    fn plan_with_suggested_override_flags_is_not_blocked(
        wanted in bindings(),
        has in bindings(),
        protected in vec(any::<bool>(), 24),
        max_changes in prop::option::of(0..6u32),
        max_disables in 0..4u32,
        left_out in any::<Index>(),
    ) {
        let mut desired = file(&wanted, false);
        desired.guards = Guards { max_changes: max_changes.map(Into::into), max_disables: max_disables.into() };
        let bindings = desired.flows.iter_mut().flat_map(|flow| flow.bindings.values_mut());
        bindings.zip(protected).for_each(|(binding, protect)| binding.protect = protect.then(|| binding.span.clone()));
        let current = tenant(&has, &desired);
        let plan_with = |overrides: &Overrides| plan_with(&desired, &current, overrides).into_targets().remove(0);
        let blockers = plan_with(&Overrides::default()).blockers;
        let flags: Vec<_> = blockers.iter().map(|blocker| blocker.lifted_by().unwrap()).collect();
        let again = |flags: &[Override]| plan_with(&overrides(flags));
        let passed = again(&flags);
        prop_assert!(passed.blockers.is_empty(), "{:?}", passed.blockers);
        prop_assert_eq!(passed.overrides.len(), flags.len());
        prop_assert_eq!(passed.lifted, blockers);
        if !flags.is_empty() {
            let mut fewer = flags.clone();
            let flag = fewer.remove(left_out.index(flags.len()));
            let flags: Vec<_> = again(&fewer).blockers.iter().map(Blocker::lifted_by).collect();
            prop_assert_eq!(flags, vec![Some(flag)]);
        }
    }

    /// A saved plan reads back as the same plan, whatever the order in its file.
    #[test]
    fn saved_plan_reads_back_unchanged(wanted in bindings(), has in bindings(), at in vec(any::<Index>(), 24)) {
        let desired = file(&wanted, false);
        let plan = planned(&desired, &tenant(&has, &desired));
        let json = saved::plan::to_json(&plan, "2026-11-02T08:00:00Z");
        prop_assert_eq!(saved::read(&json).unwrap(), Saved::Plan(plan.clone(), "2026-11-02T08:00:00Z".into()));
        let mut shuffled: serde_json::Value = serde_json::from_str(&json).unwrap();
        let changes = shuffled["targets"][0]["changes"].as_array_mut().unwrap();
        for (from, to) in at.iter().enumerate().take(changes.len()) {
            let to = to.index(changes.len());
            changes.swap(from, to);
        }
        let Ok(Saved::Plan(shuffled, _)) = saved::read(&shuffled.to_string()) else { panic!("the fingerprint does not depend on the order") };
        prop_assert_eq!(shuffled.fingerprint(), plan.fingerprint());
    }

    /// An unreadable binding is neither changed nor treated as unbound.
    #[test]
    fn unreadable_bindings_are_never_changed(wanted in bindings(), has in bindings(), at in any::<Index>()) {
        let desired = file(&wanted, true);
        let mut current = tenant(&has, &desired);
        prop_assume!(!desired.flows.is_empty());
        let flow = desired.flows[at.index(desired.flows.len())].clone();
        if let Some(CurrentFlow::Found(steps)) = current.flows.get_mut(&flow.id) {
            steps.values_mut().for_each(|read| *read = Reading::Unknown(ReadError::new(Code::GraphRejected, "denied")));
        }
        let plan = planned(&desired, &current);
        prop_assert!(!plan.is_complete());
        prop_assert!(plan.tenants[0].targets[0].changes.iter().all(|change| change.flow != flow.id));
        prop_assert_eq!(plan.tenants[0].targets[0].unreadable.len(), desired.steps.len());
        prop_assert!(!render::plan_text(&plan).contains("No changes."));
    }

    #[test]
    fn parsing_random_bytes_gives_a_file_or_diagnostics(bytes in vec(any::<u8>(), 0..400)) {
        check_parse(&bytes)?;
    }

    /// A damaged file reaches more of the parser than random bytes.
    #[test]
    fn parsing_damaged_file_gives_a_file_or_diagnostics(
        wanted in bindings(),
        damage in vec((any::<Index>(), 0..4usize, prop::sample::select(vec![
            "", ":", ": ", "- ", "\n", "  ", "\t", "\"", "'", "&a ", "*a", "<<: ", "!x ", "{", "}", "[", "]", "#", "|", ">",
            "null", "~", "?", "%", "é", "\u{202e}", "\u{0}", "\r", "\u{feff}", "---\n", "B2C_1_", "postFederationSignup",
        ])), 0..8),
    ) {
        let mut text = "version: 1\ntenant: a.com\nconnectors:\n  c: {id: 00000000-0000-4000-8000-000000000001}\nflows:\n".to_owned();
        for (number, step) in wanted.keys() {
            text.push_str(&format!("  {}{step}:\n    {step}: c\n", flow(*number)));
        }
        for (at, cut, insert) in damage {
            let mut chars: Vec<_> = text.chars().collect();
            let at = at.index(chars.len().max(1)).min(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, insert.chars());
            text = chars.into_iter().collect();
        }
        check_parse(text.as_bytes())?;
    }
}

/// Collects override flags like the command line.
fn overrides(flags: &[Override]) -> Overrides {
    let tenant = "contoso.onmicrosoft.com".parse().unwrap();
    let flags: Vec<_> = flags.iter().map(|flag| flag.scoped(&tenant, false)).collect();
    RunOverrides::from(flags).for_tenant(&tenant)
}

/// Parses bytes. Checks that all diagnostics can be rendered and are sorted by position.
fn check_parse(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Err(problems) = desired::parse("f.yaml", bytes) else { return Ok(()) };
    prop_assert!(!problems.is_empty());
    let mut last = 0;
    for problem in problems {
        prop_assert!(!render::diagnostic(&problem).is_empty());
        let start = problem.span().map_or(0, |span| span.range().start);
        prop_assert!(start >= last, "out of order");
        last = start;
    }
    Ok(())
}
