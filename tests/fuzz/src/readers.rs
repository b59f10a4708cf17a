//! Parsers of the output formats. Each checks that the output contains only expected elements, and
//! returns its content as a reader sees it.

use std::collections::BTreeMap;

use flowbind::render::escape;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::escape::{parse_label, parse_workflow_command};
use super::inert::{assert_inert, assert_inert_command};

/// Parses Markdown. Checks the number of columns of each row, and that there are only known elements and
/// no links. Returns the texts of code elements and the number of rows.
pub(crate) fn markdown(comment: &str) -> (Vec<String>, usize) {
    assert!(comment.len() <= 60_000, "{}", comment.len());
    assert_inert(comment);
    let mut options = Options::all();
    options.remove(Options::ENABLE_SMART_PUNCTUATION);
    let (mut columns, mut cells, mut code, mut fenced) = (0, 0, false, false);
    let (mut codes, mut rows) = (Vec::<String>::new(), 0);
    for event in Parser::new_ext(comment, options) {
        match event {
            Event::Start(Tag::Table(alignments)) => columns = alignments.len(),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                assert_eq!(cells, columns, "{comment}");
                rows += 1;
            }
            Event::InlineHtml(html) => {
                assert_eq!(&*html, if code { "</code>" } else { "<code>" }, "{comment}");
                code = !code;
                codes.extend(code.then(String::new));
            }
            Event::Html(html) => {
                let allowed =
                    ["<!-- flowbind:", "</details>\n", "<details><summary>", "<details open><summary>"];
                assert!(allowed.iter().any(|allowed| html.starts_with(allowed)), "{html} in {comment}");
                assert!(html.matches('<').count() <= 4, "{html}");
            }
            Event::Start(Tag::CodeBlock(_)) => fenced = true,
            Event::End(TagEnd::CodeBlock) => fenced = false,
            Event::Text(text) if !code && !fenced => {
                assert!(!text.contains(['@', '#', '$', '|']) && !text.contains("://"), "{text} in {comment}");
            }
            Event::Text(text) if code => codes.last_mut().expect("a code element").push_str(&text),
            Event::Text(_) | Event::End(_) | Event::SoftBreak | Event::Code(_) => {}
            Event::Start(
                Tag::Paragraph
                | Tag::Heading { .. }
                | Tag::List(None)
                | Tag::Item
                | Tag::Strong
                | Tag::HtmlBlock,
            ) => {}
            event => panic!("{event:?} in {comment}"),
        }
    }
    assert!(!code && !fenced, "{comment}");
    (codes, rows)
}

/// Parses a diff, with comments before it. Returns the lines without their first character.
pub(crate) fn diff(diff: &str) -> Vec<&str> {
    assert_inert(diff);
    for line in diff.lines() {
        let is_special = line.starts_with("@@ -") || line.starts_with("# ");
        assert!(line.starts_with([' ', '+', '-']) || is_special, "{line:?} in {diff}");
    }
    diff.lines().map(|line| &line[1..]).collect()
}

/// Parses workflow commands, one per line. Returns the titles.
pub(crate) fn github(commands: &str) -> Vec<String> {
    let title = |line| {
        assert_inert_command(line);
        let (name, properties, _) = parse_workflow_command(line).expect("a command");
        assert!(["error", "warning", "notice"].contains(&name), "{line}");
        let names: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
        assert!(names == ["title"] || names == ["file", "line", "col", "title"], "{line}");
        properties.into_iter().next_back().expect("a title").1
    };
    commands.lines().map(title).collect()
}

/// Parses workflow outputs, one `NAME=VALUE` per line. Returns the values.
pub(crate) fn outputs(outputs: &str) -> Vec<&str> {
    let (names, values): (Vec<_>, Vec<_>) =
        outputs.lines().map(|line| line.split_once('=').expect("name and value")).unzip();
    let of_plan =
        ["changes", "enable", "replace", "disable", "drift", "fingerprint", "refused", "fingerprints"];
    let of_report = &of_plan[..7];
    let of_drift = ["differences", "new", "drift", "fingerprint"];
    assert!(names == of_plan || names == of_report || names == of_drift, "{names:?}");
    values
}

