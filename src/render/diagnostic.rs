//! Renders a [`Diagnostic`] as text: message, source line, causes, notes and hints.
//!
//! The layout is rustc's. The libraries that render it count columns in the text that they are given, which is
//! wrong once a line is escaped, and they print lines of megabytes completely; so it is rendered here.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::escape;
use crate::diagnostic::{Code, Diagnostic, Location, Severity, Span};

const STRONG: Style = Style::new().bold();
const FRAME: Style = AnsiColor::Blue.on_default().bold();

/// Numbers of characters of a long line that are shown before the mark, and from it on.
const BEFORE: usize = 60;
const AFTER: usize = 80;

/// Distance in characters within which a URL is searched that reaches into the shown part.
const LOOK_BACK: usize = 2_000;

/// Renders one diagnostic, ending in a line end. The text is styled; the printer strips styles for outputs
/// without colors.
pub fn diagnostic(diagnostic: &Diagnostic) -> String {
    prefixed_diagnostic("", diagnostic)
}

/// Renders one diagnostic with a prefix before its message, such as the tenant.
pub fn prefixed_diagnostic(prefix: &str, diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity, code, message, location, causes, notes, hints } = diagnostic;
    let style = match severity {
        Severity::Error | Severity::Blocked => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
    };
    let (level, prefix, message) = (severity.name(), escape::text(prefix), escape::text(message));
    let mut text = format!("{style}{level}[{code}]{style:#}{STRONG}: {prefix}{message}{STRONG:#}\n");
    let mut indent = 1;
    match location {
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
    let mut line = |name: &str, value: &str| {
        let value = escape::text(value);
        text.push_str(&format!("{:indent$} {FRAME}={FRAME:#} {STRONG}{name}{STRONG:#}: {value}\n", ""));
    };
    causes.iter().for_each(|cause| line("cause", cause));
    notes.iter().for_each(|note| line("note", note));
    hints.iter().for_each(|hint| line("hint", hint));
    // The id of a usage error explains no more than the message.
    if *code != Code::Usage {
        line("docs", &format!("flowbind explain {code}"));
    }
    text
}

fn marked_line(span: &Span, style: Style, indent: usize) -> String {
    let line = span.position().line;
    let place = span.to_string();
    let place = escape::text(&place);
    let (before, marked, after) = cut(span);
    // A runner's command may begin in one piece and end in the next.
    let is_command = shown(&[&*before, &marked, &after].concat()).contains(HASH);
    let [before, marked, after] = [before, marked, after].map(|piece| {
        let piece = shown(&piece);
        if is_command { piece.replace('#', HASH) } else { piece }
    });
    let offset = before.width();
    let carets = "^".repeat(marked.width().max(1));
    format!(
        "{:indent$}{FRAME}-->{FRAME:#} {place}\n\
         {:indent$} {FRAME}|{FRAME:#}\n\
         {FRAME}{line} |{FRAME:#} {before}{marked}{after}\n\
         {:indent$} {FRAME}|{FRAME:#} {:offset$}{style}{carets}{style:#}\n",
        "", "", "", ""
    )
    .replace(" \n", "\n")
}

/// The line that a span starts in: what stands before it, the span as far as it is in that line,
/// and what follows. Ends of a long line are cut off, and never looked at.
fn cut(span: &Span) -> (String, String, String) {
    let text = span.source().text();
    let range = span.range();
    let line_end = |char: &char| matches!(char, '\n' | '\r');
    let head = text.get(..range.start).unwrap_or_default();
    let tail = text.get(range.start..).unwrap_or_default();
    let marked = tail.char_indices().take_while(|(at, _)| *at < range.len()).take(AFTER).count();

    let mut line: Vec<_> = head.chars().rev().take_while(|char| !line_end(char)).take(LOOK_BACK).collect();
    line.reverse();
    let before = line.len();
    line.extend(tail.chars().take_while(|char| !line_end(char)).take(AFTER + 1));
    mask_secrets(&mut line);

    let (before, tail) = line.split_at(before);
    let (marked, after) = tail.split_at(marked.min(tail.len()));
    let cut_before = match before.len().checked_sub(BEFORE) {
        Some(over) if over > 0 => ['…'].iter().chain(before.iter().skip(over.saturating_add(1))).collect(),
        _ => before.iter().collect(),
    };
    let room = AFTER.saturating_sub(marked.len());
    let cut_after = if after.len() > room {
        after.iter().take(room.saturating_sub(1)).chain(&['…']).collect()
    } else {
        after.iter().collect()
    };
    (cut_before, marked.iter().collect(), cut_after)
}

