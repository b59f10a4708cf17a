//! Loads the files of a run and their bases. Each file is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::compose::{merge, merge_order};
use super::decoder::{Decoder, Spanned};
use super::findings::Findings;
use super::inputs::{FileKey, InputFile, InputFiles};
use super::message::{duplicate_error, error, truncate};
use super::schema::File;
use super::slips::{self, ParseResult};
use super::{keys, source};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::paths::{self, PathError};

/// Maximum number of files that extend one another in a chain.
const MAX_DEPTH: usize = 32;

/// File under its name: without its bases, or a file with a tenant that is merged with its bases.
#[derive(Clone)]
pub(super) struct NamedFile {
    pub(super) name: String,
    pub(super) file: Arc<File>,
}

/// File with a tenant, and the files from which it is composed.
pub(super) struct LoadedFile {
    /// File merged with its bases.
    pub(super) composed: NamedFile,
    /// Resolved path of the file.
    pub(super) path: PathBuf,
    /// Direct and indirect bases, each without its own bases, in merge order.
    pub(super) bases: Vec<Arc<File>>,
}

/// Loads the files, and merges each with its bases. Returns the merged files in order, without those that cannot be
/// parsed or merged, and without bases that have no tenant. Problems go to `findings`; a returned file may have some.
pub(super) fn load(
    InputFiles { files: inputs, is_complete }: InputFiles,
    findings: &mut Findings,
) -> Vec<LoadedFile> {
    let mut loader = Loader {
        findings,
        parsed: parse_all(&inputs),
        results: BTreeMap::new(),
        indices: BTreeMap::new(),
        files: Vec::new(),
        extended: BTreeSet::new(),
        chain: Vec::new(),
        all_extends_known: is_complete,
    };
    for InputFile { path, .. } in &inputs {
        loader.findings.rank(&paths::display(path));
    }
    let files: Vec<_> = inputs.iter().map(|input| loader.compose(&input.path, &input.key).0).collect();
    let mut with_tenant = Vec::new();
    for (InputFile { path, key, .. }, file) in inputs.iter().zip(files) {
        let Some(ComposedFile { file, order }) = file else { continue };
        let name = paths::display(path);
        let is_base = loader.extended.contains(&key.real) || !loader.all_extends_known;
        match check_tenant(&file) {
            Some(_) if is_base => {}
            problem => {
                loader.findings.extend(&name, problem);
                let bases = order.iter().rev().skip(1).rev();
                let bases = bases.filter_map(|index| Some(Arc::clone(&loader.files.get(*index)?.file)));
                let (path, bases) = (key.real.clone(), bases.collect());
                with_tenant.push(LoadedFile { composed: NamedFile { name, file }, path, bases });
            }
        }
    }
    with_tenant
}

/// Returns the error of a file without the key `tenant`; `None` if it has the key, even with an invalid
/// value. The caller makes sure that no other file extends it.
pub(super) fn check_tenant(file: &File) -> Option<Diagnostic> {
    let is_given = file.tenant.is_some() || file.invalid_keys.contains("tenant");
    let hint = "add `tenant:` with the domain of the tenant; or, if this file is a base, also name a file with a \
                `tenant` that extends it";
    (!is_given).then(|| error(Code::MissingKey, "missing key `tenant`", &file.span, hint))
}

/// Reads and parses the files, without their bases, on all processors. Returns the path and the result of
/// each. For a fleet this is most of the work, and no file needs another.
fn parse_all(inputs: &[InputFile]) -> BTreeMap<FileKey, (PathBuf, ParseResult)> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = inputs.len().div_ceil(threads).max(1);
    let parse_one = |InputFile { path, key, bytes }: &InputFile| {
        let parsed = match bytes {
            Some(bytes) => parse_source(source::decode(&paths::display(path), bytes)),
            None => read_and_parse(path, &key.real),
        };
        (key.clone(), (path.clone(), parsed))
    };
    let parse = |inputs: &[InputFile]| inputs.iter().map(parse_one).collect::<Vec<_>>();
    thread::scope(|scope| {
        let mut shares = inputs.chunks(share);
        let first = shares.next().unwrap_or_default();
        let start = |share| (share, thread::Builder::new().spawn_scoped(scope, move || parse(share)));
        let others: Vec<_> = shares.map(start).collect();
        let first = parse(first);
        let others = others.into_iter().flat_map(|(share, thread)| match thread {
            // A panic is propagated, because the files of a lost thread would silently be missing from the plan.
            Ok(thread) => thread.join().unwrap_or_else(|payload| panic::resume_unwind(payload)),
            // The system starts no thread.
            Err(_) => parse(share),
        });
        first.into_iter().chain(others).collect()
    })
}

fn read_and_parse(path: &Path, real: &Path) -> ParseResult {
    parse_source(source::read(&paths::display(path), real))
}

fn parse_source(source: Result<Arc<Source>, Diagnostic>) -> ParseResult {
    source.map_or_else(|problem| (None, vec![problem]), |source| parse(&source))
}

