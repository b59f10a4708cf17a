//! What a file may lead to: regular files inside its repository, whatever the path looks like.
//!
//! The path of a base, the name of a file in a folder, and a link in the place of a file that is read or
//! written, may come with a pull request from a stranger, and errors show lines of what is read. So it is
//! the real path that counts.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a path is not followed.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Nothing is there, or it cannot be reached.
    #[error("{0}")]
    Unreachable(#[from] io::Error),
    /// The path starts at the root of the file system.
    #[error("the path is absolute")]
    Absolute,
    /// The real path lies elsewhere.
    #[error("its real path is not inside `{}`", .0.display())]
    Outside(PathBuf),
    /// It is part of git's own data, which may hold credentials.
    #[error("it is part of `.git`")]
    Git,
    /// A folder, a device, a pipe, or a file of the system.
    #[error("it is no regular file")]
    Special,
}

/// Files that the system makes up: some hold the secrets of a process.
const SYSTEM_FOLDERS: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The folder that the files named in `folder` may lie in: the repository that it is in, else the
/// working directory. The root of the file system holds everything, so there it is `folder` itself.
pub(super) fn allowed_root(folder: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(or_current_dir(folder))?;
    if let Some(repository_root) = repository_root(&folder)? {
        return Ok(repository_root);
    }
    let here = fs::canonicalize(".")?;
    Ok(if here.parent().is_some() { here } else { folder })
}

/// What a real folder is a part of, and so may be changed with: the nearest folder upward that holds
/// `.git`, else the working directory.
fn repository_root(folder: &Path) -> io::Result<Option<PathBuf>> {
    if let Some(repository) = folder.ancestors().find(|above| above.join(".git").exists()) {
        return Ok(Some(repository.to_owned()));
    }
    let here = fs::canonicalize(".")?;
    Ok(Some(here).filter(|here| here.parent().is_some() && folder.starts_with(here)))
}

/// The real path of a file that lies inside one of the folders, all of them real.
///
/// # Errors
/// It is elsewhere, no regular file, or cannot be reached.
pub(super) fn resolve_file(path: &Path, folders: &[&Path]) -> Result<PathBuf, PathError> {
    canonicalize_within(path, folders, false)
}

fn canonicalize_within(path: &Path, folders: &[&Path], folders_too: bool) -> Result<PathBuf, PathError> {
    let real = fs::canonicalize(path)?;
    ensure_within(&real, folders)?;
    let kind = fs::metadata(&real)?;
    if kind.is_file() || (folders_too && kind.is_dir()) { Ok(real) } else { Err(PathError::Special) }
}

/// Makes sure that a real path is inside one of the folders, and part of no system's or git's own data.
fn ensure_within(real: &Path, folders: &[&Path]) -> Result<(), PathError> {
    // There memory is kept as files.
    let is_made_up = |system: &&str| real.starts_with(system) && !real.starts_with("/dev/shm");
    if SYSTEM_FOLDERS.iter().any(is_made_up) {
        return Err(PathError::Special);
    }
    let Some(folder) = folders.iter().find(|folder| real.starts_with(folder)) else {
        return Err(PathError::Outside(
            folders.first().map(|folder| (*folder).to_owned()).unwrap_or_default(),
        ));
    };
    let within = real.strip_prefix(folder).unwrap_or(real);
    if within.components().any(|part| part.as_os_str() == ".git") { Err(PathError::Git) } else { Ok(()) }
}

/// The real path of what somebody who may run commands named, and which may so be any; unless a link
/// leads there, which whoever may change a repository can turn to anything. What the system itself
/// links, such as the standard input, is as good as named.
///
/// # Errors
/// A link leads out of the repository that it stands in.
pub fn resolve_input(path: &Path) -> Result<PathBuf, PathError> {
    let (links, _) = links(path)?;
    for link in links {
        if let Some(boundary) = link.boundary(path)? {
            canonicalize_within(path, &[&boundary], true)?;
        }
    }
    Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

/// Makes sure that what is written to a path that somebody named goes there: there may be nothing yet.
///
/// # Errors
/// As for [`named`].
pub fn check_output(path: &Path) -> Result<(), PathError> {
    let (links, real) = links(path)?;
    for link in links {
        if let Some(boundary) = link.boundary(path)? {
            ensure_within(&real, &[&boundary])?;
        }
    }
    Ok(())
}

/// A link on the way that a path takes.
struct Link {
    /// The real folder that it stands in.
    folder: PathBuf,
    /// Whether nothing of the path comes after it.
    is_last: bool,
}

impl Link {
    /// The folder that the link must not lead out of; `None` where nobody can have turned it.
    fn boundary(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let Self { folder, is_last } = self;
        if folder == Path::new("/dev") || folder.starts_with("/proc") {
            return Ok(None);
        }
        match repository_root(folder)? {
            Some(repository_root) => Ok(Some(repository_root)),
            // Above what may be checked out, links are the machine's own: `/tmp` is one on a Mac.
            None if path.is_absolute() && !is_last => Ok(None),
            None => allowed_root(folder).map(Some),
        }
    }
}

/// The links that a path leads through, those that other links lead to among them, and where it ends.
fn links(path: &Path) -> io::Result<(Vec<Link>, PathBuf)> {
    // The system follows no more than forty either.
    const MAX_LINKS: usize = 64;
    let mut real = if path.is_absolute() { PathBuf::new() } else { fs::canonicalize(".")? };
    let mut links = Vec::new();
    let mut ahead = path.to_owned();
    loop {
        let mut parts = ahead.components();
        let Some(part) = parts.next() else { return Ok((links, real)) };
        let mut rest = parts.as_path().to_owned();
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = real.pop(),
            part => {
                let next = real.join(part);
                match fs::read_link(&next) {
                    Ok(target) if links.len() < MAX_LINKS => {
                        links.push(Link { folder: real.clone(), is_last: rest.as_os_str().is_empty() });
                        rest = target.join(rest);
                    }
                    _ => real = next,
                }
            }
        }
        ahead = rest;
    }
}

/// A path without `.` and `..`, where that leads to the same file; else as it is.
pub(super) fn normalize(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    let same = fs::canonicalize(&tidy).ok().filter(|real| fs::canonicalize(path).is_ok_and(|it| it == *real));
    if same.is_some() { tidy } else { path.to_owned() }
}

/// A folder that a relative path does not name is the working directory.
pub(super) fn or_current_dir(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
