//! Atomic output files: a reader sees the complete old content or the complete new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

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
#[error("cannot write `{}`: {error}", path.display())]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

impl OutputFile {
    /// Checks that a file can be written: creates a temporary file in its folder, and removes it at once,
    /// because a process that is killed later could not remove it. The file itself is not changed.
    ///
    /// # Errors
    /// The folder does not exist or cannot be written to, the disk is full, or the path is not a regular file.
    pub fn open(given: &Path) -> Result<Self, OutputError> {
        // Larger than most reports.
        let probe = [0; 64 << 10];
        let opened = resolve_links(given).and_then(|path| {
            temporary_file(&path)?.as_file().write_all(&probe)?;
            Ok(Self { path, given: given.to_owned() })
        });
        opened.map_err(|error| OutputError { path: given.to_owned(), error })
    }

    /// Returns the path that is written, with links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file by renaming a temporary one, so that no reader sees a part of it, and a full disk
    /// leaves the old file complete.
    ///
    /// # Errors
    /// Any failure to write; the old file is unchanged.
    pub fn write(&self, text: &str) -> Result<(), OutputError> {
        let Self { path, given } = self;
        let written = temporary_file(path).and_then(|mut file| {
            write_all(&mut file, text)?;
            file.persist(path).map(drop).map_err(|failed| failed.error)
        });
        written.map_err(|error| OutputError { path: given.clone(), error })
    }
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

/// Creates a temporary file in the same folder, with the permissions of the file that it will replace. A path
/// that exists and is not a regular file is an error.
fn temporary_file(path: &Path) -> io::Result<NamedTempFile> {
    // A rename would replace a device or a pipe by a regular file.
    if fs::metadata(path).is_ok_and(|old| !old.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // The file gets the permissions of any new file, reduced by the umask: with those of `tempfile_in`, only the
    // owner could read a report. The errors of `make_in` do not contain the temporary path.
    let create = |path: &Path| File::options().write(true).create_new(true).open(path);
    let file = Builder::new().make_in(folder.unwrap_or(Path::new(".")), create)?;
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    Ok(file)
}

/// Follows symbolic links: the target of a link is written, whether it exists or not, and the link stays.
fn resolve_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs::canonicalize(&path) {
            Ok(real) => return Ok(real),
            Err(_) if fs::symlink_metadata(&path).is_ok_and(|link| link.is_symlink()) => {
                let to = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(to);
            }
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Writes a file by renaming a temporary one, so that no reader sees a part of it. A symbolic link stays, and
/// its target is written.
///
/// # Errors
/// Any failure to write; the old file is unchanged.
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
        let message = format!("cannot write `{}`: ", path.display());
        let cause = error.strip_prefix(&message).unwrap();
        assert!(!cause.contains("missing"), "{cause}");
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
