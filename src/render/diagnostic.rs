//! Renders a [`Diagnostic`] as text: message, source line, causes, notes and hints.
//!
//! The layout is rustc's. The libraries that render it count columns in the text that they are given, which is
//! wrong once a line is escaped, and they print lines of megabytes completely; so it is rendered here.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::escape;
use crate::diagnostic::{Code, Diagnostic, Location, Severity, Span, secrets};

const STRONG: Style = Style::new().bold();
const FRAME: Style = AnsiColor::Blue.on_default().bold();

/// Number of characters of a long line that are shown before the marked text.
const MAX_BEFORE: usize = 60;

/// Number of characters of a long line that are shown from the marked text on.
const MAX_AFTER: usize = 80;

/// Number of characters before the marked text that are searched for the start of a URL.
const LOOK_BACK: usize = 2_000;

/// Renders one diagnostic, ending in a line end. The text is styled; the printer strips styles for outputs
/// without colors.
pub fn diagnostic(diagnostic: &Diagnostic) -> String {
    prefixed_diagnostic("", diagnostic)
}

/// Renders one diagnostic as styled, escaped lines, with a prefix before its message, such as the tenant:
/// severity, id and message, location with the source line if it is loaded, causes, notes, hints, and the
/// `flowbind explain` command.
pub fn prefixed_diagnostic(prefix: &str, diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity, code, message, location, causes, notes, hints } = diagnostic;
    let style = match severity {
        Severity::Error | Severity::Blocked => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
    };
    let (level, prefix, message) = (severity.name(), escape::text(prefix), escape::text(message));
    let mut text = format!("{style}{level}[{code}]{style:#}{STRONG}: {prefix}{message}{STRONG:#}\n");
    let mut indent = 1;
    match location.as_deref() {
        Some(Location::Span(span)) => {
            indent = span.position().line.to_string().len();
            text.push_str(&marked_line(span, style, indent));
        }
        Some(Location::Position(position)) => {
            let position = position.to_string();
            text.push_str(&format!("{:indent$}{FRAME}-->{FRAME:#} {}\n", "", escape::text(&position)));
        }
        None => {}
    }
    let mut push_detail = |name: &str, value: &str| {
        let value = escape::text(value);
        text.push_str(&format!("{:indent$} {FRAME}={FRAME:#} {STRONG}{name}{STRONG:#}: {value}\n", ""));
    };
    causes.iter().for_each(|cause| push_detail("cause", cause));
    notes.iter().for_each(|note| push_detail("note", note));
    hints.iter().for_each(|hint| push_detail("hint", hint));
    // The id of a usage error explains no more than the message.
    if *code != Code::Usage {
        push_detail("docs", &format!("flowbind explain {code}"));
    }
    text
}

/// Renders the location of a span and the line in which it starts, with carets below the span. The line is
/// truncated around the span and escaped; possible secrets in it are masked.
fn marked_line(span: &Span, style: Style, indent: usize) -> String {
    let line = span.position().line;
    let location = span.to_string();
    let location = escape::text(&location);
    let (before, marked, after) = excerpt(span);
    // A command of a pipeline runner may begin in one piece and end in the next.
    let has_command = escape_line(&[&*before, &marked, &after].concat()).contains(ESCAPED_HASH);
    let [before, marked, after] = [before, marked, after].map(|piece| {
        let piece = escape_line(&piece);
        if has_command { piece.replace('#', ESCAPED_HASH) } else { piece }
    });
    let offset = before.width();
    let carets = "^".repeat(marked.width().max(1));
    format!(
        "{:indent$}{FRAME}-->{FRAME:#} {location}\n\
         {:indent$} {FRAME}|{FRAME:#}\n\
         {FRAME}{line} |{FRAME:#} {before}{marked}{after}\n\
         {:indent$} {FRAME}|{FRAME:#} {:offset$}{style}{carets}{style:#}\n",
        "", "", "", ""
    )
    .replace(" \n", "\n")
}

