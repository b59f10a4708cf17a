//! What nothing that is shown may hold, whatever its format.

/// Whether a terminal or a reader's eye would take a character for more than itself.
pub(crate) fn acts(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(char, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a pipeline's runner would take a command out of the text, which is part of a line.
fn commands(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("##[") || lower.contains("##vso[")
}

/// Panics where lines of text act.
pub(crate) fn assert_inert(text: &str) {
    assert!(!text.chars().any(|char| char != '\n' && acts(char)), "{text:?} acts");
    assert!(!commands(text), "{text:?} holds a command");
    let command = text.lines().find(|line| line.trim_start().starts_with("::"));
    assert_eq!(command, None, "a line is a command");
}

/// Panics where a line of workflow commands holds any but its own.
pub(crate) fn assert_inert_command(line: &str) {
    assert!(!line.chars().any(acts) && !commands(line), "{line:?} acts");
}
