//! Atomic output files: a reader sees the complete old content or the complete new one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};

use crate::paths;

/// Output file that was found writable before there is anything to write.
#[derive(Debug)]
pub struct OutputFile {
    /// Path that is written, with links resolved.
    path: PathBuf,
    /// Path as the user gave it, for messages.
    given: PathBuf,
}

/// Output file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`: {error}", paths::display(path))]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

/// What is written to find out whether the disk is full: larger than most reports.
static PROBE: [u8; 64 << 10] = [0; 64 << 10];

/// How often a rename is retried, and the pause before. On Windows, another program such as a virus scanner may hold a
/// new file open for a moment.
const RENAME_RETRIES: u32 = if cfg!(windows) { 10 } else { 0 };
const RENAME_PAUSE: Duration = Duration::from_millis(200);

impl OutputFile {
    /// Checks that a file can be written: creates a temporary file in its folder, and removes it at once,
    /// because a process that is killed later could not remove it. The file itself is not changed.
    ///
    /// # Errors
    /// The file can neither be replaced nor overwritten, the disk is full, or the path is not a regular file.
    pub fn open(given: &Path) -> Result<Self, OutputError> {
        let opened = resolve_links(given)
            .and_then(|path| check_writable(&path).map(|()| Self { path, given: given.to_owned() }));
        opened.map_err(|error| OutputError { path: given.to_owned(), error })
    }

    /// Returns the path that is written, with links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path as the user gave it.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// Writes the file by renaming a temporary one, so that no reader sees a part of it, and a full disk
    /// leaves the old file complete. Only a file that cannot be replaced is overwritten: it is a mount point, as in
    /// a container, its folder does not allow it, or on Windows another program holds it open.
    ///
    /// # Errors
    /// Any failure to write; a file that can be replaced is unchanged.
    pub fn write(&self, text: &str) -> Result<(), OutputError> {
        let Self { path, given } = self;
        let written = replace(path, text).or_else(|error| match error {
            error if is_not_replaceable(&error) => overwrite(path, text).map_err(|_| error),
            error => Err(error),
        });
        written.map_err(|error| OutputError { path: given.clone(), error })
    }
}

/// Returns whether a file cannot be replaced, but perhaps be overwritten.
fn is_not_replaceable(error: &io::Error) -> bool {
    // Another program has the file open, and does not share its deletion.
    const ERROR_SHARING_VIOLATION: i32 = 32;
    let is_open = cfg!(windows) && error.raw_os_error() == Some(ERROR_SHARING_VIOLATION);
    let kinds = [ErrorKind::ResourceBusy, ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    is_open || kinds.contains(&error.kind())
}

/// Writes a text to the disk. The errors do not contain the temporary path, which `NamedTempFile` would add.
fn write_all(file: &mut NamedTempFile, text: &str) -> io::Result<()> {
    let mut file = file.as_file();
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Writes a text to a new file in the folder for temporary files, which only the user can read. Returns its path.
/// `name` is the beginning and the extension of its name.
///
/// # Errors
/// Any failure to write; no file is left.
pub fn write_temporary(name: (&str, &str), text: &str) -> io::Result<PathBuf> {
    let (prefix, suffix) = name;
    let mut file = Builder::new().prefix(prefix).suffix(suffix).tempfile()?;
    write_all(&mut file, text)?;
    Ok(file.keep().map_err(|failed| failed.error)?.1)
}

/// Checks that a file can be overwritten, or created, or at least replaced, and that the disk has space for most
/// reports.
fn check_writable(path: &Path) -> io::Result<()> {
    check_regular(path)?;
    let temporary = temporary_file(path);
    if let Ok(file) = &temporary {
        file.as_file().write_all(&PROBE)?;
    }
    match File::options().write(true).open(path) {
        // On Windows, `nul.json` can be a device.
        Ok(file) if !file.metadata().is_ok_and(|it| it.is_file()) => Err(not_regular()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => temporary.and_then(|_| check_new_name(path)),
        Err(error) => {
            let is_replaceable = temporary.and_then(|temporary| can_replace(path, &error, &temporary));
            if is_replaceable.unwrap_or(false) { Ok(()) } else { Err(error) }
        }
    }
}

/// Checks that a path is of a regular file or of none. A rename would replace a device or a pipe by a regular file.
fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => Err(not_regular()),
        _ => Ok(()),
    }
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "not a regular file")
}

