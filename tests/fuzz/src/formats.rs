//! Output formats: for any content, the parser of each format can read the output, and the output has no
//! active content.

use std::sync::Arc;

use flowbind::apply::{ChangeReport, Outcome, Reason, Report, ReportedChange, SentPut, TargetReport};
use flowbind::diagnostic::{Code, Diagnostic, Location, SourceLocation};
use flowbind::drift::{self, Difference, Drift, Kind, Subject};
use flowbind::model::{
    Action, Actor, Api, ClientIds, Cloud, ConnectorKey, FlowId, ReadError, Step, Tenant, bound_id,
};
use flowbind::plan::{
    Blocker, BoundCertificate, BrokenPin, Change, Hold, InSync, Member, NeverCalled, Override, Plan, Problem,
    Shard, ShardInfo, Target, Unmanaged, UnreadableBinding, Unresolved, UnresolvedName,
};
use flowbind::render::{self, Document, Format, escape};
use flowbind::saved;
use serde_json::Value;
use strum::VariantArray as _;

use super::inert::assert_inert;
use super::input_texts::InputTexts;
use super::readers;

const AT: &str = "2026-11-02T08:00:00Z";

/// Checks a plan, drift or a report made of the texts of the input.
pub fn formats(data: &[u8]) {
    let Some(mut texts) = InputTexts::from_bytes(data) else { return };
    // With several targets, some formats have additional columns.
    let targets = 1 + texts.count() % 2;
    let shown = texts.count() / 2 % 3;
    let targets = (0..targets).map(|_| target(&mut texts)).collect();
    let errors = (0..2).map(|at| problem(&mut texts, at == 0)).collect();
    let plan = Plan { shard: shard_info(&mut texts), ..Plan::new(targets, errors) };
    let report = report(&plan, &mut texts);
    check_json(&saved::plan::to_json(&plan, AT));
    check_json(&saved::report::to_json(&report, AT, AT));
    check_plan_text(&plan);
    plain_text(&render::report_text(&report));
    let drift = drift(plan.clone(), &mut texts);
    check_json(&saved::drift::to_json(&drift, AT));
    plain_text(&render::drift_text(&drift));
    let document = [Document::Plan(&plan), Document::Drift(&drift), Document::Report(&report)][shown];
    check_formats(document);
}

/// Creates drift, compared with an earlier one that has half of its differences and other ones.
fn drift(plan: Plan, texts: &mut InputTexts<'_>) -> Drift {
    let (graph_url, sandbox) = (texts.next_option(), texts.next_option());
    let options = drift::Options {
        strict: true,
        now: jiff::Timestamp::UNIX_EPOCH,
        graph_url: graph_url.as_deref(),
        sandbox: &|_| sandbox.clone(),
    };
    let drift = drift::find_drift(plan, &options);
    let mut earlier = drift.clone();
    for target in &mut earlier.targets {
        target.differences.truncate(2);
        target.differences.push(Difference {
            kind: Kind::Unresolved,
            subject: Subject::Flow(texts.next_flow()),
            file: Some(drift::Value::Name(texts.next_string())),
            tenant: Some(drift::Value::Text(texts.next_string())),
            source: Some(location(texts)),
            note: texts.next_option(),
            hold: None,
            first_seen: jiff::Timestamp::UNIX_EPOCH,
            is_new: None,
        });
    }
    drift::compare_with_earlier(drift, &earlier)
}

fn shard_info(texts: &mut InputTexts<'_>) -> Option<ShardInfo> {
    let shard = Shard::new(texts.next_number() as u32 % 5, 3)?;
    let fleet = (0..2).map(|_| Member { file: texts.next_string(), tenant: domain(&texts.next_string()) });
    Some(ShardInfo { shard, fleet: fleet.collect() })
}

