//! A [`Diagnostic`] as text: what, where with the source line marked, causes, hints.
//!
//! The look is rustc's. The libraries that draw it count columns in the text that they are given,
//! which is wrong once a line is escaped, and take a line of megabytes whole; so it is drawn here.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::escape;
use crate::diagnostic::{Diagnostic, Severity, Span};

const STRONG: Style = Style::new().bold();
const FRAME: Style = AnsiColor::Blue.on_default().bold();

/// How many characters of a long line are shown before the mark, and from it on.
const BEFORE: usize = 60;
const AFTER: usize = 80;

/// Draws one diagnostic, ending in a line end. Styled: what prints it strips the styles where they
/// are not wanted.
pub fn diagnostic(diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity, what, span, causes, hints } = diagnostic;
    let (level, style) = match severity {
        Severity::Error => ("error", AnsiColor::Red.on_default().bold()),
        Severity::Warning => ("warning", AnsiColor::Yellow.on_default().bold()),
    };
    let what = escape::text(what);
    let mut text = format!("{style}{level}{style:#}{STRONG}: {what}{STRONG:#}\n");
    let mut indent = 1;
    if let Some(span) = span {
        indent = span.position().line.to_string().len();
        text.push_str(&marked_line(span, style, indent));
    }
    let notes = causes.iter().map(|cause| ("caused by", cause));
    for (name, note) in notes.chain(hints.iter().map(|hint| ("hint", hint))) {
        let note = escape::text(note);
        text.push_str(&format!("{:indent$} {FRAME}={FRAME:#} {STRONG}{name}{STRONG:#}: {note}\n", ""));
    }
    text
}

fn marked_line(span: &Span, style: Style, indent: usize) -> String {
    let line = span.position().line;
    let place = span.to_string();
    let place = escape::text(&place);
    let (before, marked, after) = cut(span);
    let (before, marked, after) = (shown(&before), shown(&marked), shown(&after));
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
/// and what follows. Ends of a long line are cut off.
fn cut(span: &Span) -> (String, String, String) {
    let text = span.source().text();
    let range = span.range();
    let line_end = |char| matches!(char, '\n' | '\r');
    let head = text.get(..range.start).unwrap_or_default();
    let tail = text.get(range.start..).unwrap_or_default();
    let tail = tail.split(line_end).next().unwrap_or_default();
    let length = range.len().min(tail.len());
    let (marked, after) = tail.split_at_checked(length).unwrap_or((tail, ""));

    let mut before: Vec<char> =
        head.chars().rev().take_while(|char| !line_end(*char)).take(BEFORE + 1).collect();
    if before.len() > BEFORE {
        before.truncate(BEFORE - 1);
        before.push('…');
    }
    let before = before.into_iter().rev().collect();
    let marked = shortened(marked, AFTER);
    let after = shortened(after, AFTER.saturating_sub(marked.chars().count()));
    (before, marked, after)
}

fn shortened(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        None => text.to_owned(),
        Some(_) => text.chars().take(length.saturating_sub(1)).chain(['…']).collect(),
    }
}

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
        let diagnostic_ = Diagnostic::error("`x` is wrong\n").at(&source.span(range)).hint("mend it");
        anstream::adapter::strip_str(&diagnostic(&diagnostic_)).to_string()
    }

    #[test]
    fn the_mark_stands_under_the_place_whatever_stands_before_it() {
        expect![[r#"
            error: `x` is wrong\n
             --> a\u{1b}.yaml:1:6
              |
            1 |     漢\u{202e}é bad end
              |                 ^^^
              = hint: mend it
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
    fn a_mark_at_the_end_of_the_file_or_over_several_lines_stays_in_its_line() {
        assert!(plain("a: b", 4..4).contains("\n  |     ^\n"));
        assert!(plain("ab\r\ncd", 0..6).contains("\n  | ^^\n"));
    }
}