/// Parses one file without its bases. Returns the file and all its problems. The file is `None` if it is not
/// valid YAML, is empty, or is not a mapping, each of which is a problem.
pub(super) fn parse(source: &Arc<Source>) -> ParseResult {
    let parsed = parse_as_written(source);
    if parsed.1.is_empty() { parsed } else { slips::explain(source, parsed, parse_as_written) }
}

fn parse_as_written(source: &Arc<Source>) -> ParseResult {
    let root = match source::parse(source) {
        Ok(root) => root,
        Err(problem) => return (None, vec![problem]),
    };
    let mut decoder = Decoder::new(source);
    let file = keys::decode_file(&mut decoder, &root);
    (file, decoder.finish())
}

/// File merged with its bases.
#[derive(Clone)]
struct ComposedFile {
    file: Arc<File>,
    /// Indices of the merged files in merge order. The last one is the file itself.
    order: Arc<[usize]>,
}

/// Composed file, or `None` if a part of it is invalid; and the length of the longest chain of `extends`
/// that starts at the file.
type ComposeResult = (Option<ComposedFile>, usize);

struct Loader<'f> {
    findings: &'f mut Findings,
    /// Results of parsing the named files, each with its path, until it is composed.
    parsed: BTreeMap<FileKey, (PathBuf, ParseResult)>,
    /// Results of the files that are already composed.
    results: BTreeMap<FileKey, ComposeResult>,
    /// Index of each file, by resolved path and, if the file extends others, folder.
    indices: BTreeMap<(PathBuf, Option<PathBuf>), usize>,
    /// Parsed files, by index.
    files: Vec<NamedFile>,
    /// Resolved paths of the files that others extend.
    extended: BTreeSet<PathBuf>,
    /// Files that are being composed, each extending the next, with their names.
    chain: Vec<(FileKey, String)>,
    /// Whether the `extends` of every file could be read.
    all_extends_known: bool,
}

impl Loader<'_> {
    /// Reads a file and merges it with its bases. The result is `None` if one of these files cannot be parsed
    /// or its `extends` is invalid; problems go to `findings`.
    fn compose(&mut self, path: &Path, key: &FileKey) -> ComposeResult {
        if let Some(result) = self.results.get(key) {
            return result.clone();
        }
        let mut depth = 1;
        let (path, (file, problems)) =
            self.parsed.remove(key).unwrap_or_else(|| (path.to_owned(), read_and_parse(path, &key.real)));
        let name = paths::display(&path);
        self.findings.rank(&name);
        self.findings.extend(&name, problems);
        self.all_extends_known &= file.as_ref().is_some_and(|file| !file.invalid_keys.contains("extends"));
        let composed = file.and_then(|file| {
            self.chain.push((key.clone(), name));
            let composed = self.compose_parsed(&path, file, key, &mut depth);
            self.chain.pop();
            composed
        });
        let result = (composed, depth);
        self.results.insert(key.clone(), result.clone());
        result
    }

    fn compose_parsed(
        &mut self,
        path: &Path,
        file: File,
        key: &FileKey,
        depth: &mut usize,
    ) -> Option<ComposedFile> {
        // All bases are composed before the first error returns, so that all problems are reported.
        let bases: Vec<_> = file.extends.iter().map(|base| self.compose_base(path, base, depth)).collect();
        let bases = bases.into_iter().collect::<Option<Vec<_>>>()?;
        if file.invalid_keys.contains("extends") {
            return None;
        }
        let below = match self.merge_order(&file.extends, &bases) {
            Ok(order) => order,
            Err(problems) => {
                self.findings.extend(&paths::display(path), problems);
                return None;
            }
        };
        let file = Arc::new(file);
        let identity = (key.real.clone(), (!bases.is_empty()).then(|| key.folder.clone()));
        let index = *self.indices.entry(identity).or_insert(self.files.len());
        if index == self.files.len() {
            self.files.push(NamedFile { name: paths::display(path), file: Arc::clone(&file) });
        }
        let order = below.iter().copied().chain([index]).collect();
        let Some(first) = bases.first() else { return Some(ComposedFile { file, order }) };
        // The result of the first base is reused if the merge order begins with the order of that base.
        let (start, rest) = match below.strip_prefix(&*first.order) {
            Some(rest) => (Some(File::clone(&first.file)), rest),
            None => (None, &*below),
        };
        let rest = rest.iter().filter_map(|index| Some(File::clone(&self.files.get(*index)?.file)));
        let base = start.into_iter().chain(rest).reduce(merge)?;
        Some(ComposedFile { file: Arc::new(merge(base, File::clone(&file))), order })
    }

    /// Returns the indices of all direct and indirect bases of a file, in merge order. A base that is listed
    /// twice and a contradictory order are errors.
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
                problems.push(duplicate_error(&written.value, &written.span, &first.span));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let bases: Vec<_> = bases.iter().map(|base| &*base.order).collect();
        merge_order(&bases).map_err(|cycle| {
            let problem = self.contradictory_order(&cycle);
            extends.last().map(|last| problem.at(&last.span)).into_iter().collect()
        })
    }

    /// Creates the error for files each of which would have to override the next, and the last one the first.
    fn contradictory_order(&self, cycle: &[usize]) -> Diagnostic {
        let name = |index: &usize| self.files.get(*index).map_or("", |file| file.name.as_str());
        let lower = cycle.iter().skip(1).chain(cycle.first());
        let over = |(upper, lower)| format!("`{}` over `{}`", name(upper), name(lower));
        let pairs: Vec<_> = cycle.iter().zip(lower).map(over).collect();
        let message = format!("contradictory order of bases: {}", pairs.join(", and "));
        Diagnostic::error(Code::ExtendsOrder, message)
            .caused_by("a file overrides the files that it extends, and the files listed before it")
            .hint("list a base before the files that extend it, and the same files in the same order everywhere")
    }

    /// Reads and merges a base, whose path is written in the file at `from`, and raises `depth` to the length
    /// of the chain. Returns `None` if the base cannot be used, parsed or merged, which is reported.
    fn compose_base(
        &mut self,
        from: &Path,
        written: &Spanned<String>,
        depth: &mut usize,
    ) -> Option<ComposedFile> {
        let folder = from.parent().unwrap_or(Path::new(""));
        let base = self.resolve_base(folder, &written.value).and_then(|(path, key)| {
            let (file, base_depth) = self.compose(&path, &key);
            *depth = base_depth.saturating_add(1).max(*depth);
            if *depth > MAX_DEPTH { Err(chain_too_long()) } else { Ok(file) }
        });
        match base {
            Ok(file) => file,
            Err(problem) => {
                let extending = self.chain.last().map(|(_, name)| name.clone());
                self.findings.extend(&extending.unwrap_or_default(), [problem.at(&written.span)]);
                None
            }
        }
    }

    /// Returns the path and the identity of a base, and records that it is extended. A path that is not allowed, a
    /// cycle and a chain that is too long are errors.
    fn resolve_base(&mut self, folder: &Path, written: &str) -> Result<(PathBuf, FileKey), Diagnostic> {
        // Before the file system is asked, because a path of Windows can name another machine.
        if written.starts_with('/') {
            return Err(base_error(written, Path::new(written), &PathError::Absolute));
        }
        if !paths::is_portable(written) {
            return Err(not_portable(written));
        }
        let path = paths::normalize(&folder.join(written));
        // A base needs no tenant, even if it is not allowed.
        self.extended.extend(path.canonicalize());
        let root = paths::allowed_root(folder).map_err(PathError::from);
        let real = root.and_then(|root| paths::resolve_file(&path, &[&root]));
        let real = real.and_then(|real| paths::check_names(folder, Path::new(written), &real).map(|()| real));
        let key = FileKey::new(&path, real.map_err(|error| base_error(written, &path, &error))?);
        if let Some(start) = self.chain.iter().position(|(above, _)| *above == key) {
            let cycle = self.chain.iter().skip(start).chain(self.chain.get(start));
            let cycle: Vec<_> = cycle.map(|(_, name)| format!("`{name}`")).collect();
            let message = format!("files extend one another in a cycle: {}", cycle.join(" → "));
            let hint = format!("remove one of the entries, such as `{}` here", truncate(written));
            return Err(Diagnostic::error(Code::ExtendsCycle, message).hint(hint));
        }
        if self.chain.len() >= MAX_DEPTH {
            return Err(chain_too_long());
        }
        Ok((path, key))
    }
}

