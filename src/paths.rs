//! Symlink policy for the paths of inputs, outputs and bases, their text in messages, and reading of inputs.
//!
//! A base, a file in a folder, and a link in the place of a file that is read or written can all come with a
//! pull request from a stranger, and error messages quote lines of what is read. The resolved path must
//! therefore be a regular file inside the repository, whatever the path looks like.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{self, Component, Path, PathBuf};
use std::sync::OnceLock;

use crate::encoding;

/// Why a path is not allowed.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// The path does not exist or cannot be reached.
    #[error("{0}")]
    Unreachable(#[from] io::Error),
    /// The path is absolute.
    #[error("the path is absolute")]
    Absolute,
    /// The resolved path is outside of the folder that it must be in.
    #[error("the resolved path is not inside `{}`", display(.0))]
    Outside(PathBuf),
    /// The path is part of git's own data, which may contain credentials.
    #[error("the resolved path is inside `.git`")]
    Git,
    /// The folder lists a file or folder by this name, and the path has another, such as one in other letter case.
    #[error("the folder lists the name as `{0}`")]
    OtherName(String),
    /// Folder, device, pipe or virtual file of the operating system.
    #[error("not a regular file")]
    Special,
}

/// Folders with virtual files of the operating system, some of which contain the secrets of a process.
const SYSTEM_FOLDERS: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Returns the folder that contains all files that may be read for a file in `folder`: its repository,
/// otherwise the working directory. The root directory contains everything, so it is replaced by `folder`.
pub(crate) fn allowed_root(folder: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(or_current_dir(folder))?;
    if let Some(root) = repository_root(&folder) {
        return Ok(root);
    }
    // The working directory may have been deleted.
    let current = fs::canonicalize(".").ok().filter(|current| current.parent().is_some());
    Ok(current.unwrap_or(folder))
}

/// Returns the nearest folder upward that contains `.git`, otherwise the working directory if it contains
/// `folder` and is not the root directory; otherwise `None`. Anyone with commit access can change the links
/// in it.
fn repository_root(folder: &Path) -> Option<PathBuf> {
    if let Some(repository) = folder.ancestors().find(|above| above.join(".git").exists()) {
        return Some(repository.to_owned());
    }
    let current = fs::canonicalize(".").ok()?;
    Some(current).filter(|current| current.parent().is_some() && folder.starts_with(current))
}

/// Returns the path of a file relative to its repository, otherwise to the working directory, with `/`. It is the same
/// from every folder of every checkout. The path of a file outside of both only gets `/`.
pub(crate) fn path_in_repository(file: &Path) -> String {
    let relative = || {
        let folder = fs::canonicalize(or_current_dir(file.parent()?)).ok()?;
        let root = repository_root(&folder)?;
        // The file itself may be a link: two links are two files, because bases are relative to the link.
        Some(folder.join(file.file_name()?).strip_prefix(root).ok()?.to_owned())
    };
    let path = relative().unwrap_or_else(|| normalize(file));
    display(&path).replace(path::is_separator, "/")
}

/// Returns a path as text for messages and saved files. On Windows, a relative path gets `/`, so that every system
/// reads it alike, and a resolved path loses `\\?\`.
pub fn display(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) { display_on_windows(&text) } else { text.into_owned() }
}

fn display_on_windows(path: &str) -> String {
    let is_rooted = path.starts_with('\\') || path.chars().nth(1) == Some(':');
    match (path.strip_prefix(r"\\?\UNC\"), path.strip_prefix(r"\\?\")) {
        (Some(share), _) => format!(r"\\{share}"),
        (None, Some(resolved)) => resolved.to_owned(),
        (None, None) if is_rooted => path.to_owned(),
        (None, None) => path.replace('\\', "/"),
    }
}

/// Returns the resolved path of a regular file inside one of the folders. All folders must be resolved.
///
/// # Errors
/// If the path leads elsewhere, is not a regular file, or cannot be reached.
pub(crate) fn resolve_file(path: &Path, folders: &[&Path]) -> Result<PathBuf, PathError> {
    canonicalize_within(path, folders, false)
}

fn canonicalize_within(path: &Path, folders: &[&Path], allow_folder: bool) -> Result<PathBuf, PathError> {
    let real = fs::canonicalize(path)?;
    ensure_within(&real, folders)?;
    let kind = fs::metadata(&real)?;
    if kind.is_file() || (allow_folder && kind.is_dir()) { Ok(real) } else { Err(PathError::Special) }
}

/// Returns whether a relative path with `/` names a file on every system. For Windows, see
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.
pub(crate) fn is_portable(path: &str) -> bool {
    path.split('/').all(|name| matches!(name, "." | "..") || is_portable_name(name))
}

fn is_portable_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let port = stem.strip_prefix("com").or(stem.strip_prefix("lpt"));
    let is_device = matches!(&*stem, "con" | "prn" | "aux" | "nul")
        || port.is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']));
    !is_device && !name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) && !name.ends_with(['.', ' '])
}

