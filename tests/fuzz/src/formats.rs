//! Formats: whatever stands in a plan or a report, each format's own reader reads it, and nothing
//! in it acts.

use std::sync::Arc;

use flowbind::apply::{Outcome, Report};
use flowbind::files;
use flowbind::model::{Action, Api, Cloud, Step};
use flowbind::plan::{
    BrokenPin, Change, InSync, Member, Part, Place, Plan, Problem, Refusal, Shard, Target, Unknown, Unmanaged,
};
use flowbind::render::{self, Document, Drift, Format, escape};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use super::escape::{label, workflow_command};
use super::inert::{assert_inert, assert_inert_command};
use super::pieces::Pieces;

const AT: &str = "2026-11-02T08:00:00Z";

/// A plan, what it says of drift, or its report, made of the texts of the input.
pub fn formats(data: &[u8]) {
    let Some(mut pieces) = Pieces::of(data) else { return };
    // Several targets have columns of their own.
    let targets = 1 + pieces.count() % 2;
    let shown = pieces.count() / 2 % 3;
    let plan = Plan {
        targets: (0..targets).map(|_| target(&mut pieces)).collect(),
        errors: (0..2).map(|at| problem(&mut pieces, at == 0)).collect(),
        part: part(&mut pieces),
    };
    let gone: Vec<_> = plan.targets.iter().map(|target| target.unmanaged.clone()).collect();
    let report = report(&plan, &mut pieces);
    saved(&files::plan::to_json(&plan, AT));
    saved(&files::report::to_json(&report, AT, AT));
    text(&render::plan_text(&plan));
    text(&render::report_text(&report));
    let drift = Drift { plan: &plan, gone: &gone, strict: true };
    let document = [Document::Plan(&plan), Document::Drift(drift), Document::Report(&report)][shown];
    let drawn = |format| document.draw(format, AT).expect("a format that is drawn");
    markdown(&drawn(Format::Markdown));
    diff(&drawn(Format::Diff));
    github(&drawn(Format::Github));
    outputs(&render::github_outputs(document));
    junit(&drawn(Format::Junit));
    html(&drawn(Format::Html));
    prometheus(&drawn(Format::Prom), &plan);
}

fn part(pieces: &mut Pieces<'_>) -> Option<Part> {
    let shard = Shard::new(pieces.number() as u32 % 5, 3)?;
    let fleet = (0..2).map(|_| Member { file: pieces.string(), tenant: pieces.string() });
    Some(Part { shard, fleet: fleet.collect() })
}

fn target(pieces: &mut Pieces<'_>) -> Target {
    let place = |pieces: &mut Pieces<'_>| Place { file: pieces.string(), line: pieces.number(), column: 1 };
    let changes = Action::ALL.map(|action| {
        let (current, desired) = (pieces.connector(), pieces.connector());
        Change {
            flow: pieces.flow(),
            step: Step::ALL[pieces.number() % 3],
            action,
            current: (action != Action::Enable).then_some(current),
            desired: (action != Action::Disable).then_some(desired),
            protected: pieces.number() % 2 == 1,
            pin: pieces.text().parse().ok().map(Arc::new),
            source: place(pieces),
        }
    });
    Target {
        tenant: pieces.string(),
        tenant_id: pieces.option(),
        client_id: pieces.option(),
        cloud: Cloud::ALL[pieces.number() % 4],
        api: Api::ALL[pieces.number() % 2],
        graph_url: pieces.string(),
        file: pieces.string(),
        changes: changes.into(),
        unchanged: pieces.number(),
        in_sync: vec![InSync {
            flow: pieces.flow(),
            step: Step::ALL[pieces.number() % 3],
            current: Some(pieces.connector()),
            source: place(pieces),
        }],
        unmanaged: vec![Unmanaged {
            flow: pieces.flow(),
            step: Step::ALL[pieces.number() % 3],
            current: Some(pieces.connector()),
        }],
        unknown: vec![Unknown {
            flow: pieces.flow(),
            step: Step::ALL[pieces.number() % 3],
            error: pieces.text().into(),
        }],
        pins: vec![BrokenPin {
            connector: pieces.connector(),
            expected: pieces.string(),
            actual: pieces.option(),
        }],
        refusals: vec![Refusal { reason: pieces.string(), allow: pieces.option() }],
        overrides: vec![pieces.string()],
        warnings: vec![pieces.string()],
    }
}

fn problem(pieces: &mut Pieces<'_>, has_place: bool) -> Problem {
    let place = Place { file: pieces.string(), line: pieces.number(), column: pieces.number() };
    Problem { message: pieces.string(), place: has_place.then_some(place), tenant: pieces.option() }
}

fn report(plan: &Plan, pieces: &mut Pieces<'_>) -> Report {
    let mut report = Report::not_attempted(plan);
    report.fingerprint = pieces.string();
    for change in report.targets.iter_mut().flat_map(|target| &mut target.changes) {
        change.outcome = Outcome::ALL[pieces.number() % 5];
        change.request_id = pieces.option();
        change.error = pieces.option();
    }
    report
}

/// As it is shown: the same values, and nothing that acts.
fn saved(json: &str) {
    let shown = escape::json(json);
    assert_inert(&shown);
    let read = |text| serde_json::from_str::<Value>(text).ok();
    assert!(read(&shown).is_some() && read(&shown) == read(json), "{shown}");
}

