//! The files of a run: those that are named, those of named folders, and the bases that they
//! extend. Each is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::compose::{merge, order};
use super::findings::Findings;
use super::inside::{self, Refused};
use super::schema::File;
use super::walk::{Spanned, Walker, cut, duplicate, missing};
use super::{read, source};
use crate::diagnostic::{Diagnostic, Source};

/// How many files may extend one another in a row.
const MAX_DEPTH: usize = 32;

/// A file of a run that is about a tenant, with all that it extends.
pub(super) struct Composed {
    pub(super) name: String,
    pub(super) file: Arc<File>,
}

/// Reads the files at these paths and in these folders, and what they extend. Gives those that are
/// about a tenant, in order; what is wrong with any of them goes to `findings`.
pub(super) fn load(paths: &[PathBuf], findings: &mut Findings) -> Vec<Composed> {
    let mut loader = Loader {
        findings,
        parsed: BTreeMap::new(),
        done: BTreeMap::new(),
        numbers: BTreeMap::new(),
        parts: Vec::new(),
        extended: BTreeSet::new(),
        chain: Vec::new(),
        all_extends_known: true,
    };
    let entries = loader.entries(paths);
    loader.parsed = parse_all(&entries);
    for Entry { path, .. } in &entries {
        loader.findings.rank(&shown(path));
    }
    let files: Vec<_> = entries.iter().map(|entry| loader.file(&entry.path, &entry.key)).collect();
    let mut composed = Vec::new();
    for (Entry { path, key }, file) in entries.iter().zip(files) {
        let Some(file) = file else { continue };
        let name = shown(path);
        let is_base = loader.extended.contains(&key.real) || !loader.all_extends_known;
        match nobody_extends(&file) {
            Some(_) if is_base => {}
            problem => {
                loader.findings.extend(&name, problem);
                composed.push(Composed { name, file });
            }
        }
    }
    composed
}

/// What is wrong with a file that no other extends: it has to be about a tenant.
pub(super) fn nobody_extends(file: &File) -> Option<Diagnostic> {
    let is_given = file.tenant.is_some() || file.unclear.contains("tenant");
    (!is_given).then(|| {
        missing("tenant", &file.place, "contoso.onmicrosoft.com")
            .hint("or, where it is a base, give a file with a `tenant` that `extends` it as well")
    })
}

/// What one file says, without what it extends, and what is wrong with it.
type Parsed = (Option<File>, Vec<Diagnostic>);

/// Reads the named files side by side: of a fleet that is most of the work, and none needs another.
fn parse_all(entries: &[Entry]) -> BTreeMap<Key, (PathBuf, Parsed)> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = entries.len().div_ceil(threads).max(1);
    let parse = |entries: &[Entry]| {
        let parsed = entries.iter().map(|Entry { path, key }| {
            let parsed = read_and_parse(path, &key.real);
            (key.clone(), (path.clone(), parsed))
        });
        parsed.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let mut shares = entries.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|share| scope.spawn(move || parse(share))).collect();
        let others = others.into_iter().filter_map(|other| other.join().ok());
        parse(first).into_iter().chain(others.flatten()).collect()
    })
}

fn read_and_parse(path: &Path, real: &Path) -> Parsed {
    match source::read(&shown(path), real) {
        Ok(source) => parse(&source),
        Err(problem) => (None, vec![problem]),
    }
}

/// Reads the keys of one file. `None` where it has none.
pub(super) fn parse(source: &Arc<Source>) -> Parsed {
    let root = match source::parse(source) {
        Ok(root) => root,
        Err(problem) => return (None, vec![problem]),
    };
    let mut walker = Walker::new(source);
    let file = read::file(&mut walker, &root);
    (file, walker.finish())
}

/// A file that was asked for.
struct Entry {
    path: PathBuf,
    key: Key,
}

/// Which file it is, whatever its path looks like. One that is linked to from another folder is
/// another: its bases are those that stand there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    real: PathBuf,
    /// The real folder that its bases are looked for from.
    folder: PathBuf,
}

impl Key {
    fn new(path: &Path, real: PathBuf) -> Self {
        let folder = inside::or_here(path.parent().unwrap_or(Path::new("")));
        Self { real, folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()) }
    }
}

/// A file as it stands, with all that it extends.
#[derive(Clone)]
struct Whole {
    file: Arc<File>,
    /// The numbers of the files that are in it, in the order in which they are merged; its own is last.
    order: Arc<[usize]>,
}

/// A file as it stands, and how many extend one another in a row from it on.
type Done = (Option<Whole>, usize);

/// What one file says by itself.
struct Part {
    name: String,
    file: Arc<File>,
}

