//! The files of a run, and the bases that they extend. Each is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::compose::{merge, merge_order};
use super::decoder::{Decoder, Spanned, duplicate, missing, truncate};
use super::findings::Findings;
use super::inputs::{FileKey, InputFile, InputFiles, expand_paths, path_name};
use super::paths::{self, PathError};
use super::schema::File;
use super::{keys, source};
use crate::diagnostic::{Code, Diagnostic, Source};

/// How many files may extend one another in a row.
const MAX_DEPTH: usize = 32;

/// A file of a run that is about a tenant, with all that it extends.
pub(super) struct TenantFile {
    pub(super) name: String,
    pub(super) file: Arc<File>,
}

/// Reads the files at these paths and in these folders, and what they extend. Gives those that are
/// about a tenant, in order; what is wrong with any of them goes to `findings`.
pub(super) fn load(paths: &[PathBuf], findings: &mut Findings) -> Vec<TenantFile> {
    let InputFiles { entries, is_complete } = expand_paths(paths, findings);
    let mut loader = Loader {
        findings,
        parsed: parse_all(&entries),
        done: BTreeMap::new(),
        numbers: BTreeMap::new(),
        parts: Vec::new(),
        extended: BTreeSet::new(),
        chain: Vec::new(),
        all_extends_known: is_complete,
    };
    for InputFile { path, .. } in &entries {
        loader.findings.rank(&path_name(path));
    }
    let files: Vec<_> = entries.iter().map(|entry| loader.file(&entry.path, &entry.key)).collect();
    let mut composed = Vec::new();
    for (InputFile { path, key }, file) in entries.iter().zip(files) {
        let Some(file) = file else { continue };
        let name = path_name(path);
        let is_base = loader.extended.contains(&key.real) || !loader.all_extends_known;
        match require_tenant(&file) {
            Some(_) if is_base => {}
            problem => {
                loader.findings.extend(&name, problem);
                composed.push(TenantFile { name, file });
            }
        }
    }
    composed
}

/// What is wrong with a file that no other extends: it has to be about a tenant.
pub(super) fn require_tenant(file: &File) -> Option<Diagnostic> {
    let is_given = file.tenant.is_some() || file.invalid_keys.contains("tenant");
    (!is_given).then(|| {
        missing("tenant", &file.span, "contoso.onmicrosoft.com")
            .hint("or, if it is a base, also name a file with a `tenant` that extends it")
    })
}

/// What one file says, without what it extends, and what is wrong with it.
type ParseResult = (Option<File>, Vec<Diagnostic>);

