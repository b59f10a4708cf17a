//! Parses bytes to a tree of YAML values. Every key and every value has its location in the text.
//!
//! Handles YAML only, not the meaning of keys. Duplicate keys and merge keys stay in the tree, so that
//! `decoder` can report all of them at once.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{DuplicateKeyPolicy, Location, MergeKeyPolicy, NonFiniteFloatPolicy, Options, Spanned};

use super::message::{error, truncate};
use super::mistakes::{Mistake, common_mistake, mistake_in_line};
use crate::diagnostic::{Code, Diagnostic, Position, Source};
use crate::encoding;
use crate::paths;

/// Size limit of a file in bytes.
const MAX_BYTES: usize = 16 << 20;

/// Limit of keys and values in a file: ten for each flow, and a thousand times the flows that a tenant may
/// have (<https://learn.microsoft.com/azure/active-directory-b2c/service-limits>).
const MAX_NODES: usize = 2_000_000;

/// Limit of nesting. Four levels are needed, and each level takes much stack.
const MAX_DEPTH: usize = 16;

/// Limit of anchors in a file.
const MAX_ANCHORS: usize = 50_000;

/// Limit of keys and values to which all aliases of a file expand.
const MAX_ALIAS_NODES: usize = 1_000_000;

/// Limit of uses of one anchor.
const MAX_ALIAS_USES: usize = 100_000;

/// Value with its location.
pub(crate) struct Node<'s> {
    pub(crate) value: Value<'s>,
    /// Bytes in the source; empty for a block mapping or sequence. The value of an alias, and everything in
    /// it, has the location of the alias.
    pub(crate) range: Range<usize>,
}

