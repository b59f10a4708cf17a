use std::sync::Arc;

use super::super::files;
use super::*;

const VALID: &str = "version: 1
tenant: contoso.onmicrosoft.com
connectors:
  fraud-check: Fraud check
  age-gate:
    displayName: Age gate
    targetUrl: https://age.contoso.com/gate
guards:
  maxDisables: 3
flows:
  B2C_1_a:
    postFederationSignup: fraud-check
    postAttributeCollection: null
  B2C_1_b:
    postFederationSignup: {connector: fraud-check, protect: true}
    postAttributeCollection:
      connector: age-gate
      protect: false
  B2C_1_c: {postFederationSignup: age-gate}
prune: steps
";

/// Returns line, message and hints of each problem, in the order of the text.
fn problems(text: &str) -> Vec<(usize, String, String)> {
    let (_, problems) = files::parse(&Source::new("f", text));
    let shown = |problem: Diagnostic| {
        let line = problem.span().map_or(0, |span| span.position().line);
        (line, problem.message, problem.hints.join(" / "))
    };
    let mut shown: Vec<_> = problems.into_iter().map(shown).collect();
    shown.sort();
    shown
}

/// Returns the valid text with a slip in one line, for each line in which the slip can be made, with its number.
fn with_slip(slip: impl Fn(&str) -> Option<String>) -> Vec<(usize, String)> {
    let lines: Vec<_> = VALID.lines().collect();
    let text = |at: usize| {
        let mut lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines[at] = slip(lines[at].as_str())?;
        Some((at + 1, format!("{}\n", lines.join("\n"))))
    };
    (0..lines.len()).filter_map(text).collect()
}

