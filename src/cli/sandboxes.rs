//! `--sandbox`: the emulated tenants of a run, each matched by the tenant that its snapshot is of.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use super::connect::Place;
use super::failure::Failure;
use super::input;
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::sandbox::{Options, Sandbox};
use crate::snapshot::Snapshot;

/// The snapshots of a run, by tenant in lower case. None: the run is for real tenants.
pub(super) struct Sandboxes(BTreeMap<String, PathBuf>);

impl Sandboxes {
    /// Finds out which tenant each snapshot is of.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut sandboxes = BTreeMap::<_, PathBuf>::new();
        for path in paths {
            let tenant = SnapshotFile::read(path)?.snapshot.tenant;
            if let Some(first) = sandboxes.insert(tenant.to_ascii_lowercase(), path.clone()) {
                let (first, path) = (first.display(), path.display());
                let problem = format!("`{first}` and `{path}` are both of the tenant `{tenant}`");
                return Err(Diagnostic::error(problem).hint("give one `--sandbox` for each tenant").into());
            }
        }
        Ok(Self(sandboxes))
    }

    /// The snapshot of a tenant.
    pub(super) fn of(&self, tenant: &str) -> Option<&Path> {
        self.0.get(&tenant.to_ascii_lowercase()).map(PathBuf::as_path)
    }

    /// Serves a tenant, where the run is for emulated ones.
    pub(super) async fn serve(&self, place: &Place<'_>) -> Result<Option<Sandbox>, Failure> {
        match self.snapshot_file(place)? {
            Some(file) => file.serve(Options::default(), None).await.map(Some),
            None => Ok(None),
        }
    }

    /// The snapshot of a tenant and of its cloud, where the run is for emulated tenants.
    pub(super) fn snapshot_file(&self, place: &Place<'_>) -> Result<Option<SnapshotFile>, Failure> {
        let Self(sandboxes) = self;
        if sandboxes.is_empty() {
            return Ok(None);
        }
        let Some(path) = self.of(place.tenant.as_str()) else {
            let problem = Diagnostic::error(format!("no `--sandbox` is of the tenant `{}`", place.tenant));
            let told = |problem: Diagnostic, (tenant, path): (&String, &PathBuf)| {
                problem.caused_by(format!("`{}` is of `{tenant}`", path.display()))
            };
            let problem = sandboxes.iter().take(3).fold(problem, told);
            return Err(Failure::foreign(problem.hint("give a snapshot for each tenant of the run")));
        };
        let file = SnapshotFile::read(path)?;
        let (theirs, ours) = (file.snapshot.cloud.name(), place.cloud.name());
        if theirs != ours {
            let problem = format!("`{}` is of the cloud `{theirs}`, not of `{ours}`", path.display());
            let problem = Diagnostic::error(problem);
            return Err(Failure::foreign(
                problem.hint("give the snapshot of the tenant that the run is about"),
            ));
        }
        Ok(Some(file))
    }
}

/// A snapshot, and the file that keeps it.
pub(super) struct SnapshotFile {
    pub(super) path: PathBuf,
    text: String,
    pub(super) snapshot: Snapshot,
}

impl SnapshotFile {
    /// Reads the snapshot at a path.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text =
            input::read(path).with_context(|| format!("cannot read the snapshot `{}`", path.display()))?;
        let snapshot = Snapshot::parse(text.trim_start_matches('\u{feff}'))
            .map_err(|error| Failure::snapshot(path, &error))?;
        Ok(Self { path: path.to_owned(), text, snapshot })
    }

    /// Serves it, and keeps in its file what is written; unless somebody else wrote there meanwhile.
    pub(super) async fn serve(
        self,
        options: Options,
        journal: Option<Box<dyn io::Write + Send>>,
    ) -> Result<Sandbox, Failure> {
        let Self { path, text, snapshot } = self;
        let known = Mutex::new(text);
        let keep = move |snapshot: &Snapshot| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if input::read(&path)? != *known {
                return Err(io::Error::other("somebody else changed the file"));
            }
            let text = snapshot.to_json();
            files::write(&path, &text)?;
            *known = text;
            Ok(())
        };
        let sandbox = Sandbox::start(snapshot, options, journal, Some(Box::new(keep))).await;
        Ok(sandbox.context("cannot serve the sandbox")?)
    }
}
