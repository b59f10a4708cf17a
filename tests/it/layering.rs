//! Dependencies between the modules of the crate, and between the files of each module.
//!
//! Every path counts, not only `use` lines, but only outside of tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use expect_test::expect;
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::support::{package, path_below};

/// Modules of the crate with the modules that they use, which must be listed before them. A new entry needs a
/// reason; an unused entry must be removed.
const DEPENDENCIES: [(&str, &[&str]); 27] = [
    ("blocking", &[]),
    ("diagnostic", &[]),
    ("encoding", &[]),
    ("http", &["blocking"]),
    ("paths", &["encoding"]),
    ("atomic_file", &["paths"]),
    ("snapshot", &[]),
    ("terminal", &[]),
    ("model", &["diagnostic"]),
    ("desired", &["diagnostic", "encoding", "model", "paths"]),
    ("auth", &["blocking", "encoding", "http", "model", "paths"]),
    ("graph", &["auth", "diagnostic", "http", "model"]),
    ("current", &["diagnostic", "graph", "model"]),
    ("plan", &["diagnostic", "model"]),
    ("compare", &["model", "snapshot"]),
    ("drift", &["diagnostic", "model", "plan"]),
    ("apply", &["diagnostic", "graph", "model", "plan"]),
    ("saved", &["apply", "compare", "diagnostic", "drift", "model", "plan"]),
    ("render", &["apply", "compare", "diagnostic", "drift", "model", "plan"]),
    ("accept", &["desired", "diagnostic", "model", "render"]),
    ("sandbox", &["snapshot"]),
    ("output", &["atomic_file", "diagnostic", "drift", "paths", "plan", "render", "saved", "terminal"]),
    (
        "run",
        &[
            "accept",
            "apply",
            "atomic_file",
            "auth",
            "compare",
            "current",
            "desired",
            "diagnostic",
            "drift",
            "encoding",
            "graph",
            "http",
            "model",
            "paths",
            "plan",
            "render",
            "sandbox",
            "saved",
            "snapshot",
        ],
    ),
    ("exit", &["compare", "drift", "plan", "run"]),
    ("signals", &["exit", "http"]),
    ("manual", &["diagnostic", "exit"]),
    (
        "cli",
        &[
            "apply",
            "atomic_file",
            "auth",
            "blocking",
            "desired",
            "diagnostic",
            "drift",
            "exit",
            "http",
            "manual",
            "model",
            "output",
            "paths",
            "plan",
            "render",
            "run",
            "sandbox",
            "saved",
            "signals",
            "terminal",
        ],
    ),
];

/// Segments of a path.
type Segments = Vec<String>;

/// Path as written in a file, and the module that it is relative to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct UsedPath {
    scope: Segments,
    segments: Segments,
}

impl UsedPath {
    /// Returns the path from the root of the crate, if the path begins with `crate`, `self` or `super`.
    fn absolute(&self) -> Option<Segments> {
        let (first, rest) = self.segments.split_first()?;
        let mut absolute = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.scope.clone(),
            "super" => self.scope.split_last()?.1.to_vec(),
            _ => return None,
        };
        let supers = rest.iter().take_while(|segment| *segment == "super").count();
        absolute.truncate(absolute.len().checked_sub(supers)?);
        absolute.extend_from_slice(&rest[supers..]);
        Some(absolute)
    }

    fn joined(&self, rest: &[String]) -> Self {
        Self { segments: [&self.segments, rest].concat(), ..self.clone() }
    }
}

/// Source file of a module, with its paths.
#[derive(Debug, Default)]
struct SourceFile {
    /// Path below `src`.
    name: String,
    module: Segments,
    /// Targets of `use` declarations by the name that they define in the file.
    imports: BTreeMap<String, UsedPath>,
    paths: BTreeSet<UsedPath>,
}

