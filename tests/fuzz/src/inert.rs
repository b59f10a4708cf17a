//! Content that no output may contain, whatever its format.

/// Returns whether a character controls a terminal, changes the text direction or is invisible.
pub(crate) fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(char, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Returns whether the text contains a command of a pipeline runner within a line.
fn contains_runner_command(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("##[") || lower.contains("##vso[")
}

/// Panics if a text contains unsafe characters or runner commands.
pub(crate) fn assert_inert(text: &str) {
    assert!(!text.chars().any(|char| char != '\n' && is_unsafe(char)), "unsafe character in {text:?}");
    assert!(!contains_runner_command(text), "runner command in {text:?}");
    let command = text.lines().find(|line| line.trim_start().starts_with("::"));
    assert_eq!(command, None, "workflow command");
}

/// Panics if a line with one workflow command contains unsafe characters or another runner command.
pub(crate) fn assert_inert_command(line: &str) {
    assert!(!line.chars().any(is_unsafe) && !contains_runner_command(line), "unsafe content in {line:?}");
}
