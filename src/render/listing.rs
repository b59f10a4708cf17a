//! Renders a composed file as YAML, with the location of each value in a comment.

use unicode_width::UnicodeWidthStr as _;

use super::escape;
use crate::model::{Listing, ListingLine, Literal};

/// Maximum width of the column before the comments. Longer lines do not move the comments of the others.
const MAX_COLUMN: usize = 60;

/// Renders a file as YAML, below a comment with its name. A comment after each value has the file and line of
/// the value.
pub fn listing(listing: &Listing) -> String {
    let Listing { file, lines } = listing;
    let keys: Vec<_> = lines.iter().map(key_and_value).collect();
    let widths = lines.iter().zip(&keys).filter(|(line, _)| line.span.is_some()).map(|(_, key)| key.width());
    let width = widths.filter(|width| *width <= MAX_COLUMN).max().unwrap_or_default();
    let mut text = format!("# {}\n", escape::text(file));
    for (line, key) in lines.iter().zip(keys) {
        match &line.span {
            None => text.push_str(&key),
            Some(span) => {
                let padding = " ".repeat(width.saturating_sub(key.width()));
                let (file, line) = (span.source().name(), span.position().line);
                text.push_str(&format!("{key}{padding}  # {}:{line}", escape::text(file)));
            }
        }
        text.push('\n');
    }
    text
}

fn key_and_value(line: &ListingLine) -> String {
    let ListingLine { depth, key, value, span: _ } = line;
    let value = match value {
        None => String::new(),
        Some(Literal::Text(text)) => format!(" {}", escape::yaml(text)),
        Some(Literal::Yaml(yaml)) => format!(" {yaml}"),
    };
    format!("{}{value}", escape::yaml_key(key, depth.saturating_mul(2)))
}