/// Checks that a relative path, which leads from `folder` to the resolved path `real`, has the names that the folders
/// list. Windows and macOS ignore letter case, and Windows has a second, short name for each long one.
pub(crate) fn check_names(folder: &Path, path: &Path, real: &Path) -> Result<(), PathError> {
    let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_));
    if real.ends_with(without_dots(path).components().filter(is_name).collect::<PathBuf>()) {
        return Ok(());
    }
    // A link, or another spelling of the names.
    let mut folder = or_current_dir(folder).to_owned();
    for part in path.components() {
        if is_name(&part)
            && let Some(name) = other_name(&folder, part.as_os_str())?
        {
            return Err(PathError::OtherName(name));
        }
        folder.push(part);
    }
    Ok(())
}

/// Returns the name by which a folder lists a file or folder; `None` if it is `name`, or if the folder cannot be listed.
fn other_name(folder: &Path, name: &OsStr) -> io::Result<Option<String>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    let listed: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    if listed.iter().any(|it| it == name) {
        return Ok(None);
    }
    let lower = |name: &OsStr| name.to_string_lossy().to_lowercase();
    if let Some(other) = listed.iter().find(|it| lower(it) == lower(name)) {
        return Ok(Some(other.to_string_lossy().into_owned()));
    }
    // A short name of Windows.
    let real = fs::canonicalize(folder.join(name))?;
    Ok(Some(real.file_name().unwrap_or_default().to_string_lossy().into_owned()))
}

/// Checks that a resolved path is inside one of the folders, and is neither a virtual file of the system nor
/// in `.git`. Any other path is an error.
fn ensure_within(real: &Path, folders: &[&Path]) -> Result<(), PathError> {
    // `/dev/shm` has regular files in memory.
    let is_virtual = |system: &&str| real.starts_with(system) && !real.starts_with("/dev/shm");
    if SYSTEM_FOLDERS.iter().any(is_virtual) {
        return Err(PathError::Special);
    }
    let Some(folder) = folders.iter().find(|folder| real.starts_with(folder)) else {
        return Err(PathError::Outside(folders.first().copied().unwrap_or(Path::new("")).to_owned()));
    };
    let within = real.strip_prefix(folder).unwrap_or(real);
    if within.components().any(|part| part.as_os_str() == ".git") { Err(PathError::Git) } else { Ok(()) }
}

/// Resolves a path given on the command line; a path that cannot be resolved is returned unchanged. A symlink
/// inside a repository that leads out of it is an error, because anyone with commit access could redirect it.
/// Links of the system, such as standard input, are allowed.
///
/// # Errors
/// If a link leads out of its repository.
pub fn resolve_input(path: &Path) -> Result<PathBuf, PathError> {
    let (boundaries, _) = follow_links(path)?;
    for boundary in boundaries.iter().flatten() {
        canonicalize_within(path, &[boundary], true)?;
    }
    Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

/// Checks a path given on the command line that will be written. The file need not exist yet. A symlink
/// inside a repository that leads out of it is an error.
///
/// # Errors
/// If a link leads out of its repository.
pub fn check_output(path: &Path) -> Result<(), PathError> {
    let (boundaries, real) = follow_links(path)?;
    boundaries.iter().flatten().try_for_each(|boundary| ensure_within(&real, &[boundary]))
}

/// Returns the folder that a symlink in the resolved `folder` must not lead out of; `None` if only the system's
/// owner can change the link. `is_inner` is whether the link is in an absolute path and not its last part.
fn link_boundary(folder: &Path, is_inner: bool) -> io::Result<Option<PathBuf>> {
    if folder == Path::new("/dev") || folder.starts_with("/proc") {
        return Ok(None);
    }
    match repository_root(folder) {
        Some(root) => Ok(Some(root)),
        // Links above a checkout belong to the machine: `/tmp` is a link on macOS.
        None if is_inner => Ok(None),
        None => allowed_root(folder).map(Some),
    }
}

/// Follows all symlinks of a path. Returns the [`link_boundary`] of each, and the resolved path.
fn follow_links(path: &Path) -> io::Result<(Vec<Option<PathBuf>>, PathBuf)> {
    // Linux follows at most 40 links.
    const MAX_LINKS: usize = 64;
    let mut real = if path.is_absolute() { PathBuf::new() } else { fs::canonicalize(".")? };
    let mut boundaries = Vec::new();
    let mut ahead = path.to_owned();
    loop {
        let mut parts = ahead.components();
        let Some(part) = parts.next() else { return Ok((boundaries, real)) };
        let mut rest = parts.as_path().to_owned();
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = real.pop(),
            part => {
                let next = real.join(part);
                match fs::read_link(&next) {
                    Ok(target) if boundaries.len() < MAX_LINKS => {
                        let is_inner = path.is_absolute() && !rest.as_os_str().is_empty();
                        boundaries.push(link_boundary(&real, is_inner)?);
                        rest = target.join(rest);
                    }
                    _ => real = next,
                }
            }
        }
        ahead = rest;
    }
}

