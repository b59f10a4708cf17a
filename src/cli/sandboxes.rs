//! `--sandbox`: the emulated tenants of a run, each matched by the tenant that its snapshot is of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
            let tenant = read_snapshot(path)?.tenant;
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
        let snapshot = read_snapshot(path)?;
        let (theirs, ours) = (snapshot.cloud.name(), place.cloud.name());
        if theirs != ours {
            let problem = format!("`{}` is of the cloud `{theirs}`, not of `{ours}`", path.display());
            let problem = Diagnostic::error(problem);
            return Err(Failure::foreign(
                problem.hint("give the snapshot of the tenant that the run is about"),
            ));
        }
        start_sandbox(path, snapshot, Options::default(), None).await.map(Some)
    }
}

/// Reads the snapshot at a path.
pub(super) fn read_snapshot(path: &Path) -> Result<Snapshot, Failure> {
    let text = input::read(path).with_context(|| format!("cannot read the snapshot `{}`", path.display()))?;
    Snapshot::parse(text.trim_start_matches('\u{feff}')).map_err(|error| Failure::snapshot(path, &error))
}

/// Serves a snapshot and keeps in its file what is written.
pub(super) async fn start_sandbox(
    path: &Path,
    snapshot: Snapshot,
    options: Options,
    journal: Option<Box<dyn std::io::Write + Send>>,
) -> Result<Sandbox, Failure> {
    let path = path.to_owned();
    let keep = move |snapshot: &Snapshot| files::write(&path, &snapshot.to_json());
    let sandbox = Sandbox::start(snapshot, options, journal, Some(Box::new(keep))).await;
    Ok(sandbox.context("cannot serve the sandbox")?)
}