struct Loader<'f> {
    findings: &'f mut Findings,
    /// What the named files say, and by which path they were named, until their turn comes.
    parsed: BTreeMap<Key, (PathBuf, Parsed)>,
    /// `None` where something is missing of it.
    done: BTreeMap<Key, Done>,
    /// The number of each file, by real path and, where it extends others, folder.
    numbers: BTreeMap<(PathBuf, Option<PathBuf>), usize>,
    /// The files, by their numbers.
    parts: Vec<Part>,
    /// The real paths of the files that others extend.
    extended: BTreeSet<PathBuf>,
    /// The files that are being read, each extending the next, with their names.
    chain: Vec<(Key, String)>,
    /// Whether each file could be read as far as what it extends.
    all_extends_known: bool,
}

impl Loader<'_> {
    fn entries(&mut self, paths: &[PathBuf]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut seen = BTreeMap::new();
        for path in paths {
            let found = match inside::named(path) {
                Ok(_) if path.is_dir() => self.folder(path),
                Ok(real) => vec![Entry { path: path.clone(), key: Key::new(path, real) }],
                Err(refused) => {
                    self.refuse(path, &refused);
                    Vec::new()
                }
            };
            for entry in found {
                let name = shown(&entry.path);
                let Some(first) = seen.get(&entry.key) else {
                    seen.insert(entry.key.clone(), name);
                    entries.push(entry);
                    continue;
                };
                let mut problem = Diagnostic::error(format!("`{name}` is given twice"));
                if name != *first {
                    problem = problem.caused_by(format!("it is the same file as `{first}`"));
                }
                let problem = problem.hint("give each file once, by itself or by its folder");
                self.findings.extend(&name, [problem]);
            }
        }
        entries
    }

    /// Every `*.yaml` and `*.yml` directly in a folder, by name.
    fn folder(&mut self, folder: &Path) -> Vec<Entry> {
        let name = shown(folder);
        let listed = yaml_files(folder).and_then(|files| Ok((files, inside_of(folder)?)));
        let (files, allowed) = match listed {
            Ok(listed) => listed,
            Err(error) => {
                let problem = Diagnostic::error(format!("cannot read the folder `{name}`"));
                self.findings.extend(&name, [problem.caused_by(error.to_string())]);
                return Vec::new();
            }
        };
        if files.is_empty() {
            let problem = Diagnostic::error(format!("the folder `{name}` holds no desired-state file"));
            let problem =
                problem.hint("every `*.yaml` and `*.yml` directly in a folder is read, and nothing below it");
            self.findings.extend(&name, [problem]);
        }
        let allowed = [allowed.0.as_path(), allowed.1.as_path()];
        let mut entries = Vec::new();
        for path in files {
            match inside::real(&path, &allowed) {
                Ok(real) => entries.push(Entry { key: Key::new(&path, real), path }),
                Err(refused) => self.refuse(&path, &refused),
            }
        }
        entries
    }

    fn refuse(&mut self, path: &Path, refused: &Refused) {
        let problem = Diagnostic::error(format!("`{}` is not read", shown(path)));
        let problem = problem.caused_by(refused.to_string());
        self.findings.extend(&shown(path), [problem.hint("give regular files of this repository")]);
        self.all_extends_known = false;
    }

    /// Reads a file with all that it extends. `None` where any of it is not to be had.
    fn file(&mut self, path: &Path, key: &Key) -> Option<Arc<File>> {
        self.file_and_depth(path, key).0.map(|whole| whole.file)
    }

    fn file_and_depth(&mut self, path: &Path, key: &Key) -> Done {
        if let Some(done) = self.done.get(key) {
            return done.clone();
        }
        let mut depth = 1;
        let (path, (file, problems)) =
            self.parsed.remove(key).unwrap_or_else(|| (path.to_owned(), read_and_parse(path, &key.real)));
        let name = shown(&path);
        self.findings.rank(&name);
        self.findings.extend(&name, problems);
        let composed = match file {
            Some(file) => {
                self.all_extends_known &= !file.unclear.contains("extends");
                self.chain.push((key.clone(), name));
                let composed = self.composed(&path, file, key, &mut depth);
                self.chain.pop();
                composed
            }
            None => {
                self.all_extends_known = false;
                None
            }
        };
        let done = (composed, depth);
        self.done.insert(key.clone(), done.clone());
        done
    }

    fn composed(&mut self, path: &Path, file: File, key: &Key, depth: &mut usize) -> Option<Whole> {
        // All bases are looked at, for all that is wrong with them.
        let bases: Vec<_> = file.extends.iter().map(|base| self.base(path, base, depth)).collect();
        let bases = bases.into_iter().collect::<Option<Vec<_>>>()?;
        if file.unclear.contains("extends") {
            return None;
        }
        let order = match self.order(&file.extends, &bases) {
            Ok(order) => order,
            Err(problems) => {
                self.findings.extend(&shown(path), problems);
                return None;
            }
        };
        let file = Arc::new(file);
        let which = (key.real.clone(), (!bases.is_empty()).then(|| key.folder.clone()));
        let number = *self.numbers.entry(which).or_insert(self.parts.len());
        if number == self.parts.len() {
            self.parts.push(Part { name: shown(path), file: Arc::clone(&file) });
        }
        let whole = order.iter().copied().chain([number]).collect();
        let Some(first) = bases.first() else { return Some(Whole { file, order: whole }) };
        // What a base was made of is merged, as far as that is what comes first here as well.
        let (below, rest) = match order.strip_prefix(&*first.order) {
            Some(rest) => (Some(File::clone(&first.file)), rest),
            None => (None, &*order),
        };
        let rest = rest.iter().filter_map(|number| Some(File::clone(&self.parts.get(*number)?.file)));
        let below = below.into_iter().chain(rest).reduce(merge)?;
        Some(Whole { file: Arc::new(merge(below, File::clone(&file))), order: whole })
    }

    /// The numbers of the files that a file builds on, in the order in which they are merged.
    fn order(&self, extends: &[Spanned<String>], bases: &[Whole]) -> Result<Vec<usize>, Vec<Diagnostic>> {
        let mut firsts = BTreeMap::new();
        let mut problems = Vec::new();
        for (written, base) in extends.iter().zip(bases) {
            let first = *firsts.entry(base.order.last()).or_insert(written);
            if first.span != written.span {
                problems.push(duplicate(&written.value, &written.span, &first.span));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let bases: Vec<_> = bases.iter().map(|base| &*base.order).collect();
        order(&bases).map_err(|circle| {
            let around = circle.iter().chain(circle.first()).filter_map(|number| self.parts.get(*number));
            let around: Vec<_> = around.map(|part| format!("`{}`", part.name)).collect();
            let what = format!("bases override one another in a circle: {}", around.join(" → "));
            let problem = Diagnostic::error(what).hint(
                "list a base before the files that extend it, and the same files in the same order everywhere",
            );
            extends.last().map(|last| problem.at(&last.span)).into_iter().collect()
        })
    }

    /// A base, by the path that the file at `from` gives.
    fn base(&mut self, from: &Path, written: &Spanned<String>, depth: &mut usize) -> Option<Whole> {
        let folder = from.parent().unwrap_or(Path::new(""));
        let path = inside::tidy(&folder.join(&written.value));
        let name = shown(&path);
        let base = self.base_at(&path, folder, written).and_then(|key| {
            let (file, below) = self.file_and_depth(&path, &key);
            *depth = below.saturating_add(1).max(*depth);
            if *depth > MAX_DEPTH { Err(too_deep()) } else { Ok(file) }
        });
        match base {
            Ok(file) => file,
            Err(problem) => {
                let of = self.chain.last().map(|(_, name)| name.clone()).unwrap_or(name);
                self.findings.extend(&of, [problem.at(&written.span)]);
                None
            }
        }
    }

    /// Which file a base is, where it may be read.
    fn base_at(&mut self, path: &Path, folder: &Path, written: &Spanned<String>) -> Result<Key, Diagnostic> {
        let written = &written.value;
        let real = if Path::new(written).is_absolute() {
            Err(Refused::Absolute)
        } else {
            inside::repository(folder)
                .map_err(Refused::from)
                .and_then(|inside| inside::real(path, &[&inside]))
        };
        let real = real.map_err(|refused| match refused {
            Refused::Unreachable(_) => {
                Diagnostic::error(format!("cannot read the base `{}`", cut(&shown(path))))
                    .caused_by(refused.to_string())
                    .hint("give its path relative to this file")
            }
            Refused::Absolute | Refused::Outside(_) | Refused::Git | Refused::Special => Diagnostic::error(
                format!("`{}` cannot be a base", cut(written)),
            )
            .caused_by(refused.to_string())
            .hint(
                "give the path, relative to this file, of a regular file in the same repository (the nearest \
                     folder upward with `.git`, else the working directory)",
            ),
        })?;
        self.extended.insert(real.clone());
        let key = Key::new(path, real);
        if let Some(start) = self.chain.iter().position(|(above, _)| *above == key) {
            let around = self.chain.iter().skip(start).chain(self.chain.get(start));
            let around: Vec<_> = around.map(|(_, name)| format!("`{name}`")).collect();
            return Err(Diagnostic::error(format!(
                "files extend one another in a circle: {}",
                around.join(" → ")
            ))
            .hint("take one of the `extends` out"));
        }
        if self.chain.len() >= MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(key)
    }
}

fn too_deep() -> Diagnostic {
    Diagnostic::error(format!("more than {MAX_DEPTH} files extend one another in a row"))
        .hint("let fewer files build on one another")
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

/// Where the files of a folder may lie: in its repository, or in itself.
fn inside_of(folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    Ok((inside::repository(folder)?, fs::canonicalize(folder)?))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
