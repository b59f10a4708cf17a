//! Truncation of text that was received from other systems.

/// Returns the first 2,000 characters of a text, with an ellipsis if there are more.
pub(super) fn truncate(mut text: String) -> String {
    const MAX_CHARS: usize = 2_000;
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}