/// Reads the named files side by side: of a fleet that is most of the work, and none needs another.
fn parse_all(entries: &[InputFile]) -> BTreeMap<FileKey, (PathBuf, ParseResult)> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = entries.len().div_ceil(threads).max(1);
    let parse = |entries: &[InputFile]| {
        let parsed = entries.iter().map(|InputFile { path, key }| {
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

fn read_and_parse(path: &Path, real: &Path) -> ParseResult {
    match source::read(&path_name(path), real) {
        Ok(source) => parse(&source),
        Err(problem) => (None, vec![problem]),
    }
}

/// Reads the keys of one file. `None` where it has none.
pub(super) fn parse(source: &Arc<Source>) -> ParseResult {
    let root = match source::parse(source) {
        Ok(root) => root,
        Err(problem) => return (None, vec![problem]),
    };
    let mut decoder = Decoder::new(source);
    let file = keys::decode_file(&mut decoder, &root);
    (file, decoder.finish())
}

/// A file as it stands, with all that it extends.
#[derive(Clone)]
struct ComposedFile {
    file: Arc<File>,
    /// The numbers of the files that are in it, in the order in which they are merged; its own is last.
    order: Arc<[usize]>,
}

/// A file as it stands, and how many extend one another in a row from it on.
type ComposeResult = (Option<ComposedFile>, usize);

/// What one file says by itself.
struct ParsedFile {
    name: String,
    file: Arc<File>,
}

struct Loader<'f> {
    findings: &'f mut Findings,
    /// What the named files say, and by which path they were named, until their turn comes.
    parsed: BTreeMap<FileKey, (PathBuf, ParseResult)>,
    /// `None` where something is missing of it.
    done: BTreeMap<FileKey, ComposeResult>,
    /// The number of each file, by real path and, where it extends others, folder.
    numbers: BTreeMap<(PathBuf, Option<PathBuf>), usize>,
    /// The files, by their numbers.
    parts: Vec<ParsedFile>,
    /// The real paths of the files that others extend.
    extended: BTreeSet<PathBuf>,
    /// The files that are being read, each extending the next, with their names.
    chain: Vec<(FileKey, String)>,
    /// Whether each file could be read as far as what it extends.
    all_extends_known: bool,
}

impl Loader<'_> {
    /// Reads a file with all that it extends. `None` where any of it is not to be had.
    fn file(&mut self, path: &Path, key: &FileKey) -> Option<Arc<File>> {
        self.file_and_depth(path, key).0.map(|whole| whole.file)
    }

    fn file_and_depth(&mut self, path: &Path, key: &FileKey) -> ComposeResult {
        if let Some(done) = self.done.get(key) {
            return done.clone();
        }
        let mut depth = 1;
        let (path, (file, problems)) =
            self.parsed.remove(key).unwrap_or_else(|| (path.to_owned(), read_and_parse(path, &key.real)));
        let name = path_name(&path);
        self.findings.rank(&name);
        self.findings.extend(&name, problems);
        let composed = match file {
            Some(file) => {
                self.all_extends_known &= !file.invalid_keys.contains("extends");
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

    fn composed(
        &mut self,
        path: &Path,
        file: File,
        key: &FileKey,
        depth: &mut usize,
    ) -> Option<ComposedFile> {
        // All bases are looked at, for all that is wrong with them.
        let bases: Vec<_> = file.extends.iter().map(|base| self.base(path, base, depth)).collect();
        let bases = bases.into_iter().collect::<Option<Vec<_>>>()?;
        if file.invalid_keys.contains("extends") {
            return None;
        }
        let order = match self.merge_order(&file.extends, &bases) {
            Ok(order) => order,
            Err(problems) => {
                self.findings.extend(&path_name(path), problems);
                return None;
            }
        };
        let file = Arc::new(file);
        let which = (key.real.clone(), (!bases.is_empty()).then(|| key.folder.clone()));
        let number = *self.numbers.entry(which).or_insert(self.parts.len());
        if number == self.parts.len() {
            self.parts.push(ParsedFile { name: path_name(path), file: Arc::clone(&file) });
        }
        let whole = order.iter().copied().chain([number]).collect();
        let Some(first) = bases.first() else { return Some(ComposedFile { file, order: whole }) };
        // What a base was made of is merged, as far as that is what comes first here as well.
        let (below, rest) = match order.strip_prefix(&*first.order) {
            Some(rest) => (Some(File::clone(&first.file)), rest),
            None => (None, &*order),
        };
        let rest = rest.iter().filter_map(|number| Some(File::clone(&self.parts.get(*number)?.file)));
        let below = below.into_iter().chain(rest).reduce(merge)?;
        Some(ComposedFile { file: Arc::new(merge(below, File::clone(&file))), order: whole })
    }

    /// The numbers of the files that a file builds on, in the order in which they are merged.
    fn merge_order(
        &self,
        extends: &[Spanned<String>],
        bases: &[ComposedFile],
    ) -> Result<Vec<usize>, Vec<Diagnostic>> {
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
        merge_order(&bases).map_err(|cycle| {
            let problem = self.contradiction(&cycle);
            extends.last().map(|last| problem.at(&last.span)).into_iter().collect()
        })
    }

    /// What is wrong with files of which each would have to go over the next, and the last over the first.
    fn contradiction(&self, cycle: &[usize]) -> Diagnostic {
        let name = |number: &usize| self.parts.get(*number).map_or("", |part| part.name.as_str());
        let below = cycle.iter().skip(1).chain(cycle.first());
        let over = |(upper, lower)| format!("`{}` over `{}`", name(upper), name(lower));
        let pairs: Vec<_> = cycle.iter().zip(below).map(over).collect();
        let message = format!("contradictory order of bases: {}", pairs.join(", and "));
        Diagnostic::error(Code::ExtendsOrder, message)
            .caused_by("a file overrides what it extends, and what is listed before it")
            .hint("list a base before the files that extend it, and the same files in the same order everywhere")
    }

    /// A base, by the path that the file at `from` gives.
    fn base(&mut self, from: &Path, written: &Spanned<String>, depth: &mut usize) -> Option<ComposedFile> {
        let folder = from.parent().unwrap_or(Path::new(""));
        let path = paths::normalize(&folder.join(&written.value));
        let name = path_name(&path);
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
    fn base_at(
        &mut self,
        path: &Path,
        folder: &Path,
        written: &Spanned<String>,
    ) -> Result<FileKey, Diagnostic> {
        let written = &written.value;
        let real = if Path::new(written).is_absolute() {
            Err(PathError::Absolute)
        } else {
            paths::allowed_root(folder)
                .map_err(PathError::from)
                .and_then(|inside| paths::resolve_file(path, &[&inside]))
        };
        let real = real.map_err(|error| match error {
            PathError::Unreachable(_) => {
                Diagnostic::error(Code::InvalidBase, format!("cannot read the base `{}`", truncate(&path_name(path))))
                    .caused_by(error.to_string())
                    .hint("write its path relative to this file")
            }
            PathError::Absolute | PathError::Outside(_) | PathError::Git | PathError::Special => Diagnostic::error(
                Code::InvalidBase,
                format!("`{}` cannot be a base", truncate(written)),
            )
            .caused_by(error.to_string())
            .hint(
                "write the path, relative to this file, of a regular file in the same repository (the nearest \
                     parent folder with `.git`, otherwise the working directory)",
            ),
        })?;
        self.extended.insert(real.clone());
        let key = FileKey::new(path, real);
        if let Some(start) = self.chain.iter().position(|(above, _)| *above == key) {
            let around = self.chain.iter().skip(start).chain(self.chain.get(start));
            let around: Vec<_> = around.map(|(_, name)| format!("`{name}`")).collect();
            return Err(Diagnostic::error(
                Code::ExtendsCycle,
                format!("files extend one another in a cycle: {}", around.join(" → ")),
            )
            .hint("remove one of the `extends`"));
        }
        if self.chain.len() >= MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(key)
    }
}

fn too_deep() -> Diagnostic {
    let message = format!("more than {MAX_DEPTH} files extend one another in a chain");
    Diagnostic::error(Code::ExtendsDepth, message).hint("shorten the chain of `extends`")
}