/// Removes `.` and `..` from a path if the result leads to the same file; otherwise returns the path as it is.
pub(crate) fn normalize(path: &Path) -> PathBuf {
    let normal = without_dots(path);
    let real = fs::canonicalize(&normal).ok();
    let is_same = real.is_some_and(|real| fs::canonicalize(path).is_ok_and(|it| it == real));
    if is_same { normal } else { path.to_owned() }
}

/// Removes `.`, and each `..` with the folder before it, from the text of a path. Links are not resolved.
pub(crate) fn without_dots(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Replaces an empty path by `.`.
pub(crate) fn or_current_dir(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Returns whether a path on the command line selects stdin. `./-` is a file.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Returns whether a path that does not exist looks like a pattern such as `*.yaml`. A shell passes a pattern that
/// matches no file unchanged.
pub fn is_unmatched_pattern(path: &Path, error: &io::Error) -> bool {
    let is_missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename);
    is_missing && path.to_string_lossy().contains(['*', '?', '['])
}

/// Size limit in bytes: some hundred thousand changes.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Reads all of stdin, but at most one byte over 64 MiB. Stdin is read once, and later calls return the same.
///
/// # Errors
/// Stdin cannot be read.
pub fn read_stdin() -> io::Result<&'static [u8]> {
    static BYTES: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let read = BYTES.get_or_init(|| read_limited(io::stdin().lock()).map_err(|error| error.to_string()));
    read.as_deref().map_err(|error| io::Error::other(error.as_str()))
}

/// Reads one byte more than allowed at most, which distinguishes an input that is too large from one that just fits.
fn read_limited(input: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_INPUT_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file or a pipe of at most 64 MiB. A link that leads out of its repository is an error.
///
/// # Errors
/// The file cannot be read or is over 64 MiB; or a link leads out of its repository.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    resolve_input(path).map_err(io::Error::other)?;
    let bytes = read_limited(File::open(path)?)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_INPUT_BYTES) {
        return Ok(bytes);
    }
    Err(io::Error::other("larger than 64 MiB"))
}

/// Reads a file or a pipe as [`read_bytes`] does, as UTF-8 text without a byte order mark.
///
/// # Errors
/// As for [`read_bytes`], or the file is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    let bytes = read_bytes(path)?;
    encoding::decode(&bytes).map(str::to_owned).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_on_windows_has_slashes_in_relative_paths_and_no_prefix_of_resolved_ones() {
        for (path, shown) in [
            (r"tenants\dev.yaml", "tenants/dev.yaml"),
            (r"tenants/eu\dev.yaml", "tenants/eu/dev.yaml"),
            (r"..\dev.yaml", "../dev.yaml"),
            (r"\\?\C:\tenants\dev.yaml", r"C:\tenants\dev.yaml"),
            (r"\\?\UNC\server\share\dev.yaml", r"\\server\share\dev.yaml"),
            (r"C:\tenants/dev.yaml", r"C:\tenants/dev.yaml"),
            (r"C:tenants\dev.yaml", r"C:tenants\dev.yaml"),
            (r"\tenants\dev.yaml", r"\tenants\dev.yaml"),
            (r"\\server\share\dev.yaml", r"\\server\share\dev.yaml"),
            ("-", "-"),
        ] {
            assert_eq!(display_on_windows(path), shown, "{path}");
        }
    }

    /// `real` is what a system returns that ignores letter case.
    #[test]
    fn names_in_other_letter_case_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("eu").join("base.yaml");
        fs::create_dir(folder.path().join("eu")).unwrap();
        fs::write(&real, "").unwrap();
        let check = |path: &str| check_names(&folder.path().join("eu"), Path::new(path), &real);
        for path in ["base.yaml", "./base.yaml", "../eu/base.yaml", "../eu/../eu/base.yaml"] {
            assert!(check(path).is_ok(), "{path}");
        }
        for path in ["Base.yaml", "../EU/base.yaml", "../eu/BASE~1.YAM"] {
            assert!(check(path).is_err(), "{path}");
        }
    }
}