/// Returns the line that a span starts in, in three pieces: the text before the span, the span as far as it
/// is in that line, and the text after it. Long pieces are truncated, and possible secrets are masked. Text
/// far away from the span is not read, because a line may have megabytes.
fn excerpt(span: &Span) -> (String, String, String) {
    let text = span.source().text();
    let range = span.range();
    let line_end = |char: &char| matches!(char, '\n' | '\r');
    let head = text.get(..range.start).unwrap_or_default();
    let tail = text.get(range.start..).unwrap_or_default();
    let marked = tail.char_indices().take_while(|(at, _)| *at < range.len()).take(MAX_AFTER).count();

    let mut line: Vec<_> = head.chars().rev().take_while(|char| !line_end(char)).take(LOOK_BACK).collect();
    line.reverse();
    let before = line.len();
    line.extend(tail.chars().take_while(|char| !line_end(char)).take(MAX_AFTER + 1));
    secrets::mask(&mut line);

    let (before, tail) = line.split_at(before);
    let (marked, after) = tail.split_at(marked.min(tail.len()));
    let cut_before = match before.len().checked_sub(MAX_BEFORE) {
        Some(over) if over > 0 => ['…'].iter().chain(before.iter().skip(over.saturating_add(1))).collect(),
        _ => before.iter().collect(),
    };
    let room = MAX_AFTER.saturating_sub(marked.len());
    let cut_after = if after.len() > room {
        after.iter().take(room.saturating_sub(1)).chain(&['…']).collect()
    } else {
        after.iter().collect()
    };
    (cut_before, marked.iter().collect(), cut_after)
}

/// Escape of a `#` that a command of a pipeline runner may begin with.
const ESCAPED_HASH: &str = "\\u{23}";

/// Escapes a piece of a source line for a terminal; each tab becomes four spaces.
fn escape_line(text: &str) -> String {
    escape::text(&text.replace('\t', "    ")).into_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::diagnostic::Source;

    fn plain(text: &str, range: std::ops::Range<usize>) -> String {
        let source = Source::new("a\u{1b}.yaml", text);
        let problem = Diagnostic::error(Code::InvalidValue, "`x` is wrong\n").at(&source.span(range));
        anstream::adapter::strip_str(&diagnostic(&problem.hint("fix it"))).to_string()
    }

    #[test]
    fn diagnostic_with_wide_and_unsafe_text_puts_carets_below_the_span() {
        expect![[r#"
            error[invalid-value]: `x` is wrong\n
             --> a\u{1b}.yaml:1:6
              |
            1 |     漢\u{202e}é bad end
              |                 ^^^
              = hint: fix it
              = docs: flowbind explain invalid-value
        "#]]
        .assert_eq(&plain("\t漢\u{202e}é bad end\nnext", 10..13));
    }

    #[test]
    fn diagnostic_on_a_long_line_truncates_both_ends() {
        let line = format!("{}bad{}", "a".repeat(1_000_000), "z".repeat(1_000_000));
        let shown = plain(&line, 1_000_000..1_000_003);
        assert!(shown.len() < 500, "{shown}");
        assert!(shown.contains(":1:1000001"), "{shown}");
        assert!(shown.contains("…aaa") && shown.contains("badzzz") && shown.contains("zzz…"), "{shown}");
    }

    #[test]
    fn diagnostic_on_a_url_masks_keys_and_keeps_columns() {
        let line = "a: https://user:pw@h/p?code=s3cr3t, b: x";
        let shown = plain(line, 39..40);
        assert!(shown.contains("1 | a: https://*******@h/p?***********, b: x\n"), "{shown}");
        assert!(shown.contains("\n  |                                        ^\n"), "{shown}");
        assert!(!plain(line, 3..34).contains("s3cr3t"));
    }

    #[test]
    fn diagnostic_inside_a_runner_command_escapes_every_hash() {
        for at in 2..8 {
            let shown = plain("a ##[error]x", at..at + 1);
            assert!(shown.contains("| a \\u{23}\\u{23}[error]x\n"), "{shown}");
        }
        assert!(plain("a ## [b", 2..3).contains("| a ## [b\n"));
    }

    #[test]
    fn diagnostic_at_the_end_or_over_several_lines_marks_one_line() {
        assert!(plain("a: b", 4..4).contains("\n  |     ^\n"));
        assert!(plain("ab\r\ncd", 0..6).contains("\n  | ^^\n"));
    }
}