fn target(texts: &mut InputTexts<'_>) -> Target {
    let change = |action: &Action| {
        let (current, desired) = (texts.next_connector(), texts.next_connector());
        Change {
            flow: texts.next_flow(),
            step: Step::VARIANTS[texts.next_number() % 3],
            action: *action,
            current: (*action != Action::Enable).then_some(current),
            desired: (*action != Action::Disable).then_some(desired),
            protected: texts.next_number() % 2 == 1,
            pin: texts.next_text().parse().ok().map(Arc::new),
            hold: hold(texts),
            source: location(texts),
        }
    };
    let changes = Action::VARIANTS.iter().map(change).collect();
    let mut target = Target {
        position: 0,
        tenant: domain(texts.next_text()),
        tenant_id: texts.next_option(),
        unverified: texts.next_option(),
        actor: texts.next_option().map(Actor::User),
        client_id: texts.next_option().map(|plan| ClientIds { plan, apply: texts.next_string() }),
        cloud: Cloud::VARIANTS[texts.next_number() % 4],
        api: Api::VARIANTS[texts.next_number() % 2],
        graph_url: texts.next_string(),
        file: texts.next_string(),
        changes,
        not_compared: texts.next_number(),
        in_sync: vec![InSync {
            flow: texts.next_flow(),
            step: Step::VARIANTS[texts.next_number() % 3],
            current: Some(texts.next_connector()),
            hold: hold(texts),
            source: location(texts),
        }],
        unmanaged: vec![Unmanaged {
            flow: texts.next_flow(),
            step: Step::VARIANTS[texts.next_number() % 3],
            current: Some(texts.next_connector()),
        }],
        undo: texts.next_option(),
        dangling: Vec::new(),
        unresolved: Vec::new(),
        never_called: Vec::new(),
        unsupported_step: Some(Step::PreTokenIssuance),
        steps: Step::DEFAULT.to_vec(),
        unreadable: vec![UnreadableBinding {
            flow: texts.next_flow(),
            step: Step::VARIANTS[texts.next_number() % 3],
            error: ReadError {
                code: Code::GraphRejected,
                cause: texts.next_text().into(),
                meaning: texts.next_option().map(Into::into),
                hint: texts.next_option().map(Into::into),
                request: texts.next_option().map(Into::into),
            },
        }],
        certificates: Vec::new(),
        pins: vec![BrokenPin {
            connector: texts.next_connector(),
            expected: texts.next_string(),
            actual: texts.next_option(),
            source: Some(location(texts)),
        }],
        blockers: vec![
            Blocker::MaxChanges { changes: 3, limit: 2, source: Some(location(texts)) },
            Blocker::MaxDisables { disables: 2, limit: 1, source: Some(location(texts)) },
            Blocker::EmptyPrune { source: Some(location(texts)) },
            Blocker::UndoStale {
                flow: texts.next_flow(),
                step: Step::VARIANTS[texts.next_number() % 3],
                set: Some(texts.next_connector()),
                current: None,
                source: location(texts),
            },
            Blocker::UndoDeleted {
                flow: texts.next_flow(),
                step: Step::VARIANTS[texts.next_number() % 3],
                connector: texts.next_connector(),
                source: location(texts),
            },
            Blocker::Protected {
                flow: texts.next_flow(),
                step: Step::VARIANTS[texts.next_number() % 3],
                action: Action::Disable,
                source: location(texts),
            },
            Blocker::PinMismatch(BrokenPin {
                connector: texts.next_connector(),
                expected: texts.next_string(),
                actual: texts.next_option(),
                source: Some(location(texts)),
            }),
        ],
        lifted: vec![Blocker::MaxDisables { disables: 2, limit: 0, source: None }],
        overrides: vec![Override::AllowProtected(texts.next_flow(), Step::VARIANTS[texts.next_number() % 3])],
    };
    target.dangling = target.unmanaged.clone();
    let (flow, step) = (texts.next_flow(), Step::VARIANTS[texts.next_number() % 3]);
    target.never_called = vec![NeverCalled { flow, step, user_flow_type: texts.next_string() }];
    target.unresolved = vec![Unresolved {
        flow: texts.next_flow(),
        missing: UnresolvedName::Connector {
            step: Step::VARIANTS[texts.next_number() % 3],
            wanted: ConnectorKey::Name(texts.next_string()),
            current: Some(texts.next_connector()),
        },
        hold: hold(texts),
        source: Some(location(texts)),
        not_compared: 1,
        problem: problem(texts, true).diagnostic,
    }];
    let not_after = "2026-12-24T00:00:00Z".parse().ok();
    target.certificates =
        vec![BoundCertificate { connector: texts.next_connector(), not_after, is_expiring: true }];
    target
}

