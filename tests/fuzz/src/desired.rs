//! Desired-state files: single files, and files that extend each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use flowbind::diagnostic::{Diagnostic, Span};
use flowbind::model::{
    Api, ClientIds, Cloud, Connector, ConnectorId, ConnectorKey, ConnectorRef, Current, CurrentFlow, Desired,
    DesiredFlow, Fetched, FlowId, Guards, ListedConnector, ListedFlow, Pins, Prune, Reading, Scope, Step,
    Tenant,
};
use flowbind::plan::{Target, TenantPlan};
use flowbind::{desired as files, render};

use super::inert::assert_inert;
use super::nulls;

/// Checks that a file is parsed and planned, or that all its diagnostics can be rendered.
pub fn desired(data: &[u8]) {
    match files::parse("flowbind.yaml", data) {
        Ok(desired) => {
            assert_valid(&desired);
            assert_planned(&desired);
        }
        Err(problems) => assert_rendered(&problems),
    }
}

/// Checks the composition of several files. The input contains `a.yaml`, `b.yaml` and so on, separated
/// by `====` lines. The merged form of each file must parse to the same content.
pub fn composition(data: &[u8]) {
    const SEPARATOR: &[u8] = b"\n====\n";
    const MAX_FILES: usize = 6;
    let folder = tempfile::tempdir().expect("a folder for files");
    // Bases must be inside the repository.
    fs::create_dir(folder.path().join(".git")).expect("a folder within");
    let mut rest = Some(data);
    let mut paths = Vec::new();
    for name in ('a'..).take(MAX_FILES) {
        let Some(text) = rest else { break };
        let end = text.windows(SEPARATOR.len()).position(|bytes| bytes == SEPARATOR);
        let (text, after) = match end {
            Some(end) => (&text[..end], Some(&text[end + SEPARATOR.len()..])),
            None => (text, None),
        };
        rest = after;
        let path = folder.path().join(format!("{name}.yaml"));
        fs::write(&path, text).expect("a file");
        paths.push(path);
    }
    check_load(&[folder.path().to_owned()]);
    check_load(&paths[..1]);
}

fn check_load(paths: &[PathBuf]) {
    match files::load(paths, super::now()) {
        Ok(run) => {
            let listings = files::list(paths, super::now()).expect("files that load can be listed");
            assert_eq!(listings.len(), run.len());
            for (desired, listing) in run.iter().zip(&listings) {
                assert_valid(desired);
                assert_planned(desired);
                let listing = render::listing(listing);
                assert_inert(&listing);
                match files::parse("listing.yaml", listing.as_bytes()) {
                    Ok(listed) => assert_eq!(content(&listed), content(desired), "{listing}"),
                    Err(problems) => panic!("{listing}\nis invalid: {problems:?}"),
                }
            }
        }
        Err(problems) => assert_rendered(&problems),
    }
}

/// Checks that there are diagnostics and that all can be rendered.
fn assert_rendered(problems: &[Diagnostic]) {
    assert!(!problems.is_empty(), "rejected without a diagnostic");
    for problem in problems {
        let shown = render::diagnostic(problem);
        assert_inert(&anstream::adapter::strip_str(&shown).to_string());
    }
}

/// Checks the invariants of a parsed file: above all, that only an explicit null disables a binding.
fn assert_valid(desired: &Desired) {
    for binding in desired.flows.iter().flat_map(|flow| flow.bindings.values()) {
        if binding.connector.is_none() {
            let span = &binding.span;
            let before = &span.source().text()[..span.range().start];
            assert!(
                nulls::is_explicit_null(span.text(), before),
                "{:?} at {} disables",
                binding.span.text(),
                binding.span
            );
        }
    }
    let mut ids: Vec<_> = desired.flows.iter().map(|flow| flow.id.as_str().to_lowercase()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|two| two[0] != two[1]), "duplicate flow");
    assert!(desired.flows.iter().all(|flow| flow.id.kind() == desired.flows[0].id.kind()));
    for flow in &desired.flows {
        assert!(flow.bindings.iter().all(|(step, _)| desired.steps.contains(&step)), "{}", flow.id);
    }
}

/// Checks the plan for a tenant without bindings, once without connectors and once with all that the
/// file names. Every desired binding must be a change or a diagnostic at its connector, and every other
/// managed binding must be unchanged.
fn assert_planned(desired: &Desired) {
    let names_both = |wanted: &ConnectorRef| matches!(wanted.key, ConnectorKey::IdAndName(..));
    let is_clear = !wanted(desired).any(|(_, _, wanted)| names_both(wanted));
    for (connectors, resolves) in [(Vec::new(), false), (connectors(desired), is_clear)] {
        let unbound = |step: &Step| (*step, Reading::Known(None));
        let nothing = || CurrentFlow::Found(desired.steps.iter().map(unbound).collect());
        let listed =
            |flow: &DesiredFlow| ListedFlow { id: flow.id.to_string(), user_flow_type: None, version: None };
        let ids = desired.flows.iter().map(listed).collect();
        let current = Current {
            scope: Scope::Listed,
            unsupported_step: None,
            connectors: Fetched::Known(connectors),
            flows: desired.flows.iter().map(|flow| (flow.id.clone(), nothing())).collect(),
            flow_list: Fetched::Known(ids),
        };
        let TenantPlan { targets, errors, .. } = super::plan_file(desired, &current);
        if !errors.is_empty() {
            assert!(!resolves, "{errors:?}");
            assert_rendered(&errors);
        }
        assert_complete(desired, &targets[0], &errors);
    }
}

