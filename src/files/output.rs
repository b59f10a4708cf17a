//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A file that can be written, found out before there is anything to write.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
}

/// An output that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`: {error}", path.display())]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

impl Output {
    /// Makes sure that a file can be written, by way of a temporary one beside it, of which nothing is
    /// left: who is killed meanwhile cannot take it away. The file itself stays as it is.
    ///
    /// # Errors
    /// The folder is not there or cannot be written to, or the path is a folder.
    pub fn open(path: &Path) -> Result<Self, OutputError> {
        let opened = real(path).and_then(|path| beside(&path).map(|_| Self { path }));
        opened.map_err(|error| OutputError { path: path.to_owned(), error })
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
        let Self { path } = self;
        let written = beside(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path).map(drop).map_err(|failed| failed.error)
        });
        written.map_err(|error| OutputError { path, error })
    }
}

/// A temporary file in the same folder, as open to others as the one that it is to replace.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    // What is no file, such as a device or a pipe, must not be replaced by one.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is there, and is no regular file"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = builder().tempfile_in(folder.unwrap_or(Path::new(".")))?;
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    Ok(file)
}

/// Where a path leads. A symbolic link stays one: what it points to is written, there or not.
fn real(path: &Path) -> io::Result<PathBuf> {
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
    Err(io::Error::other("it is a link to a link, and so on"))
}

/// A temporary file is its owner's alone by default, which a report or a snapshot need not be: it is
/// as open as any new file, less what the umask takes away.
fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
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
        let circle = folder.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        assert!(write(&circle, "four").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(mode(&path), 0o600);
    }
}
