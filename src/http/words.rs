//! What others say, as long as a person reads on.

/// The beginning of what somebody said, with a mark where there is more.
pub fn cut(mut words: String) -> String {
    const LONGEST: usize = 2_000;
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}
