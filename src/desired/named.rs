//! The files that a run is asked for: those that are named, and those of named folders.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::inside::{self, Refused};
use crate::diagnostic::{Code, Diagnostic};

/// The files of a run, each once, in order.
pub(super) struct Named {
    pub(super) entries: Vec<Entry>,
    /// Whether all could be reached, so that nothing is asked for that is not here.
    pub(super) is_whole: bool,
}

/// A file that was asked for.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) key: Key,
}

/// Which file it is, whatever its path looks like. One that is linked to from another folder is
/// another: its bases are those that stand there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) real: PathBuf,
    /// The real folder that its bases are looked for from.
    pub(super) folder: PathBuf,
}

impl Key {
    pub(super) fn new(path: &Path, real: PathBuf) -> Self {
        let folder = inside::or_here(path.parent().unwrap_or(Path::new("")));
        Self { real, folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()) }
    }
}

/// Finds the files at these paths and in these folders; what is wrong with any goes to `findings`.
pub(super) fn named(paths: &[PathBuf], findings: &mut Findings) -> Named {
    let mut named = Named { entries: Vec::new(), is_whole: true };
    let mut seen = BTreeMap::<Key, String>::new();
    for path in paths {
        let found = match inside::named(path) {
            Ok(_) if path.is_dir() => folder(path),
            Ok(real) => vec![(path.clone(), Ok(Key::new(path, real)))],
            Err(refused) => vec![(path.clone(), Err(not_read(path, &refused)))],
        };
        if found.is_empty() {
            findings.extend(&shown(path), [holds_none(path)]);
        }
        for (path, key) in found {
            let name = shown(&path);
            match key {
                Ok(key) => match seen.get(&key) {
                    Some(first) => findings.extend(&name, [given_twice(&name, first)]),
                    None => {
                        seen.insert(key.clone(), name);
                        named.entries.push(Entry { path, key });
                    }
                },
                Err(problem) => {
                    findings.extend(&name, [problem]);
                    named.is_whole = false;
                }
            }
        }
    }
    named
}

fn holds_none(folder: &Path) -> Diagnostic {
    let message = format!("no desired-state file in the folder `{}`", shown(folder));
    Diagnostic::error(Code::EmptyFolder, message)
        .hint("name a folder with `*.yaml` or `*.yml` files; subfolders are not read")
}

fn not_read(path: &Path, refused: &Refused) -> Diagnostic {
    Diagnostic::error(Code::InputNotAllowed, format!("`{}` is not read", shown(path)))
        .caused_by(refused.to_string())
        .hint("name regular files of this repository")
}

fn given_twice(name: &str, first: &str) -> Diagnostic {
    let mut problem = Diagnostic::error(Code::FileGivenTwice, format!("`{name}` is given twice"));
    if name != first {
        problem = problem.caused_by(format!("same file as `{first}`"));
    }
    problem.hint("name each file once, directly or through its folder")
}

/// Every `*.yaml` and `*.yml` directly in a folder, by name; or the folder, where it cannot be read.
fn folder(folder: &Path) -> Vec<(PathBuf, Result<Key, Diagnostic>)> {
    // A link may lead to the folder from elsewhere.
    let listed = yaml_files(folder)
        .and_then(|files| Ok((files, [inside::repository(folder)?, fs::canonicalize(folder)?])));
    let (files, allowed) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let message = format!("cannot read the folder `{}`", shown(folder));
            let problem = Diagnostic::error(Code::InputUnreadable, message);
            return vec![(folder.to_owned(), Err(problem.caused_by(error.to_string())))];
        }
    };
    let allowed = allowed.each_ref().map(PathBuf::as_path);
    let key = |path: &Path| match inside::real(path, &allowed) {
        Ok(real) => Ok(Key::new(path, real)),
        Err(refused) => Err(not_read(path, &refused)),
    };
    files.into_iter().map(|path| (path.clone(), key(&path))).collect()
}

fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_yaml = Path::new(&name).extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let is_hidden = name.to_string_lossy().starts_with('.');
        if is_yaml && !is_hidden && !folder.join(&name).is_dir() {
            names.push(name);
        }
    }
    names.sort_unstable();
    let folder = if folder == Path::new(".") { Path::new("") } else { folder };
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// The name that a file goes by.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
