//! Files whose text can be edited.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check;
use super::compose::merge;
use super::convert::{ShortName, short_names, to_desired};
use super::decoder::Problems;
use super::files::{self, LoadedFile, NamedFile};
use super::schema::File;
use super::source::{self, Node};
use crate::diagnostic::{Diagnostic, Source};
use crate::model::Desired;

/// Valid file with a tenant: its own text, and what it means together with its bases.
#[derive(Clone)]
pub struct Document {
    path: PathBuf,
    source: Arc<Source>,
    base: Option<Arc<File>>,
    extended_by: Option<String>,
    desired: Desired,
    short_names: Option<BTreeMap<String, ShortName>>,
}

impl Document {
    /// Returns the resolved path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the text of the file, without a byte order mark.
    pub fn text(&self) -> &str {
        self.source.text()
    }

    /// Returns the first of the loaded files that has this file as a base.
    pub fn extended_by(&self) -> Option<&str> {
        self.extended_by.as_deref()
    }

    /// Returns the desired state of the file with its bases.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Returns the short names of the file and its bases; `None` if none of them has `connectors`.
    pub fn short_names(&self) -> Option<&BTreeMap<String, ShortName>> {
        self.short_names.as_ref()
    }

    /// Returns the YAML values of the text, each with its location.
    pub(crate) fn tree(&self) -> Option<Node<'_>> {
        source::parse(&self.source).ok()
    }

    /// Returns the file with another text and the same bases.
    ///
    /// # Errors
    /// All problems, if the text is not a valid file, or not with these bases.
    pub fn with_text(&self, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let source = source::decode(self.source.name(), text.as_bytes()).map_err(|problem| vec![problem])?;
        let (file, mut found) = files::parse(&source);
        let Some(file) = file.filter(|_| found.is_empty()) else { return Err(found) };
        let file = match &self.base {
            Some(base) => merge(File::clone(base), file),
            None => file,
        };
        found.extend(files::check_tenant(&file));
        let mut problems = Problems::default();
        // The holds were checked with the time of the run, and no edit changes them.
        check::check(&mut problems, &file, None);
        found.extend(problems.take());
        if !found.is_empty() {
            return Err(found);
        }
        let short_names = short_names(&file);
        let composed = NamedFile { name: self.desired.file.clone(), file: Arc::new(file) };
        let desired = to_desired(composed).ok_or_else(Vec::new)?;
        Ok(Self { source, desired, short_names, ..self.clone() })
    }
}

/// Returns the documents of valid files.
pub(super) fn from_files(files: Vec<LoadedFile>) -> Vec<Document> {
    let has_base =
        |file: &LoadedFile, source: &Source| file.bases.iter().any(|base| **base.span.source() == *source);
    let extended_by = |source: &Source| {
        files.iter().find(|file| has_base(file, source)).map(|file| file.composed.name.clone())
    };
    let extended: Vec<_> = files.iter().map(|file| extended_by(file.composed.file.span.source())).collect();
    let document = |(LoadedFile { composed, path, bases }, extended_by): (LoadedFile, _)| {
        let base = bases.iter().map(|base| File::clone(base)).reduce(merge).map(Arc::new);
        let source = Arc::clone(composed.file.span.source());
        let short_names = short_names(&composed.file);
        Some(Document { path, source, base, extended_by, desired: to_desired(composed)?, short_names })
    };
    files.into_iter().zip(extended).filter_map(document).collect()
}
