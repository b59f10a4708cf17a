//! Bytes → text → tree. Every key and every value of the tree carries its place in the text.
//!
//! Owns what is YAML about a desired-state file, and nothing of what its keys mean. Duplicate and
//! merge keys are passed on as they stand, so that `walk` can report all of them at once.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{DuplicateKeyPolicy, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

use crate::diagnostic::{Code, Diagnostic, Position, Source};

/// The largest file that is read, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The most keys and values that a file may have: a thousand times the flows that a tenant may have
/// (<https://learn.microsoft.com/azure/active-directory-b2c/service-limits>), at ten for each.
const MAX_NODES: usize = 2_000_000;

/// How deep a file may be nested: four levels are needed, and each takes a good piece of the stack.
const MAX_DEPTH: usize = 16;

/// The most anchors that a file may have.
const MAX_ANCHORS: usize = 50_000;

/// A value and where it stands.
pub(super) struct Node<'s> {
    pub(super) value: Value<'s>,
    /// Bytes in the source; empty for a block mapping or sequence. What an alias stands for has the place
    /// of the alias, and so has all that is in it.
    pub(super) range: Range<usize>,
}

/// What YAML tells apart. Numbers stay text, for those to read who know which are expected.
pub(super) enum Value<'s> {
    /// `null`, `~`, or nothing at all: `literal` is where it, or what an alias stands for, is written.
    Null {
        literal: Range<usize>,
    },
    Bool(bool),
    Number {
        /// Where it, or what an alias stands for, is written.
        literal: Range<usize>,
    },
    /// A piece of the source, where it stands there as it is.
    String(Cow<'s, str>),
    Sequence(Vec<Node<'s>>),
    Mapping(Vec<(Node<'s>, Node<'s>)>),
}

/// Reads the file at a path, to be shown as `name`.
///
/// # Errors
/// It cannot be read, is over 16 MiB, or is not UTF-8.
pub(super) fn read(name: &str, path: &Path) -> Result<Arc<Source>, Diagnostic> {
    let unreadable = |error: std::io::Error| {
        Diagnostic::error(Code::InputUnreadable, format!("cannot read `{name}`"))
            .caused_by(error.to_string())
            .hint("name a desired-state file, or write a first one with `flowbind export --tenant TENANT`")
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than allowed distinguishes a file that is too large from one that just fits.
    file.take((MAX_BYTES as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    decode(name, &bytes)
}

/// Makes a source of bytes; a byte order mark is left out.
///
/// # Errors
/// Over 16 MiB, or not UTF-8.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Arc<Source>, Diagnostic> {
    if bytes.len() > MAX_BYTES {
        let problem = Diagnostic::error(Code::FileTooLarge, format!("`{name}` is larger than 16 MiB"));
        return Err(problem.hint("split it, for example into one file for each tenant"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            let at = error.valid_up_to();
            let source = Source::new(name, String::from_utf8_lossy(bytes));
            Err(Diagnostic::error(Code::FileNotUtf8, format!("`{name}` is not UTF-8"))
                .at(&source.span(at..at.saturating_add(1)))
                .hint("save it as UTF-8"))
        }
    }
}

/// Parses the one document of a source.
///
/// # Errors
/// What is not YAML, at the first place where it is not.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node<'_>, Diagnostic> {
    serde_yaml::from_str_with_options::<Spanned<Value<'_>>>(source.text(), options())
        .map(Node::from)
        .map_err(|error| syntax_error(source, &error))
}

fn options() -> Options {
    let aliases = serde_yaml::alias_limits! {
        max_total_replayed_events: 1_000_000,
        max_alias_expansions_per_anchor: 100_000,
    };
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_anchors: MAX_ANCHORS,
            max_events: 3 * MAX_NODES,
            // Higher than what aliases may expand to, so that a bomb is called what it is.
            max_recorded_anchor_events: 10 * MAX_NODES,
            // Two hundred flows may well want the same. What that expands to is bounded below.
            enforce_alias_anchor_ratio: false,
            max_aliases: MAX_NODES,
        },
        alias_limits: aliases,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        ignore_binary_tag_for_string: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn syntax_error(source: &Arc<Source>, error: &serde_yaml::Error) -> Diagnostic {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let range = bytes_of(location).unwrap_or_else(|| {
        let at = source.offset(Position {
            line: usize::try_from(location.line()).unwrap_or(usize::MAX),
            column: usize::try_from(location.column()).unwrap_or(usize::MAX),
        });
        at..at
    });
    let span = source.span(range);
    let message = error.to_string();
    // The place is shown with the line that it is in.
    let what = message.split(" at line ").next().unwrap_or(&message);
    const HINT: &str =
        "a desired-state file needs four levels; split a large one into one file for each tenant";
    use serde_yaml::Error as Yaml;
    let mut cause = error.without_snippet();
    while let Yaml::AliasError { error, .. } = cause {
        cause = error;
    }
    match cause {
        Yaml::MultipleDocuments { .. } => Diagnostic::error(Code::UnsupportedYaml, "only one YAML document per file is supported")
            .at(&span)
            .hint("remove everything from `---` on, or split the file"),
        Yaml::AliasReplayLimitExceeded { .. }
        | Yaml::AliasExpansionLimitExceeded { .. }
        | Yaml::AliasReplayCounterOverflow { .. }
        | Yaml::AliasReplayStackDepthExceeded { .. }
        | Yaml::RecursiveReferencesRequireWeakTypes { .. } => {
            Diagnostic::error(Code::YamlLimit, "the YAML aliases expand beyond the limit")
                .at(&span)
                .caused_by(what)
                .hint("write the values out in place of the aliases")
        }
        Yaml::Budget { breach, .. } => Diagnostic::error(Code::YamlLimit, "the YAML is too large or nested too deeply")
            .at(&span)
            .caused_by(bound(breach))
            .hint(HINT),
        _ if what.contains("recursion limit") => Diagnostic::error(Code::YamlLimit, "the YAML is too large or nested too deeply")
            .at(&span)
            .caused_by(bound(&BudgetBreach::Depth { depth: MAX_DEPTH }))
            .hint(HINT),
        Yaml::UnsupportedTag { .. } => {
            Diagnostic::error(Code::UnsupportedYaml, "YAML tags are not supported")
                .at(&span)
                .caused_by(what)
                .hint("remove the tag")
        }
        Yaml::TaggedScalarCannotDeserializeIntoString { .. } | Yaml::InvalidBooleanStrict { .. } => {
            Diagnostic::error(Code::UnsupportedYaml, "the YAML tag does not match the value")
                .at(&span)
                .hint("remove the tag")
        }
        Yaml::UnknownAnchor { .. } => Diagnostic::error(Code::InvalidYaml, format!("invalid YAML: {what}"))
            .at(&span)
            .hint("define the anchor with `&` before it is used, or quote a string that starts with `*`"),
        _ => Diagnostic::error(Code::InvalidYaml, format!("invalid YAML: {what}"))
            .at(&span)
            .hint(
                "indent with spaces, close quotes and brackets, and quote strings that contain `: ` or ` #` or start \
                 with one of `@ % * & ! | > [ {`",
            ),
    }
}

/// Describes the exceeded limit.
fn bound(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => format!("more than {MAX_DEPTH} levels"),
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("more than {MAX_NODES} keys and values")
        }
        BudgetBreach::Aliases { .. } => format!("more than {MAX_NODES} aliases"),
        BudgetBreach::Anchors { .. } => format!("more than {MAX_ANCHORS} anchors"),
        _ => "its anchors expand too far".to_owned(),
    }
}

fn bytes_of(location: Location) -> Option<Range<usize>> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    Some(start..start.saturating_add(length))
}

impl<'s> From<Spanned<Value<'s>>> for Node<'s> {
    fn from(Spanned { value, referenced, defined }: Spanned<Value<'s>>) -> Self {
        Self {
            value: match value {
                Value::Null { .. } => Value::Null { literal: bytes_of(defined).unwrap_or_default() },
                Value::Number { .. } => Value::Number { literal: bytes_of(defined).unwrap_or_default() },
                other => other,
            },
            range: bytes_of(referenced).unwrap_or_default(),
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null { literal: Range::default() })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number { literal: Range::default() })
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value<'de>, E> {
        Ok(Value::Number { literal: Range::default() })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number { literal: Range::default() })
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value<'de>, E> {
        Ok(Value::Number { literal: Range::default() })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number { literal: Range::default() })
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Spanned<Value<'de>>>()? {
            items.push(item.into());
        }
        Ok(Value::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<Value<'de>>>()? {
            entries.push((key.into(), access.next_value::<Spanned<Value<'de>>>()?.into()));
        }
        Ok(Value::Mapping(entries))
    }
}
