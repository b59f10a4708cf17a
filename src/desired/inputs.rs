//! Expands the paths of the command line to desired-state files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use crate::diagnostic::{Code, Diagnostic, STDIN};
use crate::paths::{self, PathError};

/// Desired-state files of a run, each once, in order.
pub(super) struct InputFiles {
    pub(super) files: Vec<InputFile>,
    /// Whether all paths could be expanded. If not, a file that seems to be unused may have a user.
    pub(super) is_complete: bool,
}

/// File named on the command line, directly or through its folder.
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    pub(super) key: FileKey,
    /// Content, if it was read already.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Identity of a file, independent of the spelling of its path. A file that is linked into two folders counts
/// as two files, because the paths in `extends` are relative to the link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileKey {
    /// Resolved path; `-` for stdin.
    pub(super) real: PathBuf,
    /// Resolved folder to which the paths in `extends` are relative.
    pub(super) folder: PathBuf,
}

impl FileKey {
    pub(super) fn new(path: &Path, real: PathBuf) -> Self {
        let folder = paths::or_current_dir(path.parent().unwrap_or(Path::new("")));
        Self { real, folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()) }
    }
}

/// Expands paths of files and folders to files, each once. Paths that are not allowed, empty folders and
/// files that are given twice go to `findings`.
pub(super) fn expand_paths(paths: &[PathBuf], findings: &mut Findings) -> InputFiles {
    let mut inputs = InputFiles { files: Vec::new(), is_complete: true };
    let mut seen = BTreeMap::<FileKey, String>::new();
    for path in paths {
        let found = match paths::resolve_input(path) {
            _ if paths::is_stdin(path) => vec![stdin()],
            Ok(_) if path.is_dir() => expand_folder(path),
            resolved => vec![(path.clone(), input_key(path, resolved))],
        };
        if found.is_empty() {
            let message = format!("no desired-state file in the folder `{}`", paths::display(path));
            let hint = "name a folder with `*.yaml` or `*.yml` files; subfolders are not read";
            let problem = Diagnostic::error(Code::EmptyFolder, message).hint(hint);
            findings.extend(&paths::display(path), [problem]);
        }
        for (path, key) in found {
            let name = paths::display(&path);
            match key {
                Ok(key) => match seen.get(&key) {
                    Some(first) => findings.extend(&name, [file_given_twice(&name, first)]),
                    None => {
                        seen.insert(key.clone(), name);
                        inputs.files.push(InputFile { path, key, bytes: None });
                    }
                },
                Err(problem) => {
                    findings.extend(&name, [problem]);
                    inputs.is_complete = false;
                }
            }
        }
    }
    inputs
}

/// Returns stdin under its name, with its identity. Its bases are relative to the working directory.
fn stdin() -> (PathBuf, Result<FileKey, Diagnostic>) {
    let path = PathBuf::from(STDIN);
    let key = FileKey::new(&path, PathBuf::from("-"));
    (path, Ok(key))
}

/// Returns the identity of the file at a path, with its resolved path; an error if the path is not allowed.
fn input_key(path: &Path, resolved: Result<PathBuf, PathError>) -> Result<FileKey, Diagnostic> {
    let name = paths::display(path);
    resolved.map(|real| FileKey::new(path, real)).map_err(|error| {
        let (code, message, hint) = match error {
            PathError::Unreachable(_) => (
                Code::InputUnreadable,
                format!("cannot read `{name}`"),
                "name a desired-state file that can be read",
            ),
            _ => (
                Code::InputNotAllowed,
                format!("`{name}` is not allowed as an input"),
                "name regular files of this repository",
            ),
        };
        Diagnostic::error(code, message).caused_by(error.to_string()).hint(hint)
    })
}

fn file_given_twice(name: &str, first: &str) -> Diagnostic {
    let problem =
        Diagnostic::error(Code::FileGivenTwice, format!("`{name}` is given twice on the command line"))
            .hint("name each file once, directly or through its folder");
    if name == first { problem } else { problem.caused_by(format!("same file as `{first}`")) }
}

/// Returns every `*.yaml` and `*.yml` file directly in a folder that is not hidden, by name, each with its identity or
/// why it is not allowed. The letter case of the extension does not matter. If the folder cannot be read, returns only
/// the folder with an error.
fn expand_folder(folder: &Path) -> Vec<(PathBuf, Result<FileKey, Diagnostic>)> {
    // The folder itself may be reached through a link from elsewhere.
    let listed = yaml_files(folder)
        .and_then(|files| Ok((files, [paths::allowed_root(folder)?, fs::canonicalize(folder)?])));
    let (files, allowed) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let message = format!("cannot read the folder `{}`", paths::display(folder));
            let problem = Diagnostic::error(Code::InputUnreadable, message).caused_by(error.to_string());
            return vec![(folder.to_owned(), Err(problem.hint("name a folder that can be read")))];
        }
    };
    let allowed = allowed.each_ref().map(PathBuf::as_path);
    let key = |path: &Path| input_key(path, paths::resolve_file(path, &allowed));
    files.into_iter().map(|path| (path.clone(), key(&path))).collect()
}

fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        // `PROD.YAML` is a common name on Windows.
        let is_yaml = Path::new(&name)
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("yaml") || it.eq_ignore_ascii_case("yml"));
        let is_hidden = name.to_string_lossy().starts_with('.');
        if is_yaml && !is_hidden && !folder.join(&name).is_dir() {
            names.push(name);
        }
    }
    names.sort_unstable();
    let folder = if folder == Path::new(".") { Path::new("") } else { folder };
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