/// Creates the error of a base that cannot be used. `path` is what `written` is relative to the file.
fn base_error(written: &str, path: &Path, error: &PathError) -> Diagnostic {
    let (message, hint) = match error {
        PathError::Unreachable(_) => (
            format!("cannot read the base `{}`", truncate(&paths::display(path))),
            "write the path of the base relative to this file",
        ),
        PathError::OtherName(_) => (
            format!("`{}` cannot be a base", truncate(written)),
            "write the path in the same letters as the names of the folders and of the file",
        ),
        PathError::Absolute | PathError::Outside(_) | PathError::Git | PathError::Special => (
            format!("`{}` cannot be a base", truncate(written)),
            "write the path, relative to this file, of a regular file in the same repository (the nearest \
             parent folder with `.git`, otherwise the working directory)",
        ),
    };
    Diagnostic::error(Code::InvalidBase, message).caused_by(error.to_string()).hint(hint)
}

/// Returns the error of a path that only some systems read as this base.
fn not_portable(written: &str) -> Diagnostic {
    let with_slashes = written.replace('\\', "/");
    let hint = if paths::is_portable(&with_slashes) && !with_slashes.starts_with('/') {
        format!("write it with `/`: `{}`", truncate(&with_slashes))
    } else {
        "write the path relative to this file, with `/`, without `: * ? \" < > |` and names of devices such as `nul`, \
         and without a dot or a blank at the end of a name"
            .to_owned()
    };
    let message = format!("`{}` cannot be a base", truncate(written));
    let problem = Diagnostic::error(Code::InvalidBase, message);
    problem.caused_by("not every system reads the path as the same file").hint(hint)
}

fn chain_too_long() -> Diagnostic {
    let message = format!("more than {MAX_DEPTH} files extend one another in a chain");
    Diagnostic::error(Code::ExtendsDepth, message).hint("shorten the chain of `extends`")
}