/// Checks the name of a new file. Windows reserves names such as `aux.md`, but would create them in a resolved folder,
/// and most programs could neither open nor delete them.
fn check_new_name(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if cfg!(windows) && !paths::is_portable(&name) {
        return Err(io::Error::new(ErrorKind::InvalidFilename, "Windows does not allow the name"));
    }
    Ok(())
}

/// Returns whether a file that cannot be opened for writing, because of `error`, can be replaced by a temporary one:
/// only its permissions are the reason, it is not mounted, and its folder is not sticky and of other owners.
#[cfg(unix)]
fn can_replace(path: &Path, error: &io::Error, temporary: &NamedTempFile) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    // An immutable file is EPERM, which has the same kind.
    const EACCES: i32 = 13;
    const STICKY: u32 = 0o1000;
    let user = temporary.as_file().metadata()?.uid();
    let (folder, file) = (fs::metadata(folder_of(path))?, fs::metadata(path)?);
    let is_sticky = folder.mode() & STICKY != 0 && folder.uid() != user && file.uid() != user;
    Ok(error.raw_os_error() == Some(EACCES) && !is_sticky && !is_mounted(path))
}

/// Windows replaces no file that it does not open for writing.
#[cfg(not(unix))]
fn can_replace(_: &Path, _: &io::Error, _: &NamedTempFile) -> io::Result<bool> {
    Ok(false)
}

/// Returns whether a resolved path is a mount point of Linux, which a rename cannot replace.
/// <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html> has the format.
#[cfg(unix)]
fn is_mounted(path: &Path) -> bool {
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else { return false };
    let escapes = [('\\', "\\134"), (' ', "\\040"), ('\t', "\\011"), ('\n', "\\012")];
    let plain = path.to_string_lossy().into_owned();
    let name = escapes.iter().fold(plain, |name, (char, escape)| name.replace(*char, escape));
    String::from_utf8_lossy(&mounts).lines().any(|mount| mount.split(' ').nth(4) == Some(&name))
}

/// Replaces a file by a temporary one with the text.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    check_regular(path)?;
    let mut file = temporary_file(path)?;
    write_all(&mut file, text)?;
    rename(file, path)
}

/// Renames a temporary file, with the function of `std`, because that of `tempfile` has no long paths on Windows.
fn rename(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let mut temporary = file.into_temp_path();
    let rename = || fs::rename(&temporary, path);
    (0..RENAME_RETRIES).fold(rename(), |renamed, _| match renamed {
        Err(error) if is_not_replaceable(&error) => {
            sleep(RENAME_PAUSE);
            rename()
        }
        renamed => renamed,
    })?;
    temporary.disable_cleanup(true);
    Ok(())
}

/// Overwrites an existing file.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    check_regular(path)?;
    let mut file = File::options().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    // Afterwards, so that a shorter text needs no space of a full disk.
    file.set_len(u64::try_from(text.len()).map_err(io::Error::other)?)?;
    file.sync_all()
}