impl SourceFile {
    /// Parses the file at a path below `src`.
    fn parse(name: &str, text: &str) -> Self {
        let stem = name.trim_end_matches(".rs").trim_end_matches("/mod");
        let module: Segments = stem.split('/').map(str::to_owned).collect();
        let mut tokens = Vec::new();
        push_tokens(text.parse().unwrap(), &mut tokens);
        let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
        let mut file = Self { name: name.to_owned(), module: module.clone(), ..Self::default() };
        file.add_paths(&tokens, &module);
        file
    }

    fn add_paths(&mut self, tokens: &[&str], scope: &[String]) {
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at..] {
                ["#", "[", "cfg", "(", "test", ")", "]", item @ ..] => {
                    at = tokens.len() - item.len() + item_length(item);
                }
                ["mod", name, "{", block @ ..] => {
                    let length = block_length(block);
                    self.add_paths(&block[..length], &[scope, &[(*name).to_owned()]].concat());
                    at += 3 + length;
                }
                // `use<'a>` is part of a type.
                ["use", next, ..] if *next != "<" => {
                    let length = tokens[at..].iter().position(|token| *token == ";").unwrap();
                    self.add_imports(&tokens[at + 1..at + length], &[], scope);
                    at += length;
                }
                [first, "::", ..]
                    if is_name(first) && (at == 0 || !["::", "$"].contains(&tokens[at - 1])) =>
                {
                    let mut segments = vec![(*first).to_owned()];
                    while let ["::", next, ..] = &tokens[at + 1..]
                        && is_name(next)
                    {
                        segments.push((*next).to_owned());
                        at += 2;
                    }
                    self.paths.insert(UsedPath { scope: scope.to_vec(), segments });
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Adds the imports of a tree of a `use` declaration below a prefix.
    fn add_imports(&mut self, tree: &[&str], prefix: &[&str], scope: &[String]) {
        let (segments, name) = match tree {
            ["{", trees @ ..] => {
                let mut trees = &trees[..block_length(trees)];
                while !trees.is_empty() {
                    let mut depth = 0;
                    let comma = trees.iter().position(|token| {
                        depth += depth_change(token);
                        *token == "," && depth == 0
                    });
                    let length = comma.unwrap_or(trees.len());
                    self.add_imports(&trees[..length], prefix, scope);
                    trees = trees.get(length + 1..).unwrap_or_default();
                }
                return;
            }
            [first, "::", rest @ ..] => return self.add_imports(rest, &[prefix, &[*first]].concat(), scope),
            ["::", rest @ ..] => return self.add_imports(rest, prefix, scope),
            ["self", ..] | ["*"] => (prefix.to_vec(), tree.last()),
            [first, ..] => ([prefix, &[*first]].concat(), tree.last()),
            [] => return,
        };
        let name = name.filter(|name| **name != "self").or(segments.last());
        let name = name.copied().unwrap_or_default().to_owned();
        let segments = segments.into_iter().map(str::to_owned).collect();
        let path = UsedPath { scope: scope.to_vec(), segments };
        self.imports.insert(name, path.clone());
        self.paths.insert(path);
    }
}

/// Appends the tokens of a stream, with `::` as one token and delimiters as separate tokens.
fn push_tokens(stream: TokenStream, tokens: &mut Vec<String>) {
    let mut stream = stream.into_iter().peekable();
    while let Some(token) = stream.next() {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(open.to_owned());
                push_tokens(group.stream(), tokens);
                tokens.push(close.to_owned());
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint => {
                stream.next();
                tokens.push("::".to_owned());
            }
            token => tokens.push(token.to_string()),
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

fn depth_change(token: &str) -> i32 {
    match token {
        "(" | "[" | "{" => 1,
        ")" | "]" | "}" => -1,
        _ => 0,
    }
}

/// Returns the number of tokens before the delimiter that closes the current block.
fn block_length(tokens: &[&str]) -> usize {
    let mut depth = 1;
    let is_end = |token: &&str| {
        depth += depth_change(token);
        depth == 0
    };
    tokens.iter().position(is_end).unwrap()
}

/// Returns the number of tokens of an item: to its first block or semicolon.
fn item_length(tokens: &[&str]) -> usize {
    let mut depth = 0;
    let is_end = |token: &&str| {
        depth += depth_change(token);
        depth == 0 && [";", "}"].contains(token)
    };
    tokens.iter().position(is_end).unwrap() + 1
}

/// Names that a file uses of another file, by both files.
type Uses<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

/// Returns the files of the shortest cycle through a file, which is the first and the last of them.
fn shortest_cycle<'a>(uses: &Uses<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut queue = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(chain) = queue.pop_front() {
        for next in uses.get(chain.last()?).into_iter().flat_map(BTreeMap::keys) {
            let chain = [chain.as_slice(), &[*next]].concat();
            if *next == start {
                return Some(chain);
            }
            if seen.insert(*next) {
                queue.push_back(chain);
            }
        }
    }
    None
}

/// Files of the crate and the paths between them.
struct Crate(Vec<SourceFile>);

impl Crate {
    /// Parses files, given by their paths below `src` and their texts.
    fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(files.into_iter().map(|(name, text)| SourceFile::parse(name, text)).collect())
    }

    /// Reads the files of the crate, without its roots and without files of tests.
    fn read() -> Self {
        let mut files = Vec::new();
        let source = package("src");
        read_sources(&source, &mut files);
        let relative = |path: &str| path_below(&source, Path::new(path));
        let files: Vec<_> = files.into_iter().map(|(path, text)| (relative(&path), text)).collect();
        let is_listed = |name: &str| !["lib.rs", "main.rs"].contains(&name) && !name.ends_with("tests.rs");
        let files = files.iter().filter(|(name, _)| is_listed(name));
        Self::parse(files.map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Returns the file that defines the target of a path, and the name of the target. Follows `use`
    /// declarations. `None` for another crate.
    fn resolve(&self, file: &SourceFile, path: &UsedPath, depth: u8) -> Option<(&SourceFile, String)> {
        // The name of an import can be the first segment of its own path, as in `use strum::strum`.
        let depth = depth.checked_sub(1)?;
        let UsedPath { scope, segments } = path;
        let absolute = path.absolute().or_else(|| {
            let relative = [scope.as_slice(), segments].concat();
            let (module, _) = relative.split_at(scope.len() + 1);
            self.0.iter().any(|it| it.module == module).then_some(relative)
        });
        let Some(absolute) = absolute else {
            let (first, rest) = segments.split_first()?;
            return self.resolve(file, &file.imports.get(first)?.joined(rest), depth);
        };
        let target = self.0.iter().filter(|it| absolute.starts_with(&it.module));
        let target = target.max_by_key(|it| it.module.len())?;
        match absolute[target.module.len()..].split_first() {
            None => Some((target, target.module.last()?.clone())),
            Some((name, rest)) => match target.imports.get(name) {
                Some(import) => self.resolve(target, &import.joined(rest), depth),
                None => Some((target, name.clone())),
            },
        }
    }

    /// Returns the names that each file uses of other files of its module, by both files. A file also uses
    /// the files of its child modules.
    fn uses(&self) -> Uses<'_> {
        let mut uses = Uses::new();
        for file in &self.0 {
            let mut used: Vec<_> = file.paths.iter().filter_map(|path| self.resolve(file, path, 9)).collect();
            let children = self.0.iter().filter(|it| it.module.split_last().unwrap().1 == file.module);
            used.extend(children.map(|it| (it, format!("mod {}", it.module.last().unwrap()))));
            used.retain(|(other, _)| other.module[0] == file.module[0] && other.name != file.name);
            for (other, name) in used {
                uses.entry(&file.name).or_default().entry(&other.name).or_default().insert(name);
            }
        }
        uses
    }

    /// Describes the shortest cycle of each file that is in one, each cycle once.
    fn describe_cycles(&self) -> String {
        let uses = self.uses();
        let mut seen = BTreeSet::new();
        let mut text = String::new();
        for start in &self.0 {
            let Some(cycle) = shortest_cycle(&uses, &start.name) else { continue };
            if !seen.insert(cycle.iter().copied().collect::<BTreeSet<_>>()) {
                continue;
            }
            writeln!(text, "{}", cycle.join(" → ")).unwrap();
            for pair in cycle.windows(2) {
                let names: Vec<_> = uses[pair[0]][pair[1]].iter().map(|name| format!("`{name}`")).collect();
                writeln!(text, "    {} uses {} of {}", pair[0], names.join(", "), pair[1]).unwrap();
            }
        }
        text
    }
}

/// Appends the paths and texts of all Rust files below a path.
fn read_sources(path: &Path, files: &mut Vec<(String, String)>) {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|path| read_sources(path, files));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push((path.to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()));
    }
}

