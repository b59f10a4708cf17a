//! Desired-state files: YAML → [`Desired`], or every problem at once.
//!
//! `source` reads and parses text, `walk` and `read` turn the tree into the keys of `schema`, `check` holds what
//! the keys must say together. Nothing here knows a tenant.

mod check;
mod read;
mod schema;
mod source;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source};
use crate::model::{
    ConnectorId, ConnectorKey, ConnectorRef, Desired, DesiredBinding, DesiredFlow, Guards, Prune, Step,
    is_guid,
};
use schema::{ConnectorEntry, File, Version};
use walk::{Spanned, Walker};

/// Reads and checks the file at a path.
///
/// # Errors
/// Every problem of the file, in the file's order.
pub fn load(path: &Path) -> Result<Desired, Vec<Diagnostic>> {
    check_source(&source::read(path).map_err(|problem| vec![problem])?)
}

/// Checks the bytes of a file that is called `name`.
///
/// # Errors
/// Every problem of the file, in the file's order.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Desired, Vec<Diagnostic>> {
    check_source(&source::decode(name, bytes).map_err(|problem| vec![problem])?)
}

/// The JSON Schema of a desired-state file.
pub fn json_schema() -> schemars::Schema {
    schema::json_schema()
}

fn check_source(source: &Arc<Source>) -> Result<Desired, Vec<Diagnostic>> {
    let root = source::parse(source).map_err(|problem| vec![problem])?;
    let mut walker = Walker::new(source);
    let file = read::file(&mut walker, &root);
    // The tree of a large file is most of what a check holds.
    drop(root);
    if let Some(file) = &file {
        check::check(&mut walker, file);
    }
    let mut problems = walker.finish();
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.range().start));
    match file {
        Some(file) if problems.is_empty() => desired(source.name(), file).ok_or(problems),
        _ => Err(problems),
    }
}

/// Turns a file that holds to every rule into what it wants. `None` where a key is missing, which
/// breaks a rule.
fn desired(name: &str, file: File) -> Option<Desired> {
    let File {
        version: Some(Version),
        tenant: Some(tenant),
        client_id,
        cloud,
        api,
        steps,
        steps_unclear: _,
        connectors,
        flows,
        prune,
        guards,
    } = file
    else {
        return None;
    };
    let mut steps: Vec<_> = match steps {
        Some(steps) => steps.into_iter().map(|step| step.value).collect(),
        None => Step::DEFAULT.to_vec(),
    };
    steps.sort_unstable();
    let flows = flows
        .into_iter()
        .map(|flow| DesiredFlow {
            id: flow.id.value,
            span: flow.id.span,
            bindings: flow
                .bindings
                .into_iter()
                .map(|(step, binding)| {
                    let connector = binding.connector.map(|name| reference(name, connectors.as_ref()));
                    let (span, protect) = (binding.span, binding.protect);
                    (step, DesiredBinding { connector, span, protect })
                })
                .collect(),
        })
        .collect();
    Some(Desired {
        file: name.to_owned(),
        tenant,
        client_id,
        cloud,
        api: api.map(|api| api.value).unwrap_or_default(),
        steps,
        flows,
        prune: prune.map(|prune| (prune.value, prune.span)).filter(|(prune, _)| *prune != Prune::None),
        guards: Guards {
            max_changes: guards.as_ref().and_then(|guards| guards.max_changes),
            max_disables: guards
                .and_then(|guards| guards.max_disables)
                .unwrap_or(Guards::default().max_disables),
        },
    })
}

/// What a binding names: a GUID is always an id; else a short name where the file has any; else a
/// displayName.
fn reference(name: Spanned<String>, connectors: Option<&BTreeMap<String, ConnectorEntry>>) -> ConnectorRef {
    let Spanned { value, span } = name;
    if let Some(id) = is_guid(&value).then(|| ConnectorId::parse(&value).ok()).flatten() {
        return ConnectorRef { by: ConnectorKey::Id(id), span, pin: None };
    }
    let Some(entry) = connectors.and_then(|connectors| connectors.get(&value)) else {
        return ConnectorRef { by: ConnectorKey::Name(value), span, pin: None };
    };
    let (by, span) = match (entry.id.clone(), entry.display_name.clone()) {
        (Some(id), Some(name)) => (ConnectorKey::IdAndName(id.value, name.value), id.span),
        (Some(id), None) => (ConnectorKey::Id(id.value), id.span),
        (None, Some(name)) => (ConnectorKey::Name(name.value), name.span),
        (None, None) => (ConnectorKey::Name(value), span),
    };
    ConnectorRef { by, span, pin: entry.target_url.clone() }
}