/// YAML value. Numbers stay text, because the valid forms depend on the key.
pub(crate) enum Value<'s> {
    /// `null`, `~`, or an empty value.
    Null {
        /// Bytes of the value, or of the anchored value for an alias.
        literal: Range<usize>,
    },
    Bool(bool),
    Number {
        /// Bytes of the value, or of the anchored value for an alias.
        literal: Range<usize>,
    },
    /// Text; borrowed if the source contains it literally.
    String(Cow<'s, str>),
    Sequence(Vec<Node<'s>>),
    Mapping(Vec<(Node<'s>, Node<'s>)>),
}

/// Reads the file at a resolved path, or stdin for `-`. Messages show it as `name`.
///
/// # Errors
/// If the file cannot be read, is over 16 MiB, or is not UTF-8.
pub(super) fn read(name: &str, path: &Path) -> Result<Arc<Source>, Diagnostic> {
    let unreadable = |error: std::io::Error| {
        let hint = match error.kind() {
            _ if paths::is_unmatched_pattern(path, &error) => {
                "no file matches the pattern, or the shell does not expand patterns: name the files, or their folder, \
                 which means every `*.yaml` and `*.yml` file in it"
            }
            ErrorKind::NotFound => {
                "check the path, or write a first file: `flowbind export --tenant TENANT --out flowbind.yaml`"
            }
            _ => "name a desired-state file that can be read",
        };
        Diagnostic::error(Code::InputUnreadable, format!("cannot read `{name}`"))
            .caused_by(error.to_string())
            .hint(hint)
    };
    if paths::is_stdin(path) {
        return decode(name, paths::read_stdin().map_err(unreadable)?);
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than allowed distinguishes a file that is too large from one that just fits.
    file.take((MAX_BYTES as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    decode(name, &bytes)
}

/// Decodes bytes to a source without a byte order mark.
///
/// # Errors
/// If there are more than 16 MiB, or the bytes are not UTF-8.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Arc<Source>, Diagnostic> {
    if bytes.len() > MAX_BYTES {
        let problem = Diagnostic::error(Code::FileTooLarge, format!("`{name}` is larger than 16 MiB"));
        return Err(problem.hint("split it, for example into one file for each tenant"));
    }
    encoding::decode(bytes).map(|text| Source::new(name, text)).map_err(|invalid| {
        let bytes = encoding::strip_byte_order_mark(bytes);
        let source = Source::new(name, String::from_utf8_lossy(bytes));
        let at = invalid.valid_bytes();
        let span = source.span(at..at.saturating_add(1));
        error(Code::FileNotUtf8, format!("`{name}` is {invalid}"), &span, invalid.hint())
    })
}

/// Parses a source, which must be one YAML document within the limits of this module. The error describes the
/// first mistake, with its location and a hint.
///
/// # Errors
/// If the text is not valid YAML, at the first location that is not.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node<'_>, Diagnostic> {
    serde_yaml::from_str_with_options::<Spanned<Value<'_>>>(source.text(), options())
        .map(Node::from)
        .map_err(|failure| syntax_error(source, &failure))
}

fn options() -> Options {
    let aliases = serde_yaml::alias_limits! {
        max_total_replayed_events: MAX_ALIAS_NODES,
        max_alias_expansions_per_anchor: MAX_ALIAS_USES,
    };
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_anchors: MAX_ANCHORS,
            max_events: 3 * MAX_NODES,
            // Higher than the alias limits, so that an alias bomb is reported as one.
            max_recorded_anchor_events: 10 * MAX_NODES,
            // Hundreds of flows may share one anchor. The alias limits bound the expansion.
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

fn syntax_error(source: &Arc<Source>, failure: &serde_yaml::Error) -> Diagnostic {
    let location = failure.location().unwrap_or(Location::UNKNOWN);
    let range = byte_range(location).unwrap_or_else(|| {
        let at = source.offset(Position {
            line: usize::try_from(location.line()).unwrap_or(usize::MAX),
            column: usize::try_from(location.column()).unwrap_or(usize::MAX),
        });
        at..at
    });
    let span = source.span(range);
    let message = failure.to_string();
    // The location is shown with its line.
    let what = message.split(" at line ").next().unwrap_or(&message);
    use serde_yaml::Error as Yaml;
    let mut cause = failure.without_snippet();
    while let Yaml::AliasError { error, .. } = cause {
        cause = error;
    }
    let problem = |code, message: String, hint: &str| error(code, message, &span, hint);
    let alias_limit =
        |message: String| problem(Code::YamlLimit, message, "write the values out in place of the aliases");
    let size_limit = |breach: &BudgetBreach| {
        let hint = match breach {
            BudgetBreach::Depth { .. } => "nest less deeply; a desired-state file needs four levels",
            _ => "split the file, for example into one file for each tenant",
        };
        problem(Code::YamlLimit, format!("the file has {}", exceeded_limit(breach)), hint)
    };
    match cause {
        Yaml::MultipleDocuments { .. } => {
            let message = "only one YAML document per file is supported".to_owned();
            let before = source.text().get(..span.range().start).unwrap_or_default();
            let start = span.range().start;
            let separator = before.rfind("\n---").or_else(|| before.rfind("\n..."));
            let separator = separator.map_or(start, |at| at.saturating_add(1));
            let span = source.span(separator..separator.saturating_add(3));
            let line = span.position().line;
            let hint =
                format!("remove everything from `{}` (line {line}) on, or split the file", span.text());
            error(Code::UnsupportedYaml, message, &span, hint)
        }
        Yaml::AliasReplayLimitExceeded { .. } | Yaml::AliasReplayCounterOverflow { .. } => {
            alias_limit(format!("YAML aliases expand to more than {MAX_ALIAS_NODES} keys and values"))
        }
        Yaml::AliasExpansionLimitExceeded { .. } => {
            alias_limit(format!("a YAML anchor is used more than {MAX_ALIAS_USES} times"))
        }
        Yaml::AliasReplayStackDepthExceeded { max_depth, .. } => {
            alias_limit(format!("YAML aliases refer to one another through more than {max_depth} levels"))
        }
        Yaml::RecursiveReferencesRequireWeakTypes { .. } => {
            alias_limit("a YAML alias refers to itself".to_owned())
        }
        Yaml::Budget { breach, .. } => size_limit(breach),
        _ if what.contains("recursion limit") => size_limit(&BudgetBreach::Depth { depth: MAX_DEPTH }),
        Yaml::UnsupportedTag { tag, .. } => {
            let message = format!("YAML tags such as `{}` are not supported", truncate(tag));
            problem(Code::UnsupportedYaml, message, "remove the tag")
        }
        Yaml::TaggedScalarCannotDeserializeIntoString { .. } | Yaml::InvalidBooleanStrict { .. } => {
            let message = "the YAML tag does not match the value".to_owned();
            problem(Code::UnsupportedYaml, message, "remove the tag")
        }
        Yaml::UnknownAnchor { .. } => problem(
            Code::InvalidYaml,
            "invalid YAML: the alias has no anchor".to_owned(),
            "define the anchor with `&` before it is used, or quote a string that starts with `*`",
        ),
        _ => {
            let found = mistake_in_line(source, &span, what);
            let (Mistake { what, hint }, span) = found.unwrap_or_else(|| {
                let mistake = common_mistake(source, &span, what).unwrap_or_else(|| {
                    let hint = "indent with spaces, close quotes and brackets, and quote strings that contain `: ` \
                                or ` #` or start with one of `@ % * & ! | > [ {`";
                    Mistake::new(what, hint)
                });
                (mistake, span.clone())
            });
            error(Code::InvalidYaml, format!("invalid YAML: {what}"), &span, hint)
        }
    }
}

/// Returns the exceeded limit as text, such as `more than 16 levels of nesting`.
fn exceeded_limit(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Depth { .. } => format!("more than {MAX_DEPTH} levels of nesting"),
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("more than {MAX_NODES} keys and values")
        }
        BudgetBreach::Aliases { .. } => format!("more than {MAX_NODES} aliases"),
        BudgetBreach::Anchors { .. } => format!("more than {MAX_ANCHORS} anchors"),
        _ => "anchors that expand too far".to_owned(),
    }
}

fn byte_range(location: Location) -> Option<Range<usize>> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    Some(start..start.saturating_add(length))
}

impl<'s> From<Spanned<Value<'s>>> for Node<'s> {
    fn from(Spanned { value, referenced, defined }: Spanned<Value<'s>>) -> Self {
        Self {
            value: match value {
                Value::Null { .. } => Value::Null { literal: byte_range(defined).unwrap_or_default() },
                Value::Number { .. } => Value::Number { literal: byte_range(defined).unwrap_or_default() },
                other => other,
            },
            range: byte_range(referenced).unwrap_or_default(),
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
