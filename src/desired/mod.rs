//! Desired-state files: YAML → [`Desired`], or every problem at once.
//!
//! `named` finds the files of a run and `files` what they extend, by way of [`inside`], which keeps
//! them in their repository, as it does all that a run reads or writes. `source` parses text, `walk`
//! and `read` turn the tree into the keys of `schema`, `compose` merges a file with its
//! bases, `check` holds what the keys must say together, and `conflict` what files must; `findings`
//! puts all that is wrong in order, and `listing` is a file as it stands. Nothing here knows what a
//! tenant has.

mod check;
mod compose;
mod conflict;
mod decoder;
mod files;
mod findings;
mod inputs;
mod keys;
mod listing;
pub mod paths;
mod schema;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{
    ConnectorId, ConnectorKey, ConnectorRef, Desired, DesiredBinding, DesiredFlow, Guards, Listing, Pins,
    Prune, Step, is_guid,
};
use decoder::{Problems, Spanned};
use files::TenantFile;
use findings::Findings;
use schema::{Binding, ConnectorEntry, File};

/// Reads and checks the files at these paths, and those directly in these folders, each with what
/// it extends. Gives those that are about a tenant, in order.
///
/// # Errors
/// Every problem of every file, in the order of the files.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Desired>, Vec<Diagnostic>> {
    let files = load_checked(paths)?;
    // Most files are extended by no other, and need no copy.
    let desired =
        files.into_iter().map(|TenantFile { name, file }| desired(name, Arc::unwrap_or_clone(file)));
    Ok(desired.flatten().collect())
}

/// The same files as [`load`] gives, as they stand: each value with its place.
///
/// # Errors
/// As for [`load`].
pub fn list(paths: &[PathBuf]) -> Result<Vec<Listing>, Vec<Diagnostic>> {
    Ok(load_checked(paths)?.iter().map(|TenantFile { name, file }| listing::listing(name, file)).collect())
}

/// Checks the bytes of a file that is called `name` and extends no other.
///
/// # Errors
/// Every problem of the file, in the file's order.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Desired, Vec<Diagnostic>> {
    let source = source::decode(name, bytes).map_err(|problem| vec![problem])?;
    let (file, problems) = files::parse(&source);
    let mut findings = Findings::default();
    findings.extend(name, problems);
    if let Some(file) = &file {
        let alone = |base: &Spanned<String>| {
            let message = "a single text cannot extend other files";
            Diagnostic::error(Code::InvalidBase, message).at(&base.span)
        };
        findings.extend(name, file.extends.iter().map(alone));
        findings.extend(name, files::require_tenant(file));
        let mut problems = Problems::default();
        check::check(&mut problems, file);
        findings.extend(name, problems.take());
    }
    into_result(findings)?;
    file.and_then(|file| desired(name.to_owned(), file)).ok_or_else(Vec::new)
}

/// The JSON Schema of a desired-state file.
pub fn json_schema() -> schemars::Schema {
    schema::json_schema()
}

/// The files about tenants, once all files hold to every rule.
fn load_checked(paths: &[PathBuf]) -> Result<Vec<TenantFile>, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let files = files::load(paths, &mut findings);
    let mut problems = Problems::default();
    for TenantFile { name, file } in &files {
        check::check(&mut problems, file);
        findings.extend(name, problems.take());
    }
    conflict::check(&files, &mut findings);
    into_result(findings)?;
    Ok(files)
}

fn into_result(findings: Findings) -> Result<(), Vec<Diagnostic>> {
    let problems = findings.finish();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Turns a file that holds to every rule into what it wants. `None` where a key is missing, which
/// breaks a rule.
fn desired(name: String, file: File) -> Option<Desired> {
    let steps = file.step_list();
    let File { tenant, client_id, cloud, api, connectors, flows, prune, guards, .. } = file;
    let (mut named, mut pins) = (BTreeMap::new(), Pins::default());
    for (name, mut entry) in connectors.unwrap_or_default() {
        let pin = entry.target_url.take();
        let Some(connector) = from_alias(entry) else { continue };
        if let Some(pin) = pin {
            pins.insert(&connector.key, pin.value);
        }
        named.insert(name, Arc::new(connector));
    }
    let binding = |(step, binding): (Step, Binding)| {
        let Spanned { value, span } = binding.connector?;
        let connector = value.map(|name| match named.get(&name) {
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
            max_changes: guards.max_changes.map(|most| most.value),
            max_disables: guards.max_disables.map_or(Guards::default().max_disables, |most| most.value),
        },
    })
}

/// What a binding names by a short name.
fn from_alias(entry: ConnectorEntry) -> Option<ConnectorRef> {
    let (by, span) = match (entry.id, entry.display_name) {
        (Some(id), Some(name)) => (ConnectorKey::IdAndName(id.value, name.value), id.span),
        (Some(id), None) => (ConnectorKey::Id(id.value), id.span),
        (None, Some(name)) => (ConnectorKey::Name(name.value), name.span),
        (None, None) => return None,
    };
    Some(ConnectorRef { key: by, span })
}

/// What a binding names where it is no short name: a GUID is always an id, all else a displayName.
fn from_literal(name: String, span: Span) -> ConnectorRef {
    let id = is_guid(&name).then(|| ConnectorId::parse(&name).ok()).flatten();
    ConnectorRef { key: id.map_or(ConnectorKey::Name(name), ConnectorKey::Id), span }
}