fn text(styled: &str) {
    assert_inert(&anstream::adapter::strip_str(styled).to_string());
}

/// Tables whose rows are as wide as their heads, names in code elements, and no element, link or
/// emphasis but our own.
fn markdown(comment: &str) {
    assert!(comment.len() <= 60_000, "{}", comment.len());
    assert_inert(comment);
    let mut options = Options::all();
    options.remove(Options::ENABLE_SMART_PUNCTUATION);
    let (mut columns, mut cells, mut code, mut fenced) = (0, 0, false, false);
    for event in Parser::new_ext(comment, options) {
        match event {
            Event::Start(Tag::Table(alignments)) => columns = alignments.len(),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => assert_eq!(cells, columns, "{comment}"),
            Event::InlineHtml(html) => {
                assert_eq!(&*html, if code { "</code>" } else { "<code>" }, "{comment}");
                code = !code;
            }
            Event::Html(html) => {
                let ours =
                    ["<!-- flowbind:", "</details>\n", "<details><summary>", "<details open><summary>"];
                assert!(ours.iter().any(|ours| html.starts_with(ours)), "{html} in {comment}");
                assert!(html.matches('<').count() <= 4, "{html}");
            }
            Event::Start(Tag::CodeBlock(_)) => fenced = true,
            Event::End(TagEnd::CodeBlock) => fenced = false,
            Event::Text(text) if !code && !fenced => {
                assert!(!text.contains(['@', '#', '$', '|']) && !text.contains("://"), "{text} in {comment}");
            }
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
}

/// Each line says by its first character what it is.
fn diff(diff: &str) {
    assert_inert(diff);
    for line in diff.lines() {
        assert!(line.starts_with([' ', '+', '-']) || line.starts_with("@@ -"), "{line:?} in {diff}");
    }
}

/// Each line is one command with a title, as the runner reads it.
fn github(commands: &str) {
    for line in commands.lines() {
        assert_inert_command(line);
        let (name, properties, _) = workflow_command(line).expect("a command");
        assert!(["error", "warning", "notice"].contains(&name), "{line}");
        let names: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
        assert!(names == ["title"] || names == ["file", "line", "col", "title"], "{line}");
    }
}

fn outputs(outputs: &str) {
    let names: Vec<_> = outputs.lines().map(|line| line.split_once('=').expect("name and value").0).collect();
    assert_eq!(names, ["changes", "enable", "replace", "disable", "drift", "fingerprint", "refused"]);
}

fn junit(suites: &str) {
    assert_inert(suites);
    let document = roxmltree::Document::parse(suites).expect("XML");
    let ours = ["testsuites", "testsuite", "testcase", "failure", "error", "skipped"];
    for element in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(ours.contains(&element.tag_name().name()), "{element:?}");
    }
    let count = |name| document.descendants().filter(|node| node.has_tag_name(name)).count().to_string();
    let root = document.root_element();
    assert_eq!(root.attribute("tests"), Some(&*count("testcase")));
    assert_eq!(root.attribute("failures"), Some(&*count("failure")));
    assert_eq!(root.attribute("errors"), Some(&*count("error")));
}

fn html(page: &str) {
    assert_inert(page);
    let document = scraper::Html::parse_document(page);
    assert_eq!(document.errors, Vec::<String>::new(), "{page}");
    let ours = [
        "article", "b", "body", "form", "h1", "h2", "h3", "head", "header", "html", "input", "label", "li",
        "main", "meta", "ol", "option", "output", "p", "script", "section", "select", "span", "style",
        "title",
    ];
    for element in document.tree.nodes().filter_map(|node| node.value().as_element()) {
        assert!(ours.contains(&element.name()), "{} in {page}", element.name());
        for (name, _) in element.attrs() {
            assert!(!name.starts_with("on") && !["src", "href", "style"].contains(&name), "{name} in {page}");
        }
    }
}

/// Each line is a comment or a sample whose labels can be read, its tenant one of the plan's.
fn prometheus(samples: &str, plan: &Plan) {
    assert_inert(samples);
    let tenants: Vec<_> = plan.targets.iter().map(|target| escape::text(&target.tenant)).collect();
    for line in samples.lines().filter(|line| !line.starts_with("# HELP ") && !line.starts_with("# TYPE ")) {
        let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
        assert!(value.parse::<i64>().is_ok(), "{line}");
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
        let mut rest = labels.strip_suffix('}').expect("closed");
        while let Some((name, after)) = rest.split_once("=\"") {
            assert!(
                ["tenant", "action", "outcome", "command"].contains(&name.trim_start_matches(',')),
                "{line}"
            );
            let bytes = after.as_bytes();
            let quote = |at: &usize| {
                let slashes = bytes[..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
                bytes[*at] == b'"' && slashes % 2 == 0
            };
            let end = (0..bytes.len()).find(quote).expect("closed");
            let value = label(&after[..end]);
            if name == "tenant" {
                assert!(tenants.iter().any(|tenant| *tenant == value), "{line}");
            }
            rest = &after[end + 1..];
        }
        assert_eq!(rest, "", "{line}");
    }
}
