//! Explicit nulls in YAML text. To YAML, a key without a value is also null, but it must not disable a
//! binding.

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];
const BREAKS: [char; 2] = ['\n', '\r'];

/// Returns whether a scalar is an explicit null, or an alias of one or of a mapping that contains one.
/// Aliases are resolved in the text before them.
pub(crate) fn is_explicit_null(word: &str, before: &str) -> bool {
    let Some(name) = word.strip_prefix('*') else { return ["null", "Null", "NULL", "~"].contains(&word) };
    let anchor = format!("&{name}");
    before.match_indices(&anchor).any(|(at, _)| {
        let (above, after) = (&before[..at], &before[at + anchor.len()..]);
        let value = value(after);
        let mut words = value.split(|char| BLANKS.contains(&char) || ",:{}[]".contains(char));
        let is_mapping = value.starts_with('{') || is_deeper(above, &after[..after.len() - value.len()]);
        after.starts_with(BLANKS)
            && (words.next().is_some_and(|word| !word.starts_with('*') && is_explicit_null(word, above))
                || is_mapping && words.any(|word| is_explicit_null(word, above)))
    })
}

/// Returns the text after the tag and comments of an anchor.
fn value(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(BLANKS);
        let end = match text.chars().next() {
            Some('!') => text.find(BLANKS),
            Some('#') => text.find(BREAKS),
            _ => return text,
        };
        text = &text[end.unwrap_or(text.len())..];
    }
}

/// Returns whether the text after a gap belongs to the value of the anchor's line, by its indentation.
fn is_deeper(above: &str, gap: &str) -> bool {
    let line = &above[above.rfind(BREAKS).map_or(0, |at| at + 1)..];
    let indent = line.len() - line.trim_start_matches(' ').len();
    let Some(at) = gap.rfind(BREAKS) else { return false };
    let depth = gap.len() - at - 1;
    depth > indent || depth == indent && line.trim_start_matches(' ').is_empty()
}
