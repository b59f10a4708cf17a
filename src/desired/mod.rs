//! Desired-state files: YAML → [`Desired`], with all problems at once.
//!
//! `inputs` expands the paths of the command line, and `files` loads the files and their bases. `source`
//! parses text to a tree, `decoder` and `keys` decode the tree to the keys of `schema`, and `compose` merges a
//! file with its bases. `check` holds the rules between keys, and `conflict` those between files. `findings`
//! sorts the problems, and `listing` prints a composed file. Nothing here depends on the state of a tenant.

mod check;
mod compose;
mod conflict;
mod decoder;
mod files;
mod findings;
mod inputs;
mod keys;
mod listing;
mod message;
mod schema;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{
    ConnectorId, ConnectorKey, ConnectorRef, Desired, DesiredBinding, DesiredFlow, Guards, Listing, Pin,
    Pins, Prune, Step, is_guid,
};
use decoder::{Problems, Spanned};
use files::NamedFile;
use findings::Findings;
use message::{error, truncate};
use schema::{Binding, ConnectorEntry, File};

/// Loads and checks the files at these paths and directly in these folders, with their bases. Returns the
/// files that have a tenant, in order.
///
/// # Errors
/// All problems of all files, in the order of the files.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Desired>, Vec<Diagnostic>> {
    Ok(load_checked(paths)?.into_iter().filter_map(to_desired).collect())
}

/// Loads the same files as [`load`] and returns each composed file with the location of every value.
///
/// # Errors
/// As for [`load`].
pub fn list(paths: &[PathBuf]) -> Result<Vec<Listing>, Vec<Diagnostic>> {
    Ok(load_checked(paths)?.iter().map(|NamedFile { name, file }| listing::to_listing(name, file)).collect())
}

/// Parses and checks the bytes of a file that extends no other file. Messages show it as `name`.
///
/// # Errors
/// All problems, in the order of the file.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Desired, Vec<Diagnostic>> {
    let source = source::decode(name, bytes).map_err(|problem| vec![problem])?;
    let (file, problems) = files::parse(&source);
    let mut findings = Findings::default();
    findings.extend(name, problems);
    let file = file.map(|file| NamedFile { name: name.to_owned(), file: Arc::new(file) });
    if let Some(NamedFile { file, .. }) = &file {
        let not_supported = |base: &Spanned<String>| {
            let message = format!("a single text cannot extend `{}`", truncate(&base.value));
            error(Code::InvalidBase, message, &base.span, "remove `extends`")
        };
        findings.extend(name, file.extends.iter().map(not_supported));
        findings.extend(name, files::check_tenant(file));
    }
    let files = check_files(file.into_iter().collect(), findings)?;
    files.into_iter().find_map(to_desired).ok_or_else(Vec::new)
}

/// Loads the files that have a tenant, and checks the rules between keys and between files. Any problem of
/// any file is an error; all are returned.
fn load_checked(paths: &[PathBuf]) -> Result<Vec<NamedFile>, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let files = files::load(paths, &mut findings);
    check_files(files, findings)
}

/// Returns the files if they keep the rules and there are no other findings; otherwise all findings.
fn check_files(files: Vec<NamedFile>, mut findings: Findings) -> Result<Vec<NamedFile>, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    for NamedFile { name, file } in &files {
        check::check(&mut problems, file);
        findings.extend(name, problems.take());
    }
    conflict::check(&files, &mut findings);
    let problems = findings.finish();
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// Converts a valid file to the desired state. Returns `None` if a required key is missing, which `check`
/// reports.
fn to_desired(NamedFile { name, file }: NamedFile) -> Option<Desired> {
    let steps = file.step_list();
    // Most files are not the base of another one, so that nothing is copied.
    let File { tenant, client_id, cloud, api, connectors, flows, prune, guards, .. } =
        Arc::unwrap_or_clone(file);
    let (mut by_short_name, mut pins) = (BTreeMap::new(), Pins::default());
    for (name, mut entry) in connectors.unwrap_or_default() {
        let pin = entry.target_url.take();
        let Some(connector) = from_short_name(entry) else { continue };
        if let Some(pin) = pin {
            pins.insert(&connector.key, Pin { url: pin.value, span: pin.span });
        }
        by_short_name.insert(name, Arc::new(connector));
    }
    let binding = |(step, binding): (Step, Binding)| {
        let Spanned { value, span } = binding.connector?;
        let connector = value.map(|name| match by_short_name.get(&name) {
            Some(connector) => Arc::clone(connector),
            None => Arc::new(from_literal(name, span.clone())),
        });
        let protect = binding.protect.is_some_and(|protect| protect.value);
        Some((step, DesiredBinding { connector, span, protect }))
    };
    let flows = flows?
        .into_iter()
        .map(|flow| DesiredFlow {
            id: flow.id.value,
            span: flow.id.span,
            bindings: flow.bindings.into_iter().filter_map(binding).collect(),
        })
        .collect();
    Some(Desired {
        file: name,
        tenant: tenant?.value,
        client_id: client_id.map(|id| id.value),
        cloud: cloud.map(|cloud| cloud.value).unwrap_or_default(),
        api: api.map(|api| api.value).unwrap_or_default(),
        steps,
        flows,
        pins,
        prune: prune.map(|prune| (prune.value, prune.span)).filter(|(prune, _)| *prune != Prune::None),
        guards: Guards {
            max_changes: guards.max_changes.map(|limit| limit.value),
            max_disables: guards.max_disables.map_or(Guards::default().max_disables, |limit| limit.value),
        },
    })
}

/// Returns the connector of an entry under `connectors`; `None` if the entry has neither id nor name.
fn from_short_name(entry: ConnectorEntry) -> Option<ConnectorRef> {
    let (key, span) = match (entry.id, entry.display_name) {
        (Some(id), Some(name)) => (ConnectorKey::IdAndName(id.value, name.value), id.span),
        (Some(id), None) => (ConnectorKey::Id(id.value), id.span),
        (None, Some(name)) => (ConnectorKey::Name(name.value), name.span),
        (None, None) => return None,
    };
    Some(ConnectorRef { key, span })
}

/// Returns the connector of a binding without a short name: a GUID is always an id, any other text a
/// displayName.
fn from_literal(name: String, span: Span) -> ConnectorRef {
    let id = is_guid(&name).then(|| ConnectorId::parse(&name).ok()).flatten();
    ConnectorRef { key: id.map_or(ConnectorKey::Name(name), ConnectorKey::Id), span }
}