/// Creates the connectors that the file names, with unique ids.
fn connectors(desired: &Desired) -> Vec<ListedConnector> {
    let mut keys: Vec<_> = wanted(desired).map(|(_, _, wanted)| &wanted.key).collect();
    // Keys with id and name come first, because the others must not contradict them.
    keys.sort_by_key(|key| !matches!(key, ConnectorKey::IdAndName(..)));
    let mut connectors = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (at, key) in keys.into_iter().enumerate() {
        let (id, name) = match key {
            ConnectorKey::Id(id) => (id.clone(), None),
            ConnectorKey::IdAndName(id, name) => (id.clone(), Some(name)),
            // Not a GUID, so no file contains it.
            ConnectorKey::Name(name) if !names.contains(name) => {
                (ConnectorId::parse(&format!("named-{at}")).expect("an id"), Some(name))
            }
            ConnectorKey::Name(_) => continue,
        };
        names.extend(name);
        connectors.entry(id.clone()).or_insert(Connector { id, display_name: name.cloned() });
    }
    let listed = |connector| ListedConnector { connector, target_url: None, certificates: Vec::new() };
    connectors.into_values().map(listed).collect()
}

/// Returns the bindings to connectors at the time of the run, in the order of the file.
fn wanted(desired: &Desired) -> impl Iterator<Item = (&FlowId, Step, &ConnectorRef)> {
    desired.flows.iter().flat_map(|flow| {
        let bindings = flow.bindings.iter();
        bindings.filter_map(|(step, binding)| Some((&flow.id, step, &**binding.connector_at(super::now())?)))
    })
}

fn assert_complete(desired: &Desired, target: &Target, problems: &[Diagnostic]) {
    let place = |span: &Span| (span.source().name().to_owned(), span.range().start);
    let places: BTreeSet<_> = problems.iter().filter_map(|problem| problem.span()).map(place).collect();
    let mut changes = target.changes.iter().peekable();
    for (flow, step, wanted) in wanted(desired) {
        let Some(change) = changes.next_if(|change| (&change.flow, change.step) == (flow, step)) else {
            assert!(places.contains(&place(&wanted.span)), "{flow} {step} is missing: {target:?}");
            continue;
        };
        let Connector { id, display_name } = change.desired.as_ref().expect("a connector");
        let (is_id, is_name) = match &wanted.key {
            ConnectorKey::Id(wanted) => (wanted == id, true),
            ConnectorKey::Name(name) => (true, display_name.as_ref() == Some(name)),
            ConnectorKey::IdAndName(wanted, name) => (wanted == id, display_name.as_ref() == Some(name)),
        };
        assert!(is_id && is_name && change.current.is_none(), "{change:?}");
    }
    assert_eq!(changes.next(), None, "unexpected change");
    assert_eq!(
        target.in_sync.len(),
        desired.managed_bindings().count() - wanted(desired).count(),
        "{target:?}"
    );
    assert!(target.unreadable.is_empty() && target.unmanaged.is_empty(), "{target:?}");
}

/// Content of a file without source locations.
#[derive(Debug, PartialEq)]
struct Content<'a> {
    tenant: &'a Tenant,
    client_id: Option<&'a ClientIds>,
    cloud: Cloud,
    api: Api,
    steps: &'a [Step],
    bindings: Vec<(&'a FlowId, Vec<Binding<'a>>)>,
    pins: &'a Pins,
    prune: Option<Prune>,
    guards: Guards,
}

type Binding<'a> = (Step, Option<&'a ConnectorKey>, bool, Option<Hold<'a>>);

type Hold<'a> = (Option<&'a ConnectorKey>, jiff::Timestamp, &'a str);

fn content(desired: &Desired) -> Content<'_> {
    Content {
        tenant: &desired.tenant,
        client_id: desired.client_id.as_ref(),
        cloud: desired.cloud,
        api: desired.api,
        steps: &desired.steps,
        bindings: desired
            .flows
            .iter()
            .map(|flow| {
                let bindings = flow.bindings.iter().map(|(step, binding)| {
                    let connector = binding.connector.as_ref();
                    let hold = binding.hold.as_deref().map(|hold| {
                        let connector = hold.connector.as_ref();
                        (connector.map(|connector| &connector.key), hold.until, &*hold.reason)
                    });
                    (step, connector.map(|connector| &connector.key), binding.protect.is_some(), hold)
                });
                (&flow.id, bindings.collect())
            })
            .collect(),
        pins: &desired.pins,
        prune: desired.prune.as_ref().map(|(prune, _)| *prune),
        guards: desired.guards.clone(),
    }
}