/// Slip in a line, with a part of the message.
type LineSlip = (&'static str, fn(&str) -> Option<String>);

const SLIPS: [LineSlip; 6] = [
    ("missing space", |line| line.contains(": ").then(|| line.replacen(": ", ":", 1))),
    ("U+00A0", |line| line.contains(": ").then(|| line.replacen(": ", ":\u{a0}", 1))),
    ("indented with U+00A0", |line| line.starts_with("  ").then(|| line.replacen(' ', "\u{a0}", 1))),
    ("missing closing `}`", |line| line.ends_with('}').then(|| line.replace('}', ""))),
    ("variable", |line| {
        let (key, value) = line.split_once(": ")?;
        (!value.starts_with('{')).then(|| format!("{key}: {{{{ {value} }}}}"))
    }),
    ("missing `:`", |line| {
        let is_known = ["B2C", "post", "conn", "prot"].iter().any(|start| line.trim().starts_with(start));
        (is_known && line.starts_with("  ") && line.matches(':').count() == 1).then(|| line.replace(':', ""))
    }),
];

#[test]
fn one_slip_in_any_line_has_one_problem_there() {
    assert_eq!(problems(VALID), []);
    let mut wrong = Vec::new();
    for (expected, slip) in SLIPS {
        let texts = with_slip(slip);
        assert!(texts.len() > 1, "{expected}");
        wrong.extend(texts.into_iter().filter_map(|(line, text)| {
            let found = problems(&text);
            let is_right =
                matches!(&found[..], [(at, message, _)] if *at == line && message.contains(expected));
            (!is_right).then_some((expected, line, found))
        }));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn two_slips_have_one_problem_each() {
    let lines = VALID.replace("maxDisables: 3", "maxDisables:3").replace("protect: false", "protect:false");
    let lines: Vec<_> = problems(&lines).into_iter().map(|(line, _, _)| line).collect();
    assert_eq!(lines, [9, 18]);
}

#[test]
fn slip_does_not_hide_other_problems() {
    let text = VALID.replace("version: 1", "version:1").replace("prune: steps", "prune: all");
    let lines: Vec<_> = problems(&text).into_iter().map(|(line, _, _)| line).collect();
    assert_eq!(lines, [1, 20]);
}

#[test]
fn slips_of_layout_have_one_problem_with_the_corrected_text() {
    for (flows, line, message, hint) in [
        (
            "\n  B2C_1_a:\n    postFederationSignup: X\n   postAttributeCollection: null",
            4,
            "is indented less than `postFederationSignup`",
            "indent `postAttributeCollection` by 4 spaces",
        ),
        (
            "\n  B2C_1_a:\n    postFederationSignup: X\n     postAttributeCollection: null",
            4,
            "is indented deeper than `postFederationSignup`",
            "indent `postAttributeCollection` by 4 spaces",
        ),
        (
            "\n  B2C_1_a:postFederationSignup: X",
            2,
            "in the line of its flow",
            "write `B2C_1_a: {postFederationSignup: X}`",
        ),
        (
            "\n  B2C_1_a: postFederationSignup: X",
            2,
            "in the line of its flow",
            "write `B2C_1_a: {postFederationSignup: X}`",
        ),
        ("\n  B2C_1_a:\npostFederationSignup: X", 3, "is a step, not a key of the file", "below `B2C_1_a:`"),
        (
            "\nB2C_1_a:\n  postFederationSignup: X\nB2C_1_b: {}",
            2,
            "is a flow, not a key of the file",
            "below `flows:`",
        ),
        (
            "\n  B2C_1_a:\n    postFederationSignup:\n    connector: X\n    protect: true",
            4,
            "is a key of a binding, not of a flow",
            "indent `connector: X` below `postFederationSignup:`",
        ),
        (
            "\n  - B2C_1_a:\n      postFederationSignup: X\n  - B2C_1_b: {}",
            2,
            "`flows` is a list",
            "write `B2C_1_a:`",
        ),
        ("\n- B2C_1_a:\n    postFederationSignup: X", 2, "`flows` is a list", "write `B2C_1_a:`"),
        (
            "\n  B2C_1_a:\n    - postFederationSignup: X",
            3,
            "`B2C_1_a` is a list",
            "write `postFederationSignup: X`",
        ),
        (
            "\n  B2C_1_a: {postFederationSignup: X\n  B2C_1_b: {}",
            2,
            "missing closing `}`",
            "write `B2C_1_a: {postFederationSignup: X}`",
        ),
        (
            "\n  B2C_1_a: {}\n    postFederationSignup: X",
            2,
            "a value in its line, and steps below",
            "write `B2C_1_a:`",
        ),
        ("\n  B2C_1_a\n    postFederationSignup: X", 2, "missing `:` after `B2C_1_a`", "write `B2C_1_a:`"),
        (
            "\n  B2C_1_a:\n    postFederationSignup:null",
            3,
            "missing space",
            "write `postFederationSignup: null`",
        ),
        ("\n  B2C_1_a:\n    postFederationSignup: {{ x }}", 3, "is a variable", "write the value itself"),
        (" [", 1, "missing closing `]`", "write `flows: []`, or remove the bracket"),
        (
            "\n  B2C_1_a: [\n  B2C_1_b: {}",
            2,
            "missing closing `]`",
            "write `B2C_1_a: []`, or remove the bracket",
        ),
        (" [\n  B2C_1_a:\n    postFederationSignup: X", 1, "missing closing `]`", "write `flows:`"),
        (" {\n  B2C_1_a: {},\n  B2C_1_b: {}", 1, "missing closing `}`", "add `}` after `B2C_1_b: {}`"),
        (
            "\n  B2C_1_a:\n    postFederationSignup: \"X\n    postAttributeCollection: \"Y\"",
            3,
            "missing closing `\"`",
            "add `\"` at the end of the value",
        ),
        (
            "\n  B2C_1_a：\n    postFederationSignup: X",
            2,
            "`：` after `B2C_1_a` is not a colon",
            "write `B2C_1_a:`",
        ),
        (
            "\n  B2C_1_a:\n    postFederationSignup：X",
            3,
            "`：` after `postFederationSignup` is not a colon",
            "write `postFederationSignup: X`",
        ),
        ("\n  B2C_1_a:\n    postFederationSignup = X", 3, "missing `:`", "write `postFederationSignup: X`"),
        ("\n  // See the wiki\n  B2C_1_a: {}", 2, "`//` does not begin a comment", "with `#`"),
        (
            "\n\u{a0}\u{a0}B2C_1_a:\n\u{a0}\u{a0}\u{a0}\u{a0}postFederationSignup: X\n  B2C_1_b: {}",
            2,
            "indented with U+00A0",
            "in the next lines, up to `postFederationSignup: X`",
        ),
        (
            "\n  B2C_1_a:\n    \u{200b}postFederationSignup: X\n    postAttributeCollection: null",
            3,
            "indented with U+200B",
            "with 4 spaces",
        ),
    ] {
        let text = format!("version: 1\ntenant: contoso.onmicrosoft.com\nflows:{flows}\n");
        let found = problems(&text);
        assert!(
            matches!(&found[..], [(at, what, how)] if *at == line + 2 && what.contains(message) && how.contains(hint)),
            "{found:#?}\n{text}"
        );
    }
}

#[test]
fn text_that_looks_like_a_slip_has_no_problem() {
    for value in [
        "\"first\n      B2C_1_a:x\n      - protect:true {\"",
        "a:b{",
        "\"{connector:X\"",
        "X # {{ x }} a:b {",
    ] {
        let text = VALID.replace("Age gate", value);
        assert_eq!(problems(&text), [], "{text}");
        let found = problems(&text.replace("prune: steps", "prune: all"));
        assert!(matches!(&found[..], [(_, message, _)] if message == "invalid `prune`: `all`"), "{found:#?}");
    }
}

#[test]
fn repair_of_an_indentation_of_several_bytes_never_hides_the_problems_below_it() {
    for width in 1..8 {
        let indent = "\u{a0}".repeat(width);
        let text = VALID
            .replace("    postAttributeCollection: null", &format!("{indent}postAttributeCollection: null"))
            .replace("prune: steps", "prune: all");
        let is_below =
            |message: &str| message == "invalid `prune`: `all`" || message.starts_with("invalid YAML: ");
        let found = problems(&text);
        assert!(found.iter().any(|(_, message, _)| is_below(message)), "{found:#?}");
    }
}

#[test]
fn explain_of_many_lines_is_bounded() {
    let source = |text: String| Source::new("f", text);
    for line in ["a:b\n", "{", "- a: b\n", "  B2C_1_a:\n", "\u{a0}a\n", ",a:b", "{{ x }}\n", "a: [\n"] {
        let source: Arc<Source> = source(line.repeat(3_000));
        assert!(!files::parse(&source).1.is_empty());
        assert!(find(&source, MAX_SLIPS).len() <= MAX_SLIPS);
    }
}