fn hold(texts: &mut InputTexts<'_>) -> Option<Box<Hold>> {
    Some(Box::new(Hold {
        until: jiff::Timestamp::UNIX_EPOCH,
        reason: texts.next_option()?,
        is_expired: texts.next_number() % 2 == 1,
        regular: texts.next_option(),
        source: location(texts),
    }))
}

fn problem(texts: &mut InputTexts<'_>, has_location: bool) -> Problem {
    let location = location(texts);
    let diagnostic = Diagnostic::error(Code::InvalidValue, texts.next_string())
        .caused_by(texts.next_string())
        .note(texts.next_string())
        .hint(texts.next_string());
    let location = has_location.then(|| Box::new(Location::Position(location)));
    Problem {
        diagnostic: Diagnostic { location, ..diagnostic },
        tenant: texts.next_option().as_deref().map(domain),
    }
}

fn location(texts: &mut InputTexts<'_>) -> SourceLocation {
    SourceLocation { file: texts.next_string(), line: texts.next_number(), column: 1 }
}

fn report(plan: &Plan, texts: &mut InputTexts<'_>) -> Report {
    let mut report = Report::not_attempted(plan);
    report.fingerprint = texts.next_option();
    for change in report.targets.iter_mut().flat_map(|target| &mut target.changes) {
        let kind = texts.next_number() % 5;
        let put = SentPut { attempts: 1, request_id: texts.next_option() };
        let error = texts.next_option();
        let hint = texts.next_option();
        let reason = error.map(|error| Reason { error, hint });
        change.outcome = match (kind, reason) {
            (0, _) => Outcome::Applied(put),
            (1, _) => Outcome::Already,
            (2, Some(reason)) => Outcome::Failed(put, reason),
            (3, Some(reason)) => Outcome::Unverified(put, reason),
            (_, reason) => Outcome::NotAttempted(reason),
        };
    }
    report
}

/// Checks that the printed form of JSON has the same values and no active content.
fn check_json(json: &str) {
    let shown = escape::json(json);
    assert_inert(&shown);
    let read = |text| serde_json::from_str::<Value>(text).ok();
    assert!(read(&shown).is_some() && read(&shown) == read(json), "{shown}");
}

/// Returns a text without styles and checks that it has no active content.
fn plain_text(styled: &str) -> String {
    let plain = anstream::adapter::strip_str(styled).to_string();
    assert_inert(&plain);
    plain
}

/// Returns a valid tenant domain from a text. Files and saved plans accept only domains and GUIDs.
fn domain(text: &str) -> Tenant {
    let label: String = text.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    format!("t{label}.com").parse().expect("a domain")
}