/// Creates a temporary file in the same folder, with the permissions of the file that it will replace.
fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    // The file gets the permissions of any new file, reduced by the umask: with those of `tempfile_in`, only the
    // owner could read a report. The errors of `make_in` do not contain the temporary path.
    let create = |path: &Path| File::options().write(true).create_new(true).open(path);
    let file = Builder::new().make_in(folder_of(path), create)?;
    // On Windows, they are only whether the file is read-only, and then it is not replaced.
    if cfg!(unix)
        && let Ok(old) = fs::metadata(path)
    {
        file.as_file().set_permissions(old.permissions())?;
    }
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Follows symbolic links: the target of a link is written, whether it exists or not, and the link stays. The folder of a
/// new file is also resolved.
///
/// # Errors
/// A link cannot be read, or the links form a cycle.
pub fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs::canonicalize(&path) {
            Ok(real) => return Ok(real),
            Err(_) if fs::symlink_metadata(&path).is_ok_and(|link| link.is_symlink()) => {
                let to = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(to);
            }
            // A new file: its folder exists, unless the path cannot be written.
            Err(_) => {
                let folder = fs::canonicalize(folder_of(&path));
                let real = folder.ok().zip(path.file_name()).map(|(folder, name)| folder.join(name));
                return Ok(real.unwrap_or(path));
            }
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Writes a file as [`OutputFile::write`] does. A symbolic link stays, and its target is written.
///
/// # Errors
/// As for [`OutputFile::open`] and [`OutputFile::write`].
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    OutputFile::open(path).and_then(|output| output.write(text)).map_err(|failed| failed.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_to_an_existing_file_replaces_it_and_leaves_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        for text in ["one", "two, longer", ""] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        drop(OutputFile::open(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn open_of_a_path_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(OutputFile::open(&folder.path().join("no/such/folder")).is_err());
        assert!(OutputFile::open(folder.path()).is_err());
    }

    #[test]
    fn open_in_a_missing_folder_reports_the_given_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("plan.json");
        let error = OutputFile::open(&path).unwrap_err().to_string();
        let message = format!("cannot write `{}`: ", paths::display(&path));
        let cause = error.strip_prefix(&message).unwrap();
        assert!(!cause.contains("missing"), "{cause}");
    }

    #[cfg(windows)]
    #[test]
    fn open_of_a_name_that_cannot_be_is_an_error_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["p?.json", "new.json:stream.json", "aux.md", "nul", "report.json."] {
            assert!(OutputFile::open(&folder.path().join(name)).is_err(), "{name}");
        }
        assert!(OutputFile::open(Path::new("nul")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(windows)]
    #[test]
    fn write_to_a_long_path_creates_and_replaces_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a".repeat(150)).join("b".repeat(150)).join("plan.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for text in ["one", "two"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[cfg(windows)]
    #[test]
    fn write_to_a_file_that_is_open_elsewhere_overwrites_it_or_waits() {
        use std::os::windows::fs::OpenOptionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write(&path, "one, longer").unwrap();
        let open_with = |share_mode| File::options().read(true).share_mode(share_mode).open(&path).unwrap();
        const FILE_SHARE_READ: u32 = 1;
        const FILE_SHARE_WRITE: u32 = 2;
        let other = open_with(FILE_SHARE_READ | FILE_SHARE_WRITE);
        write(&path, "two").unwrap();
        drop(other);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let output = OutputFile::open(&path).unwrap();
        let other = open_with(FILE_SHARE_READ);
        let closes = std::thread::spawn(move || {
            sleep(RENAME_PAUSE);
            drop(other);
        });
        output.write("three").unwrap();
        closes.join().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
    }

    #[cfg(unix)]
    #[test]
    fn write_through_a_link_keeps_link_and_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real"), folder.path().join("link"));
        let any = folder.path().join("any");
        fs::write(&any, "one").unwrap();
        write(&path, "one").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), mode(&any));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, "two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let (to_nothing, chain) = (folder.path().join("to-nothing"), folder.path().join("chain"));
        std::os::unix::fs::symlink("nothing", &to_nothing).unwrap();
        std::os::unix::fs::symlink(&to_nothing, &chain).unwrap();
        write(&chain, "three").unwrap();
        assert!(fs::symlink_metadata(&to_nothing).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(folder.path().join("nothing")).unwrap(), "three");
        let cycle = folder.path().join("cycle");
        std::os::unix::fs::symlink(&cycle, &cycle).unwrap();
        assert!(write(&cycle, "four").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(mode(&path), 0o600);
    }
}