/// Parses JUnit XML. Checks elements and counts. Returns class and name of each case.
pub(crate) fn junit(suites: &str) -> Vec<(String, String)> {
    assert_inert(suites);
    let document = roxmltree::Document::parse(suites).expect("XML");
    let allowed = ["testsuites", "testsuite", "testcase", "failure", "error", "skipped"];
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(allowed.contains(&element.tag_name().name()), "{element:?}");
    }
    let count = |name| document.descendants().filter(|node| node.has_tag_name(name)).count().to_string();
    let root = document.root_element();
    assert_eq!(root.attribute("tests"), Some(&*count("testcase")));
    assert_eq!(root.attribute("failures"), Some(&*count("failure")));
    assert_eq!(root.attribute("errors"), Some(&*count("error")));
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let of = |case: roxmltree::Node<'_, '_>, name| case.attribute(name).expect("an attribute").to_owned();
    cases.map(|case| (of(case, "classname"), of(case, "name"))).collect()
}

/// Allowed elements of an HTML page.
pub(crate) const ELEMENTS: [&str; 25] = [
    "article", "b", "body", "form", "h1", "h2", "h3", "head", "header", "html", "input", "label", "li",
    "main", "meta", "ol", "option", "output", "p", "script", "section", "select", "span", "style", "title",
];

/// Parses an HTML page. Checks that it has only allowed elements, no event handlers and no links. Returns
/// the headings of the flows.
pub(crate) fn html(page: &str) -> Vec<String> {
    assert_inert(page);
    let document = scraper::Html::parse_document(page);
    assert_eq!(document.errors, Vec::<String>::new(), "{page}");
    for element in document.tree.nodes().filter_map(|node| node.value().as_element()) {
        assert!(ELEMENTS.contains(&element.name()), "{} in {page}", element.name());
        for (name, _) in element.attrs() {
            assert!(!name.starts_with("on") && !["src", "href", "style"].contains(&name), "{name} in {page}");
        }
    }
    let headings = scraper::Selector::parse("h3").expect("a selector");
    document.select(&headings).map(|heading| heading.text().collect()).collect()
}

/// Parses Prometheus samples. Checks that each `tenant` label is one of `tenants`. Returns the sum of each
/// metric.
pub(crate) fn prometheus<'a>(samples: &'a str, tenants: &[&str]) -> BTreeMap<&'a str, i64> {
    assert_inert(samples);
    let tenants: Vec<_> = tenants.iter().map(|tenant| escape::text(tenant)).collect();
    let mut sums = BTreeMap::new();
    for line in samples.lines().filter(|line| !line.starts_with("# HELP ") && !line.starts_with("# TYPE ")) {
        let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
        let value: i64 = value.parse().expect("a number");
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        assert!(name.starts_with("flowbind_"), "{line}");
        *sums.entry(name).or_default() += value;
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
        let mut rest = labels.strip_suffix('}').expect("closed");
        while let Some((name, after)) = rest.split_once("=\"") {
            assert!(
                [
                    "tenant",
                    "action",
                    "outcome",
                    "command",
                    "connector",
                    "kind",
                    "flow",
                    "step",
                    "label",
                    "shard"
                ]
                .contains(&name.trim_start_matches(',')),
                "{line}"
            );
            let bytes = after.as_bytes();
            let quote = |at: &usize| {
                let slashes = bytes[..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
                bytes[*at] == b'"' && slashes % 2 == 0
            };
            let end = (0..bytes.len()).find(quote).expect("closed");
            let value = parse_label(&after[..end]);
            if name == "tenant" {
                assert!(tenants.iter().any(|tenant| *tenant == value), "{line}");
            }
            rest = &after[end + 1..];
        }
        assert_eq!(rest, "", "{line}");
    }
    sums
}
