//! Desired-state files: YAML → [`Desired`], with all problems at once.
//!
//! `inputs` expands the paths of the command line, and `files` loads the files and their bases. `source` parses text to
//! a tree, `decoder`, `keys`, `flows` and `binding` decode the tree to the keys of `schema`, `spelling` checks names,
//! `slips` explains slips in the layout, and `compose` merges a file with its bases. `check` holds the rules between
//! keys, and `conflict` those between files. `findings` sorts the problems. `convert` returns the desired state of a
//! composed file, `listing` prints it, and `document` has its own text, which can be edited. Nothing here depends on
//! the state of a tenant.

mod binding;
mod check;
mod compose;
mod conflict;
mod convert;
mod decoder;
mod document;
mod files;
mod findings;
mod flows;
mod inputs;
mod keys;
mod listing;
mod message;
mod mistakes;
mod schema;
mod slips;
mod source;
mod spelling;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

pub use convert::ShortName;
pub use document::Document;
pub(crate) use source::{Node, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Desired, Listing};
use convert::to_desired;
use decoder::{Problems, Spanned};
use files::{LoadedFile, NamedFile};
use findings::Findings;
use inputs::{InputFiles, expand_paths};
use message::{error, truncate};

/// Loads and checks the files at these paths and directly in these folders, with their bases. Returns the
/// files that have a tenant, in order. `now` limits the holds.
///
/// # Errors
/// All problems of all files, in the order of the files.
pub fn load(paths: &[PathBuf], now: Timestamp) -> Result<Vec<Desired>, Vec<Diagnostic>> {
    Ok(load_checked(paths, now)?.into_iter().filter_map(to_desired).collect())
}

/// Loads the file at a path as [`load`] does, with this content. A pipe can be read only once.
///
/// # Errors
/// All problems of the file and its bases.
pub fn load_bytes(path: &Path, bytes: Vec<u8>, now: Timestamp) -> Result<Desired, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let mut inputs = expand_paths(&[path.to_owned()], &mut findings);
    if let [input] = inputs.files.as_mut_slice() {
        input.bytes = Some(bytes);
    }
    let files = load_inputs(inputs, findings, now)?;
    files.into_iter().find_map(to_desired).ok_or_else(Vec::new)
}

/// Loads the same files as [`load`] and returns each composed file with the location of every value.
///
/// # Errors
/// As for [`load`].
pub fn list(paths: &[PathBuf], now: Timestamp) -> Result<Vec<Listing>, Vec<Diagnostic>> {
    Ok(load_checked(paths, now)?
        .iter()
        .map(|NamedFile { name, file }| listing::to_listing(name, file))
        .collect())
}

/// Loads the same files as [`load`] and returns each with its own text.
///
/// # Errors
/// As for [`load`].
pub fn load_documents(paths: &[PathBuf], now: Timestamp) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let files = files::load(expand_paths(paths, &mut findings), &mut findings);
    check_files(files.iter().map(|file| file.composed.clone()).collect(), findings, Some(now))?;
    Ok(document::from_files(files))
}

/// Parses and checks the bytes of a file that extends no other file. Messages show it as `name`. Holds may be of
/// any length, because the time is not known.
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
    let files = check_files(file.into_iter().collect(), findings, None)?;
    files.into_iter().find_map(to_desired).ok_or_else(Vec::new)
}

/// Loads the files that have a tenant, and checks the rules between keys and between files. Any problem of
/// any file is an error; all are returned.
fn load_checked(paths: &[PathBuf], now: Timestamp) -> Result<Vec<NamedFile>, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let inputs = expand_paths(paths, &mut findings);
    load_inputs(inputs, findings, now)
}

fn load_inputs(
    inputs: InputFiles,
    mut findings: Findings,
    now: Timestamp,
) -> Result<Vec<NamedFile>, Vec<Diagnostic>> {
    let files = files::load(inputs, &mut findings);
    let files = files.into_iter().map(|LoadedFile { composed, .. }| composed).collect();
    check_files(files, findings, Some(now))
}

/// Returns the files if they keep the rules and there are no other findings; otherwise all findings.
fn check_files(
    files: Vec<NamedFile>,
    mut findings: Findings,
    now: Option<Timestamp>,
) -> Result<Vec<NamedFile>, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    for NamedFile { name, file } in &files {
        check::check(&mut problems, file, now);
        findings.extend(name, problems.take());
    }
    conflict::check(&files, &mut findings);
    let problems = findings.finish();
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}
