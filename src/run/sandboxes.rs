//! `--sandbox`: emulated tenants of a run, matched by the tenant of their snapshot.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::CommandError;
use super::tenant_ref::TenantRef;
use crate::atomic_file::{self, OutputFile};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::Tenant;
use crate::paths;
use crate::sandbox::{Options, Sandbox};
use crate::snapshot::Snapshot;

/// Snapshots of a run, by tenant in lower case. Empty if the run is for real tenants.
#[derive(Debug)]
pub struct Sandboxes(BTreeMap<String, PathBuf>);

impl Sandboxes {
    /// Reads the snapshots at these paths, and keeps each path by the tenant of its snapshot. An invalid
    /// snapshot, or a second one of a tenant, is an error.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, CommandError> {
        let mut sandboxes = BTreeMap::<_, PathBuf>::new();
        for path in paths {
            let tenant = SnapshotFile::read(path)?.snapshot.tenant;
            if let Some(first) = sandboxes.insert(tenant.to_ascii_lowercase(), path.clone()) {
                let (first, path) = (paths::display(&first), paths::display(path));
                let message = format!("`{first}` and `{path}` are both snapshots of `{tenant}`");
                let problem = Diagnostic::error(Code::SandboxMismatch, message);
                return Err(problem.hint("pass one `--sandbox` per tenant").into());
            }
        }
        Ok(Self(sandboxes))
    }

    /// Returns the tenants of all snapshots, in lower case. A snapshot of no valid tenant is an error.
    ///
    /// # Errors
    /// The tenant of a snapshot is neither a domain nor a GUID.
    pub fn tenants(&self) -> Result<Vec<Tenant>, CommandError> {
        let tenant = |(tenant, path): (&String, &PathBuf)| {
            tenant.parse::<Tenant>().map_err(|error| {
                let message = format!("`{}` has no valid tenant", paths::display(path));
                Diagnostic::error(Code::InvalidSnapshot, message).caused_by(error.to_string()).into()
            })
        };
        self.0.iter().map(tenant).collect()
    }

    /// Returns the path of the snapshot of a tenant, ignoring case; `None` if there is none.
    pub fn find_path(&self, tenant: &Tenant) -> Option<&Path> {
        self.0.get(&tenant.as_str().to_ascii_lowercase()).map(PathBuf::as_path)
    }

    /// Starts the sandbox of a tenant. Returns `None` if the run uses no sandboxes; if it does, a missing
    /// snapshot or one of another cloud is an error.
    pub(super) async fn serve(&self, tenant_ref: &TenantRef<'_>) -> Result<Option<Sandbox>, CommandError> {
        match self.snapshot_file(tenant_ref)? {
            Some(file) => file.serve(Options::default(), None).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the snapshot of a tenant. Returns `None` if the run uses no sandboxes; if it does, a missing
    /// snapshot or one of another cloud is an error.
    pub(super) fn snapshot_file(
        &self,
        tenant_ref: &TenantRef<'_>,
    ) -> Result<Option<SnapshotFile>, CommandError> {
        let Self(sandboxes) = self;
        if sandboxes.is_empty() {
            return Ok(None);
        }
        let Some(path) = self.find_path(tenant_ref.tenant) else {
            let message = format!("no `--sandbox` snapshot for tenant `{}`", tenant_ref.tenant);
            let problem = Diagnostic::error(Code::SandboxMismatch, message);
            let add = |problem: Diagnostic, (tenant, path): (&String, &PathBuf)| {
                problem.caused_by(format!("`{}` is a snapshot of `{tenant}`", paths::display(path)))
            };
            let problem = sandboxes.iter().take(3).fold(problem, add);
            return Err(problem.hint("pass one `--sandbox` per tenant").into());
        };
        let file = SnapshotFile::read(path)?;
        let (theirs, ours) = (file.snapshot.cloud.name(), tenant_ref.cloud.name());
        if theirs != ours {
            let message =
                format!("`{}` is a snapshot of cloud `{theirs}`, not of `{ours}`", paths::display(path));
            let problem = Diagnostic::error(Code::SandboxMismatch, message);
            return Err(problem.hint("pass a snapshot of the tenant of the run").into());
        }
        Ok(Some(file))
    }
}

/// Snapshot with its file.
#[derive(Debug)]
pub struct SnapshotFile {
    /// Path of the file.
    pub path: PathBuf,
    text: String,
    /// Its content.
    pub snapshot: Snapshot,
}

impl SnapshotFile {
    /// Reads and parses the snapshot at a path. An unreadable file or an invalid snapshot is an error.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        let text = paths::read(path).map_err(|error| CommandError::input("the snapshot ", path, &error))?;
        let snapshot =
            Snapshot::parse(&text).map_err(|error| CommandError::snapshot(&paths::display(path), &error))?;
        Ok(Self { path: path.to_owned(), text, snapshot })
    }

    /// Checks that changes of the tenant can be saved.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn check_writable(&self) -> Result<(), Diagnostic> {
        OutputFile::open(&self.path).map(drop).map_err(|error| {
            Diagnostic::error(Code::OutputNotWritable, error.to_string())
                .hint("changes are saved in the snapshot: pass a copy that can be written")
        })
    }

    /// Starts a sandbox that writes its changes back to the file. If another program changed the file
    /// meanwhile, it is left unchanged and the write fails.
    pub async fn serve(
        self,
        options: Options,
        journal: Option<Box<dyn io::Write + Send>>,
    ) -> Result<Sandbox, CommandError> {
        let Self { path, text, snapshot } = self;
        let known = Mutex::new(text);
        let keep = move |snapshot: &Snapshot| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            let text = snapshot.to_json();
            save(&path, &known, &text).map_err(|error| {
                io::Error::other(format!("cannot save a change in `{}`: {error}", paths::display(&path)))
            })?;
            *known = text;
            Ok(())
        };
        let sandbox = Sandbox::start(snapshot, options, journal, Some(Box::new(keep))).await;
        sandbox.map_err(|error| CommandError::system("cannot start the sandbox", &error))
    }
}

/// Writes a snapshot to its file, if that still has the text `known`.
fn save(path: &Path, known: &str, text: &str) -> io::Result<()> {
    if paths::read(path)? != known {
        return Err(io::Error::other("the file was changed by another program"));
    }
    atomic_file::write(path, text)
}
