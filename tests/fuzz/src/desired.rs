//! Desired-state files: one by itself, and several that extend one another.

use std::fs;
use std::path::PathBuf;

use flowbind::diagnostic::Diagnostic;
use flowbind::model::{
    Api, Cloud, ConnectorKey, Current, CurrentFlow, Desired, FlowId, Guards, Prune, Reading, Step, TargetUrl,
    Tenant,
};
use flowbind::plan::{Overrides, plan};
use flowbind::{desired as files, render};

use super::inert::assert_inert;

/// A file is read, or each problem of it can be shown.
pub fn desired(data: &[u8]) {
    match files::parse("flowbind.yaml", data) {
        Ok(desired) => assert_sound(&desired),
        Err(problems) => assert_shown(&problems),
    }
}

/// Files with lines of `====` between them, called `a.yaml` and so on, make a run; each one as it
/// stands after composition is a file that says the same.
pub fn composition(data: &[u8]) {
    const SEPARATOR: &[u8] = b"\n====\n";
    const MOST: usize = 6;
    let folder = tempfile::tempdir().expect("a folder for files");
    // The repository that bases may lie in.
    fs::create_dir(folder.path().join(".git")).expect("a folder within");
    let mut rest = Some(data);
    let mut paths = Vec::new();
    for name in ('a'..).take(MOST) {
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
    run(&[folder.path().to_owned()]);
    run(&paths[..1]);
}

fn run(paths: &[PathBuf]) {
    match files::load(paths) {
        Ok(run) => {
            let listings = files::list(paths).expect("what is read is listed");
            assert_eq!(listings.len(), run.len());
            for (desired, listing) in run.iter().zip(&listings) {
                assert_sound(desired);
                assert_planned(desired);
                let listing = render::listing(listing);
                assert_inert(&listing);
                match files::parse("listing.yaml", listing.as_bytes()) {
                    Ok(listed) => assert_eq!(said(&listed), said(desired), "{listing}"),
                    Err(problems) => panic!("{listing}\nis no file: {problems:?}"),
                }
            }
        }
        Err(problems) => assert_shown(&problems),
    }
}

/// Problems are some, and each can be shown.
fn assert_shown(problems: &[Diagnostic]) {
    assert!(!problems.is_empty(), "refused without a word");
    for problem in problems {
        let shown = render::diagnostic(problem);
        assert_inert(&anstream::adapter::strip_str(&shown).to_string());
    }
}

/// What holds of every file that is read: above all, that nothing is disabled but where that is
/// written out.
fn assert_sound(desired: &Desired) {
    for binding in desired.flows.iter().flat_map(|flow| flow.bindings.values()) {
        if binding.connector.is_none() {
            let text = binding.span.text();
            let is_written = ["null", "Null", "NULL", "~"].contains(&text) || text.starts_with('*');
            assert!(is_written, "{text:?} at {} disables", binding.span);
        }
    }
    let mut ids: Vec<_> = desired.flows.iter().map(|flow| flow.id.as_str().to_lowercase()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|two| two[0] != two[1]), "a flow is there twice");
    assert!(desired.flows.iter().all(|flow| flow.id.kind() == desired.flows[0].id.kind()));
    for flow in &desired.flows {
        assert!(flow.bindings.iter().all(|(step, _)| desired.steps.contains(&step)), "{}", flow.id);
    }
}

/// A tenant in which nothing is bound: every binding that is to be is a change or a problem.
fn assert_planned(desired: &Desired) {
    let unbound = |step: &Step| (*step, Reading::Known(None));
    let nothing = || CurrentFlow::Found(desired.steps.iter().map(unbound).collect());
    let current = Current {
        connectors: Some(Reading::Known(Vec::new())),
        flows: desired.flows.iter().map(|flow| (flow.id.clone(), nothing())).collect(),
        flow_list: Some(Reading::Known(desired.flows.iter().map(|flow| flow.id.to_string()).collect())),
    };
    let (target, problems) =
        plan(desired, &current, "https://graph.microsoft.com/beta", &Overrides::default());
    if !problems.is_empty() {
        assert_shown(&problems);
    }
    let bindings = desired.flows.iter().flat_map(|flow| flow.bindings.values());
    let wanted = bindings.filter(|binding| binding.connector.is_some()).count();
    assert!(target.changes.len() + problems.len() + target.pins.len() >= wanted.min(1), "{target:?}");
    assert!(target.changes.len() <= wanted, "{target:?}");
}

/// What a file says, without where.
#[derive(Debug, PartialEq)]
struct Said<'a> {
    tenant: &'a Tenant,
    client_id: Option<&'a str>,
    cloud: Cloud,
    api: Api,
    steps: &'a [Step],
    bindings: Vec<(&'a FlowId, Vec<Binding<'a>>)>,
    prune: Option<Prune>,
    guards: Guards,
}

type Binding<'a> = (Step, Option<(&'a ConnectorKey, Option<&'a TargetUrl>)>, bool);

fn said(desired: &Desired) -> Said<'_> {
    Said {
        tenant: &desired.tenant,
        client_id: desired.client_id.as_deref(),
        cloud: desired.cloud,
        api: desired.api,
        steps: &desired.steps,
        bindings: desired
            .flows
            .iter()
            .map(|flow| {
                let bindings = flow.bindings.iter().map(|(step, binding)| {
                    let connector = binding.connector.as_ref();
                    let connector = connector.map(|connector| (&connector.by, connector.pin.as_deref()));
                    (step, connector, binding.protect)
                });
                (&flow.id, bindings.collect())
            })
            .collect(),
        prune: desired.prune.as_ref().map(|(prune, _)| *prune),
        guards: desired.guards,
    }
}