/// Checks that the text has one line per change and one per flow.
fn check_plan_text(plan: &Plan) {
    let text = plain_text(&render::plan_text(plan));
    let changes: Vec<_> = plan.targets().flat_map(|target| &target.changes).collect();
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

/// Checks that the parser of each format finds every change or difference.
fn check_formats(document: Document<'_>) {
    let shown = shown_bindings(document);
    let drawn = |format| document.render(format, AT).expect("a document format");

    let comment = drawn(Format::Markdown);
    let (codes, _) = readers::markdown(&comment);
    // A comment at the size limit has only a count of the remaining changes.
    if !comment.contains("… and ") && comment.len() < 59_000 {
        for Binding { flow, .. } in &shown {
            let flow = escape::text(flow.as_str());
            let flow = flowbind::diagnostic::clipped(&flow, 300);
            assert!(codes.iter().any(|code| *code == flow), "{flow} in {comment}");
        }
    }

    let diff = drawn(Format::Diff);
    let lines = readers::diff(&diff);
    for flow in differing(document) {
        let key = format!("  {}:", escape::yaml(flow.as_str()));
        assert!(lines.contains(&&*key), "{key} in {diff}");
    }

    let titles = readers::github(&drawn(Format::Github));
    let cases = readers::junit(&drawn(Format::Junit));
    let headings = readers::html(&drawn(Format::Html));
    for Binding { word, flow, step } in &shown {
        let (flow, step) = (escape::text(flow.as_str()).into_owned(), step.name());
        // GitHub accepts 255 characters, so the middle of a longer title is left out.
        let title: String = format!("{word} {flow} {step} (").chars().take(150).collect();
        assert!(titles.iter().any(|it| it.starts_with(&title)), "{title} in {titles:?}");
        assert!(cases.contains(&(flow.clone(), step.to_owned())), "{flow} {step} in {cases:?}");
        assert!(headings.contains(&flow), "{flow} in {headings:?}");
    }

    let outputs = document.github_outputs();
    let (tenants, metric, count): (Vec<_>, _, _) = match document {
        Document::Plan(plan) => {
            let tenants = plan.tenants.iter().map(|tenant| tenant.tenant.as_str());
            (tenants.collect(), "flowbind_changes", shown.len())
        }
        Document::Drift(drift) => {
            let tenants = drift.by_tenant().into_iter().map(|tenant| tenant.tenant.as_str());
            (tenants.collect(), "flowbind_drift_differences", drift.differences().count())
        }
        Document::Report(report) => {
            let tenants = report.tenants().into_iter().map(|tenant| tenant.as_str());
            (tenants.collect(), "flowbind_applied_changes", shown.len())
        }
        Document::Comparison(_) => return,
    };
    assert_eq!(readers::outputs(&outputs)[0], count.to_string());
    let samples = drawn(Format::Prom);
    let sums = readers::prometheus(&samples, &tenants);
    assert_eq!(sums.get(metric), i64::try_from(count).ok().as_ref(), "{samples}");
}

/// Binding that every format shows, with the name of its action, kind or outcome.
struct Binding {
    word: &'static str,
    flow: FlowId,
    step: Step,
}

/// Returns every change and every differing binding.
fn shown_bindings(document: Document<'_>) -> Vec<Binding> {
    match document {
        Document::Plan(plan) => {
            let changes = plan.targets().flat_map(|target| &target.changes);
            let binding =
                |it: &Change| Binding { word: it.action.name(), flow: it.flow.clone(), step: it.step };
            changes.map(binding).collect()
        }
        Document::Drift(drift) => {
            let binding = |it: &Difference| match &it.subject {
                Subject::Binding(flow, step) => {
                    Some(Binding { word: it.kind.name(), flow: flow.clone(), step: *step })
                }
                Subject::Flow(_) | Subject::Connector(_) => None,
            };
            drift.differences().filter_map(binding).collect()
        }
        Document::Report(report) => {
            let binding = |it: &ChangeReport| Binding {
                word: it.outcome.kind().name(),
                flow: it.change.flow.clone(),
                step: it.change.step,
            };
            report.changes().map(binding).collect()
        }
        Document::Comparison(_) => Vec::new(),
    }
}

/// Returns the flows of the changes that a diff shows: those with another id, of bindings that occur once. Of a
/// report, only applied changes. The diff of drift is not checked, because a binding of random drift occurs twice.
fn differing(document: Document<'_>) -> Vec<FlowId> {
    let changes: Vec<_> = match document {
        Document::Drift(_) | Document::Comparison(_) => Vec::new(),
        Document::Plan(plan) => {
            let targets = plan.targets();
            targets
                .flat_map(|target| {
                    unique_changes(target.changes.iter().map(Into::into).collect(), &target.in_sync)
                })
                .collect()
        }
        Document::Report(report) => {
            let applied_changes = |TargetReport { changes, .. }: &TargetReport| {
                let made = changes.iter().filter(|report| matches!(report.outcome, Outcome::Applied(_)));
                unique_changes(made.map(|report| report.change.clone()).collect(), &[])
            };
            report.targets.iter().flat_map(applied_changes).collect()
        }
    };
    changes.into_iter().map(|change| change.flow).collect()
}

fn unique_changes(changes: Vec<ReportedChange>, in_sync: &[InSync]) -> Vec<ReportedChange> {
    let changed = changes.iter().map(|change| (&change.flow, change.step));
    let places: Vec<_> = changed.chain(in_sync.iter().map(|it| (&it.flow, it.step))).collect();
    let occurs_once = |change: &ReportedChange| {
        places.iter().filter(|place| **place == (&change.flow, change.step)).count() == 1
    };
    let differs = |change: &ReportedChange| bound_id(&change.current) != bound_id(&change.desired);
    changes.iter().filter(|change| differs(change) && occurs_once(change)).cloned().collect()
}