#[test]
fn modules_use_exactly_the_listed_dependencies() {
    let Crate(files) = Crate::read();
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    for file in &files {
        let module = &file.module[0];
        let used = file.paths.iter().filter_map(|path| path.absolute()?.first().cloned());
        // A module can be a file and a folder.
        found.entry(module.clone()).or_default().extend(used.filter(|used| used != module));
    }
    let listed = DEPENDENCIES.map(|(module, uses)| {
        (module.to_owned(), uses.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>())
    });
    assert_eq!(found, BTreeMap::from(listed));
}

#[test]
fn modules_use_only_modules_listed_before() {
    for (at, (module, uses)) in DEPENDENCIES.iter().enumerate() {
        for used in *uses {
            let is_before = DEPENDENCIES[..at].iter().any(|(before, _)| before == used);
            assert!(is_before, "`{module}` uses `{used}`, which must be listed before it");
        }
    }
}

#[test]
fn files_of_a_module_have_no_cycles() {
    let cycles = Crate::read().describe_cycles();
    assert!(cycles.is_empty(), "files that use each other in a cycle:\n{cycles}");
}

fn cycles<const N: usize>(files: [(&str, &str); N]) -> String {
    Crate::parse(files).describe_cycles()
}

#[test]
fn cycles_of_files_that_use_each_other_are_described() {
    let files = [
        ("m/mod.rs", "mod a; mod b; mod c; pub use a::A;"),
        ("m/a.rs", "use crate::{x::Y, m::{b::{self, B}, c as d}};"),
        ("m/b.rs", "fn f() { call!(super::c::g(1)) }"),
        ("m/c.rs", "impl C { fn g(self) -> super::super::m::a::A { d::e() } }"),
        ("x.rs", "use crate::m::A;"),
    ];
    expect![[r#"
        m/a.rs → m/c.rs → m/a.rs
            m/a.rs uses `c` of m/c.rs
            m/c.rs uses `A` of m/a.rs
        m/b.rs → m/c.rs → m/a.rs → m/b.rs
            m/b.rs uses `g` of m/c.rs
            m/c.rs uses `A` of m/a.rs
            m/a.rs uses `B`, `b` of m/b.rs
    "#]]
    .assert_eq(&cycles(files));
}

#[test]
fn cycles_of_a_file_that_uses_a_definition_of_its_parent_are_described() {
    let parent = "mod a; use std::io; pub struct P;";
    for child in ["use super::P;", "fn f() { super::P::new() }", "mod inner { use super::super::P; }"] {
        let expected = "m.rs → m/a.rs → m.rs\n    m.rs uses `mod a` of m/a.rs\n    m/a.rs uses `P` of m.rs\n";
        assert_eq!(cycles([("m.rs", parent), ("m/a.rs", child)]), expected, "{child}");
    }
}

#[test]
fn cycles_of_a_reexport_or_a_test_are_none() {
    let files = [
        ("m/mod.rs", "mod a; mod b; pub use a::{A, B as C}; use crate::x::X; fn f() -> b::D { self::g() }"),
        ("m/a.rs", "pub struct A; use super::X; use std::io; type I = io::io::E; pub(super) fn f() {}"),
        (
            "m/b.rs",
            "use super::{A, C};\n#[cfg(test)]\nmod tests { use super::super::f; }\n#[cfg(test)]\nuse super::f;",
        ),
        ("x.rs", "// use crate::m::A;\npub struct X(&'static str); const S: &str = \"crate::m::A\";"),
    ];
    assert_eq!(cycles(files), "");
}