/// Hides what may be a key in a URL: user info, query and fragment. Each character stays one, so
/// that columns stay what they are.
fn mask_secrets(line: &mut [char]) {
    let mut rest = line;
    while let Some(at) = rest.windows(3).position(|three| three == [':', '/', '/']) {
        let (_, url) = rest.split_at_mut(at.saturating_add(3));
        let ends = |char: &char| char.is_whitespace() || matches!(char, '"' | '\'' | '}' | ',' | '`');
        let end = url.iter().position(ends).unwrap_or(url.len());
        let (url, after) = url.split_at_mut(end);
        let query = url.iter().position(|char| matches!(char, '?' | '#')).unwrap_or(url.len());
        let path = url.iter().position(|char| *char == '/').unwrap_or(url.len()).min(query);
        let host = url.iter().take(path).rposition(|char| *char == '@').unwrap_or(0);
        for (at, char) in url.iter_mut().enumerate() {
            if at < host || at > query {
                *char = '*';
            }
        }
        rest = after;
    }
}

/// How a hash is shown that a command may begin with.
const HASH: &str = "\\u{23}";

fn shown(text: &str) -> String {
    escape::text(&text.replace('\t', "    ")).into_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::diagnostic::Source;

    fn plain(text: &str, range: std::ops::Range<usize>) -> String {
        let source = Source::new("a\u{1b}.yaml", text);
        let diagnostic_ =
            Diagnostic::error(Code::InvalidValue, "`x` is wrong\n").at(&source.span(range)).hint("fix it");
        anstream::adapter::strip_str(&diagnostic(&diagnostic_)).to_string()
    }

    #[test]
    fn the_mark_stands_under_the_place_whatever_stands_before_it() {
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
    fn a_long_line_is_cut_on_both_sides() {
        let line = format!("{}bad{}", "a".repeat(1_000_000), "z".repeat(1_000_000));
        let shown = plain(&line, 1_000_000..1_000_003);
        assert!(shown.len() < 500, "{shown}");
        assert!(shown.contains(":1:1000001"), "{shown}");
        assert!(shown.contains("…aaa") && shown.contains("badzzz") && shown.contains("zzz…"), "{shown}");
    }

    #[test]
    fn what_may_be_a_key_in_a_url_is_hidden_and_columns_stay() {
        let line = "a: https://user:pw@h/p?code=s3cr3t, b: x";
        let shown = plain(line, 39..40);
        assert!(shown.contains("1 | a: https://*******@h/p?***********, b: x\n"), "{shown}");
        assert!(shown.contains("\n  |                                        ^\n"), "{shown}");
        assert!(!plain(line, 3..34).contains("s3cr3t"));
    }

    #[test]
    fn no_command_is_put_together_of_what_stands_before_the_mark_and_after_it() {
        for at in 2..8 {
            let shown = plain("a ##[error]x", at..at + 1);
            assert!(shown.contains("| a \\u{23}\\u{23}[error]x\n"), "{shown}");
        }
        assert!(plain("a ## [b", 2..3).contains("| a ## [b\n"));
    }

    #[test]
    fn a_mark_at_the_end_of_the_file_or_over_several_lines_stays_in_its_line() {
        assert!(plain("a: b", 4..4).contains("\n  |     ^\n"));
        assert!(plain("ab\r\ncd", 0..6).contains("\n  | ^^\n"));
    }
}
