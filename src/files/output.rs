//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that can be written, found out before there is anything to write.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    file: NamedTempFile,
}

/// An output that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`: {error}", path.display())]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

impl Output {
    /// Makes sure that a file can be written, by way of a temporary one beside it. The file itself
    /// stays as it is.
    ///
    /// # Errors
    /// The folder is not there or cannot be written to, or the path is a folder.
    pub fn open(path: &Path) -> Result<Self, OutputError> {
        Self::beside(path).map_err(|error| OutputError { path: path.to_owned(), error })
    }

    fn beside(path: &Path) -> io::Result<Self> {
        let path = real(path)?;
        // What is no file, such as a device or a pipe, must not be replaced by one.
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is there, and is no regular file"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        let permissions = match fs::metadata(&path) {
            Ok(old) => old.permissions(),
            Err(_) => default_permissions(&file)?,
        };
        file.as_file().set_permissions(permissions)?;
        Ok(Self { path, file })
    }

    /// Where it will be written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file. Nobody ever reads half of it, and a full disk leaves the old one whole.
    ///
    /// # Errors
    /// Any failure to write; the old file is as it was.
    pub fn write(self, text: &str) -> Result<(), OutputError> {
        let Self { path, mut file } = self;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all());
        let written = written.and_then(|()| file.persist(&path).map(drop).map_err(|failed| failed.error));
        written.map_err(|error| OutputError { path, error })
    }
}

/// Where a path leads. A symbolic link stays one: what it points to is written, there or not.
fn real(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(_) if fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink()) => {
            let to = fs::read_link(path)?;
            Ok(path.parent().unwrap_or(Path::new("")).join(to))
        }
        Err(_) => Ok(path.to_owned()),
    }
}

/// A temporary file is its owner's alone, which a report or a snapshot need not be.
#[cfg(unix)]
fn default_permissions(_: &NamedTempFile) -> io::Result<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn default_permissions(file: &NamedTempFile) -> io::Result<fs::Permissions> {
    Ok(file.as_file().metadata()?.permissions())
}

/// Writes a file whole or not at all.
///
/// # Errors
/// Any failure to write; the old file is as it was.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    Output::open(path).and_then(|output| output.write(text)).map_err(|failed| failed.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        for text in ["one", "two, longer", ""] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        drop(Output::open(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_found_out_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Output::open(&folder.path().join("no/such/folder")).is_err());
        assert!(Output::open(folder.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_permissions_stay_what_they_were() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real"), folder.path().join("link"));
        write(&path, "one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, "two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
