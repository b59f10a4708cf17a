//! Formats: whatever stands in a plan or a report, each format's own reader reads it, and nothing
//! in it acts.

use std::sync::Arc;

use flowbind::apply::{Outcome, Report, TargetReport};
use flowbind::files;
use flowbind::model::{Action, Api, Cloud, Step, bound_id};
use flowbind::plan::{
    BrokenPin, Change, Drift, InSync, Member, Part, Place, Plan, Problem, Refusal, Shard, Target, Unknown,
    Unmanaged,
};
use flowbind::render::{self, Document, Format, escape};
use serde_json::Value;

use super::inert::assert_inert;
use super::pieces::Pieces;
use super::readers;

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
        drift: None,
    };
    let report = report(&plan, &mut pieces);
    saved(&files::plan::to_json(&plan, AT));
    saved(&files::report::to_json(&report, AT, AT));
    plan_text(&plan);
    text(&render::report_text(&report));
    let drift = Plan { drift: Some(Drift { strict: true }), ..plan.clone() };
    saved(&files::plan::to_json(&drift, AT));
    let document = [Document::of(&plan), Document::of(&drift), Document::Report(&report)][shown];
    assert_shown(document);
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
    let mut target = Target {
        tenant: tenant(pieces),
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
        gone: Vec::new(),
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
    };
    target.gone = target.unmanaged.clone();
    target
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

fn text(styled: &str) -> String {
    let plain = anstream::adapter::strip_str(styled).to_string();
    assert_inert(&plain);
    plain
}

/// Files and saved plans name tenants by domains and GUIDs alone.
fn tenant(pieces: &mut Pieces<'_>) -> String {
    let label: String = pieces.text().chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    format!("t{label}.com")
}

/// A line for each change, below the name of its flow.
fn plan_text(plan: &Plan) {
    let text = text(&render::plan_text(plan));
    let changes: Vec<_> = plan.targets.iter().flat_map(|target| &target.changes).collect();
    for (mark, action) in [
        ("  + enable ", Action::Enable),
        ("  ~ replace ", Action::Replace),
        ("  - DISABLE ", Action::Disable),
    ] {
        let shown = text.lines().filter(|line| line.starts_with(mark)).count();
        assert_eq!(shown, changes.iter().filter(|change| change.action == action).count(), "{text}");
    }
    for change in changes {
        assert!(text.lines().any(|line| *line == escape::text(change.flow.as_str())), "{text}");
    }
}

/// Each format has every change, as its own reader finds it.
fn assert_shown(document: Document<'_>) {
    let changes = changes(document);
    let drawn = |format| document.draw(format, AT).expect("a format that is drawn");
    let flow = |change: &Change| escape::text(change.flow.as_str()).into_owned();

    let comment = drawn(Format::Markdown);
    let (codes, _) = readers::markdown(&comment);
    // What does not fit is counted.
    if !comment.contains("… and ") && comment.len() < 59_000 {
        for (_, change) in &changes {
            let flow = escape::text(change.flow.as_str());
            let flow = flowbind::diagnostic::clipped(&flow, 300);
            assert!(codes.iter().any(|code| *code == flow), "{flow} in {comment}");
        }
    }

    let diff = drawn(Format::Diff);
    let lines = readers::diff(&diff);
    for change in differing(document) {
        let key = format!("  {}:", escape::yaml(change.flow.as_str()));
        assert!(lines.contains(&&*key), "{key} in {diff}");
    }

    let titles = readers::github(&drawn(Format::Github));
    let cases = readers::junit(&drawn(Format::Junit));
    let headings = readers::html(&drawn(Format::Html));
    for (word, change) in &changes {
        let (flow, step) = (flow(change), change.step.name());
        let title = format!("{word} {flow} {step}");
        assert!(titles.contains(&title), "{title} in {titles:?}");
        assert!(cases.contains(&(flow.clone(), step.to_owned())), "{flow} {step} in {cases:?}");
        assert!(headings.contains(&flow), "{flow} in {headings:?}");
    }

    let outputs = render::github_outputs(document);
    assert_eq!(readers::outputs(&outputs)[0], changes.len().to_string());
    let (tenants, metric): (Vec<_>, _) = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            (plan.targets.iter().map(|target| target.tenant.as_str()).collect(), "flowbind_changes")
        }
        Document::Report(report) => {
            let tenants = report.targets.iter().map(|target| target.tenant.as_str());
            (tenants.collect(), "flowbind_applied_changes")
        }
    };
    let samples = drawn(Format::Prom);
    let sums = readers::prometheus(&samples, &tenants);
    assert_eq!(sums.get(metric), i64::try_from(changes.len()).ok().as_ref(), "{samples}");
}

/// Every change, and the word for it.
fn changes(document: Document<'_>) -> Vec<(&'static str, &Change)> {
    match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            let changes = plan.targets.iter().flat_map(|target| &target.changes);
            changes.map(|change| (change.action.name(), change)).collect()
        }
        Document::Report(report) => {
            report.changes().map(|report| (report.outcome.name(), &report.change)).collect()
        }
    }
}

/// The changes that a diff shows: those to another id, of bindings that are there once. Of a report,
/// those that were made.
fn differing<'a>(document: Document<'a>) -> Vec<&'a Change> {
    match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            let targets = plan.targets.iter();
            targets.flat_map(|target| of_one(target.changes.iter().collect(), &target.in_sync)).collect()
        }
        Document::Report(report) => {
            let of_report = |TargetReport { changes, .. }: &'a TargetReport| {
                let made = changes.iter().filter(|report| report.outcome == Outcome::Applied);
                of_one(made.map(|report| &report.change).collect(), &[])
            };
            report.targets.iter().flat_map(of_report).collect()
        }
    }
}

fn of_one<'a>(changes: Vec<&'a Change>, in_sync: &[InSync]) -> Vec<&'a Change> {
    let changed = changes.iter().map(|change| (&change.flow, change.step));
    let places: Vec<_> = changed.chain(in_sync.iter().map(|it| (&it.flow, it.step))).collect();
    let is_there_once =
        |change: &Change| places.iter().filter(|place| **place == (&change.flow, change.step)).count() == 1;
    let differs = |change: &Change| bound_id(&change.current) != bound_id(&change.desired);
    changes.iter().copied().filter(|change| differs(change) && is_there_once(change)).collect()
}
