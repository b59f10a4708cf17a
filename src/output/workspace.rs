//! Paths of files as GitHub knows them.

use std::path::{self, Component, Path, PathBuf, Prefix};

use crate::paths;

/// Root of the repository in a job of GitHub Actions.
pub(super) struct Workspace {
    root: Option<PathBuf>,
}

impl Workspace {
    /// Creates a workspace from its root, if it is known.
    pub(super) fn new(root: Option<&Path>) -> Self {
        Self { root: root.map(Path::to_owned) }
    }

    /// Returns the path of a file relative to the root, with `/`: GitHub shows annotations at such paths. Links are
    /// resolved, as git does not follow them. A file outside of the workspace keeps its path.
    pub(super) fn path_of(&self, file: &str) -> String {
        let relative = self.relative(Path::new(file));
        let path = relative.as_ref().map_or(file.into(), |relative| relative.to_string_lossy());
        path.replace(path::is_separator, "/")
    }

    fn relative(&self, file: &Path) -> Option<PathBuf> {
        let root = self.root.as_deref()?;
        let absolute = path::absolute(file).ok().filter(|path| is_local(path))?;
        let real_root = root.canonicalize().ok()?;
        let real = absolute.canonicalize().ok();
        // A saved plan may name files that this machine does not have.
        let plain = paths::without_dots(&absolute);
        let within = |path: &Path, root: &Path| path.strip_prefix(root).map(Path::to_owned).ok();
        real.and_then(|real| within(&real, &real_root))
            .or_else(|| within(&plain, root))
            .or_else(|| within(&plain, &real_root))
    }
}

/// Returns whether an absolute path is on a disk of this machine. Windows signs in to the server of a network path,
/// which a saved plan could name.
fn is_local(path: &Path) -> bool {
    match path.components().next() {
        Some(Component::Prefix(prefix)) => {
            matches!(prefix.kind(), Prefix::Disk(_) | Prefix::VerbatimDisk(_))
        }
        _ => true,
    }
}
