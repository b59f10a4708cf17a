//! Rendering of plans, drift and reports in each format, without a run.

use std::time::{Duration, Instant};

use flowbind::apply::{ChangeReport, Outcome, OutcomeKind, Reason, Report, SentPut, TargetReport};
use flowbind::diagnostic::{Code, Diagnostic, Location, SourceLocation};
use flowbind::drift::{self, Drift, find_drift};
use flowbind::model::{
    Action, Api, Bound, Cloud, Connector, ConnectorId, FlowId, FlowKind, Inventory, ListedConnector,
    ReadError, Step, Tenant,
};
use flowbind::plan::{
    Blocker, BoundCertificate, BrokenPin, Change, InSync, Override, Overrides, Plan, Problem, Target,
    Unmanaged, UnreadableBinding,
};
use flowbind::render::{Document, Format};
use jiff::Timestamp;

use crate::fuzz_corpus::fuzz::readers;
use crate::support::connector_id;

const AT: &str = "2026-11-02T08:00:00Z";

const STEP: Step = Step::PostFederationSignup;

fn flow(name: &str) -> FlowId {
    FlowId::parse(&format!("B2C_1_{name}")).unwrap()
}

/// Creates a connector with this number and name.
fn connector(number: usize, name: &str) -> Bound {
    let id = ConnectorId::parse(&connector_id(number)).unwrap();
    Some(Connector { id, display_name: Some(name.to_owned()) })
}

fn location(file: &str, line: usize) -> SourceLocation {
    SourceLocation { file: file.to_owned(), line, column: 1 }
}

fn change(name: &str, current: Bound, desired: Bound, source: SourceLocation) -> Change {
    let action = Action::from_values(current.as_ref(), desired.as_ref()).unwrap();
    let (flow, protected) = (flow(name), false);
    Change { flow, step: STEP, action, current, desired, protected, pin: None, hold: None, source }
}

fn in_sync(name: &str, current: Bound, source: SourceLocation) -> InSync {
    InSync { flow: flow(name), step: STEP, current, hold: None, source }
}

/// Returns a domain with the letters and digits of a name.
fn domain(name: &str) -> Tenant {
    let label: String = name.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
    format!("{label}.example").parse().unwrap()
}

fn target(tenant: &str, changes: Vec<Change>) -> Target {
    Target {
        position: 0,
        tenant: domain(tenant),
        tenant_id: None,
        unverified: None,
        client_id: None,
        actor: None,
        cloud: Cloud::Global,
        api: Api::Beta,
        graph_url: "https://graph.microsoft.com/beta".to_owned(),
        file: "flowbind.yaml".to_owned(),
        changes,
        in_sync: Vec::new(),
        not_compared: 0,
        unmanaged: Vec::new(),
        dangling: Vec::new(),
        unresolved: Vec::new(),
        undo: None,
        never_called: Vec::new(),
        unsupported_step: None,
        steps: Step::DEFAULT.to_vec(),
        unreadable: Vec::new(),
        pins: Vec::new(),
        certificates: Vec::new(),
        blockers: Vec::new(),
        lifted: Vec::new(),
        overrides: Vec::new(),
    }
}

fn problem(message: &str) -> Problem {
    Diagnostic::error(Code::System, message).into()
}

fn unreadable(name: &str, cause: &str) -> UnreadableBinding {
    UnreadableBinding { flow: flow(name), step: STEP, error: ReadError::new(Code::GraphRejected, cause) }
}

/// Creates the blocker of a protected binding of this flow, which may have any name.
fn protected(flow: &str) -> Blocker {
    let flow = FlowId::parse(flow).unwrap();
    Blocker::Protected { flow, step: STEP, action: Action::Disable, source: location("f.yaml", 5) }
}

fn allow_protected(flow: &str) -> Override {
    Override::AllowProtected(FlowId::parse(flow).unwrap(), STEP)
}

fn plan(targets: Vec<Target>) -> Plan {
    Plan::new(targets, Vec::new())
}

/// Creates the drift of a plan.
fn drift(plan: Plan, strict: bool) -> Drift {
    let now = AT.parse().unwrap();
    find_drift(plan, &drift::Options { strict, now, graph_url: None, sandbox: &|_| None })
}

fn rendered(document: Document<'_>, format: Format) -> String {
    document.render(format, AT).unwrap()
}

/// Returns the text of each element of a page that matches a selector.
fn select(page: &str, selector: &str) -> Vec<String> {
    readers::html(page);
    let selector = scraper::Selector::parse(selector).unwrap();
    let document = scraper::Html::parse_document(page);
    let texts = document.select(&selector).map(|element| element.text().collect::<String>());
    texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// A file that wants another connector is more than a deleted connector.
#[test]
fn difference_of_a_deleted_connector_depends_on_the_file() {
    let (old, new) = (connector(1, "Old"), connector(2, "New"));
    let changes = [
        change("a", old.clone(), new, location("flowbind.yaml", 5)),
        change("b", old.clone(), None, location("flowbind.yaml", 6)),
    ];
    let mut target = target("t", changes.into());
    target.unmanaged = vec![Unmanaged { flow: flow("c"), step: STEP, current: old.clone() }];
    target.dangling =
        ["a", "b", "c"].map(|name| Unmanaged { flow: flow(name), step: STEP, current: old.clone() }).into();
    let drift = drift(plan(vec![target]), false);
    let kinds: Vec<_> = drift.differences().map(|it| (it.kind.name(), it.subject.flow().unwrap())).collect();
    assert_eq!(kinds, [("changed", &flow("a")), ("dangling", &flow("b")), ("dangling", &flow("c"))]);
    let page = rendered(Document::Drift(&drift), Format::Html);
    assert_eq!(select(&page, "li.dangling .label"), ["the connector was deleted, but is still bound"; 2]);
    assert_eq!(select(&page, "li.differs").len(), 3, "{page}");
}

/// The page shows the count that decides the drift status.
#[test]
fn drift_count_equals_its_differences() {
    let mut target = target("t", Vec::new());
    target.unmanaged = vec![Unmanaged { flow: flow("a"), step: STEP, current: connector(1, "One") }];
    for (strict, differing) in [(true, 1), (false, 0)] {
        let drift = drift(plan(vec![target.clone()]), strict);
        assert_eq!((drift.differences().count(), drift.is_drifted()), (differing, Some(strict)));
        let page = rendered(Document::Drift(&drift), Format::Html);
        assert_eq!(select(&page, "li.unmanaged.differs").len(), differing, "{page}");
        assert_eq!(select(&page, "li.unmanaged").len(), 1, "{page}");
    }
    let plan = plan(vec![target]);
    assert!(select(&rendered(Document::Plan(&plan), Format::Html), "li.differs").is_empty());
}

/// The heading alone must not be misleading.
#[test]
fn heading_shows_incomplete_and_blocked_plans() {
    let differing = change("a", None, connector(1, "One"), location("flowbind.yaml", 5));
    let mut plan = plan(vec![target("t", vec![differing])]);
    plan.errors = vec![problem("no").diagnostic];
    let drift = drift(plan.clone(), false);
    for (format, heading) in
        [(Format::Html, "Drift, incomplete: "), (Format::Markdown, "drift, incomplete: ")]
    {
        let text = rendered(Document::Drift(&drift), format);
        assert!(text.contains(heading), "{text}");
    }
    plan.tenants[0].targets[0].blockers = vec![Blocker::EmptyPrune { source: None }];
    for (format, heading) in [
        (Format::Html, "Plan, incomplete, blocked: 1 error<"),
        (Format::Markdown, "plan, incomplete, blocked: 1 error\n"),
    ] {
        let text = rendered(Document::Plan(&plan), format);
        assert!(text.contains(heading), "{text}");
    }
}

fn report(targets: Vec<TargetReport>, exit_code: u8) -> Report {
    Report { fingerprint: Some("ab".repeat(32)), targets, exit_code, ..Report::default() }
}

fn target_report(tenant: &str, changes: Vec<ChangeReport>) -> TargetReport {
    TargetReport { changes, ..TargetReport::not_attempted(&target(tenant, Vec::new()), None) }
}

fn change_report(name: &str, outcome: OutcomeKind) -> ChangeReport {
    let put = SentPut { attempts: 1, request_id: Some("the-tag".to_owned()) };
    let reason = Reason { error: "403 Forbidden".to_owned(), hint: None };
    ChangeReport {
        change: (&change(name, None, connector(1, "One"), location("flowbind.yaml", 5))).into(),
        outcome: match outcome {
            OutcomeKind::Applied => Outcome::Applied(put),
            OutcomeKind::Already => Outcome::Already,
            OutcomeKind::Failed => Outcome::Failed(put, reason),
            OutcomeKind::Unverified => Outcome::Unverified(put, reason),
            OutcomeKind::NotAttempted => Outcome::NotAttempted(Some(reason)),
        },
    }
}

/// An unreadable binding may differ, so the drift status is unknown.
#[test]
fn report_with_errors_is_incomplete_in_every_format() {
    let outputs = |report: &Report| Document::Report(report).github_outputs();
    let mut unread = report(vec![target_report("t", Vec::new())], 1);
    unread.errors = vec![problem("no")];
    assert!(outputs(&unread).contains("\ndrift=unknown\n"), "{}", outputs(&unread));
    for format in [Format::Markdown, Format::Html] {
        let text = rendered(Document::Report(&unread), format);
        assert!(!text.to_lowercase().contains("nothing to do"), "{text}");
        assert!(text.contains("pply, incomplete"), "{text}");
    }
    let done = report(vec![target_report("t", Vec::new())], 0);
    assert!(outputs(&done).contains("\ndrift=false\n"), "{}", outputs(&done));
    assert!(
        rendered(Document::Report(&done), Format::Markdown).contains("### flowbind apply: nothing to do\n")
    );
    let failed = report(vec![target_report("t", vec![change_report("a", OutcomeKind::Failed)])], 4);
    assert!(outputs(&failed).contains("\ndrift=true\n"), "{}", outputs(&failed));
}

#[test]
fn report_text_has_its_errors_before_the_summary() {
    let mut report = report(vec![target_report("t", vec![change_report("a", OutcomeKind::Applied)])], 4);
    let located = Diagnostic {
        location: Some(Box::new(Location::Position(location("f.yaml", 3)))),
        ..Diagnostic::error(Code::System, "no")
    };
    report.errors =
        vec![Problem { tenant: Some(domain("other")), ..problem("it is not\nthere") }, located.into()];
    let text = anstream::adapter::strip_str(&flowbind::render::report_text(&report)).to_string();
    let end = "error[system]: other.example: it is not\\nthere\n  = docs: flowbind explain system\n\n\
               error[system]: no\n --> f.yaml:3:1\n  = docs: flowbind explain system\n\n\
               t.example: 1 applied\nother.example: 1 error\nApply: 1 applied.\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn report_text_without_a_put_ends_with_nothing_was_changed() {
    let end = |outcomes: &[OutcomeKind]| {
        let changes = outcomes.iter().map(|outcome| change_report("a", *outcome)).collect();
        let text = flowbind::render::report_text(&report(vec![target_report("t", changes)], 4));
        let text = anstream::adapter::strip_str(&text).to_string();
        assert!(text.matches("Nothing was changed").count() <= 1, "{text}");
        text.lines().next_back().unwrap().to_owned()
    };
    let not_attempted = "Apply: 1 not attempted. Nothing was changed.";
    assert_eq!(end(&[OutcomeKind::NotAttempted]), not_attempted);
    assert_eq!(
        end(&[OutcomeKind::Already, OutcomeKind::NotAttempted]),
        "Apply: 1 already, 1 not attempted. Nothing was changed."
    );
    assert_eq!(end(&[OutcomeKind::Already]), "Apply: 1 already.");
    assert_eq!(end(&[OutcomeKind::Failed]), "Apply: 1 failed.");
    assert_eq!(
        end(&[OutcomeKind::Unverified, OutcomeKind::NotAttempted]),
        "Apply: 1 unverified, 1 not attempted."
    );
}

/// A shard whose report is missing may have changed its tenants.
#[test]
fn report_text_with_a_missing_shard_does_not_end_with_nothing_was_changed() {
    let missing = Diagnostic::error(Code::MissingShard, "shard 2/2 is missing");
    for (targets, last) in [
        (vec![], "  = docs: flowbind explain missing-shard"),
        (
            vec![target_report("t", vec![change_report("a", OutcomeKind::NotAttempted)])],
            "Apply: 1 not attempted.",
        ),
    ] {
        let mut report = report(targets, 1);
        report.errors = vec![missing.clone().into()];
        let text = flowbind::render::report_text(&report);
        let text = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(text.lines().next_back(), Some(last), "{text}");
    }
}

#[test]
fn html_shows_override_flags_and_request_ids() {
    let mut target = target("t", vec![change("a", None, connector(1, "One"), location("flowbind.yaml", 5))]);
    target.blockers = vec![protected("B2C_1_$(id)")];
    target.overrides = vec![Override::MaxChanges(9), allow_protected("B2C_1_`id`")];
    let plan = plan(vec![target]);
    let page = rendered(Document::Plan(&plan), Format::Html);
    let notes = select(&page, ".note");
    assert_eq!(
        notes,
        [
            "Blocked [protected-binding]: f.yaml:5:1: would disable `B2C_1_$(id)` `postFederationSignup`, which is \
             protected; if this is intended: `--allow-protected 'B2C_1_$(id)/postFederationSignup'`",
            "Planned with --max-changes 9 --allow-protected 'B2C_1_`id`/postFederationSignup'",
        ]
    );
    assert!(select(&page, ".at")[1].ends_with(&plan.fingerprint().unwrap()), "{page}");
    let changes =
        [OutcomeKind::Failed, OutcomeKind::Applied].map(|outcome| change_report(outcome.name(), outcome));
    let report = report(vec![target_report("t", changes.into())], 4);
    let page = rendered(Document::Report(&report), Format::Html);
    assert_eq!(
        select(&page, "li.failed.differs .reason"),
        ["[change-failed] 403 Forbidden; request-id the-tag"]
    );
    assert_eq!(select(&page, "li.applied .reason").len(), 0);
}

fn plain_text(plan: &Plan) -> String {
    anstream::adapter::strip_str(&flowbind::render::plan_text(plan)).to_string()
}

#[test]
fn incomplete_plan_has_neither_counts_nor_fingerprint() {
    let mut target = target("t", vec![change("a", None, connector(1, "One"), location("f.yaml", 5))]);
    target.in_sync = vec![in_sync("b", connector(1, "One"), location("f.yaml", 6))];
    target.unreadable = vec![unreadable("c", "403 Forbidden"), unreadable("d", "403 Forbidden")];
    target.not_compared = 2;
    let plan = plan(vec![target]);
    let incomplete = "2 of 4 bindings could not be compared";
    let text = plain_text(&plan);
    assert!(text.ends_with(&format!("\nPlan incomplete: {incomplete}. It cannot be applied.\n")), "{text}");
    let comment = rendered(Document::Plan(&plan), Format::Markdown);
    assert!(comment.contains(&format!("### flowbind plan, incomplete: {incomplete}\n")), "{comment}");
    assert!(
        comment.ends_with(&format!("\nPlan incomplete: {incomplete}. It cannot be applied.\n")),
        "{comment}"
    );
    let page = rendered(Document::Plan(&plan), Format::Html);
    assert_eq!(select(&page, "h1"), [format!("Plan, incomplete: {incomplete}")]);
    for shown in [text, comment, page] {
        assert!(!shown.contains(" to enable") && !shown.contains("Fingerprint"), "{shown}");
    }
}

#[test]
fn plan_without_bindings_has_no_zero_counts() {
    let plan = plan(vec![target("t", Vec::new())]);
    for format in [Format::Markdown, Format::Html] {
        let shown = rendered(Document::Plan(&plan), format);
        assert!(!shown.contains("unchanged"), "{shown}");
    }
    assert!(plain_text(&plan).contains("\nNo changes.\nFingerprint: "));
}

#[test]
fn text_of_several_tenants_ends_with_one_line_per_tenant_and_the_total() {
    let enable = |name| change(name, None, connector(1, "One"), location("f.yaml", 5));
    let mut blocked = target("blocked", vec![enable("a"), enable("b")]);
    blocked.blockers = vec![Blocker::MaxChanges { changes: 2, limit: 1, source: None }];
    let mut incomplete = target("incomplete", vec![enable("a")]);
    incomplete.unreadable = vec![unreadable("c", "403 Forbidden")];
    incomplete.not_compared = 1;
    let targets = vec![target("same", Vec::new()), blocked, incomplete];
    let unknown = Problem { tenant: Some(domain("unknown")), ..problem("no") };
    let mut plan = Plan::new(targets, vec![unknown]);
    let text = plain_text(&plan);
    let fingerprints = plan.tenant_fingerprints().into_iter();
    let fingerprints: Vec<_> = fingerprints.map(|(_, it)| it.map(|it| it[..12].to_owned())).collect();
    let [Some(same), Some(blocked), None, None] = &fingerprints[..] else { panic!("{fingerprints:?}") };
    let end = format!(
        "\nsame.example: no changes (fingerprint {same})\n\
         blocked.example: 2 to enable, blocked (fingerprint {blocked})\n\
         incomplete.example: incomplete: 1 of 2 bindings could not be compared\n\
         unknown.example: incomplete: 1 error\n\
         Plan incomplete: 1 of 4 bindings could not be compared. 2 of 4 tenants cannot be applied.\n"
    );
    assert!(text.ends_with(&end), "{text}");
    plan.tenants.truncate(2);
    let text = plain_text(&plan);
    let end = format!(
        "\nsame.example: no changes (fingerprint {same})\n\
         blocked.example: 2 to enable, blocked (fingerprint {blocked})\n\
         Plan: 2 to enable. Blocked by 1 guard.\n"
    );
    assert!(text.contains(&end), "{text}");
}

/// The JSON has every binding.
#[test]
fn flows_with_one_cause_are_one_problem_in_every_format() {
    let mut target = target("t", Vec::new());
    target.unreadable = (1..=7).map(|number| unreadable(&number.to_string(), "403 Forbidden")).collect();
    for (number, binding) in target.unreadable.iter_mut().enumerate() {
        binding.error.request = Some(format!("GET /beta (request-id {number})").into());
        binding.error.hint = Some("grant `IdentityUserFlow.Read.All`".into());
    }
    let plan = plan(vec![target]);
    let document = Document::Plan(&plan);
    let shown = [Format::Markdown, Format::Github, Format::Html].map(|format| rendered(document, format));
    for shown in shown.into_iter().chain([plain_text(&plan)]) {
        assert_eq!(shown.matches("7 flows could not be read").count(), 1, "{shown}");
        assert_eq!(
            shown.matches("graph-rejected").count(),
            shown.matches("explain graph-rejected").count() + 1
        );
        assert!(shown.contains("B2C_1_5") && shown.contains(" and 2 more"), "{shown}");
        assert!(shown.contains("request-id 0") && !shown.contains("request-id 1"), "{shown}");
        assert_eq!(shown.matches("grant ").count(), 1, "{shown}");
    }
    let suites = rendered(document, Format::Junit);
    assert_eq!(suites.matches("type=\"graph-rejected\"").count(), 7, "{suites}");
}

#[test]
fn pin_that_blocks_a_change_is_one_problem() {
    let pinned = connector(1, "One");
    let mut target = target("t", vec![change("a", None, pinned.clone(), location("f.yaml", 5))]);
    let pin = BrokenPin {
        connector: pinned.unwrap(),
        expected: "https://a.example/x".into(),
        actual: Some("https://b.example/x".into()),
        source: Some(location("f.yaml", 2)),
    };
    target.pins = vec![pin.clone()];
    target.blockers = vec![Blocker::PinMismatch(pin)];
    let plan = plan(vec![target]);
    let drift = drift(plan.clone(), false);
    for document in [Document::Plan(&plan), Document::Drift(&drift)] {
        for format in [Format::Markdown, Format::Github, Format::Html] {
            let shown = rendered(document, format);
            assert_eq!(shown.matches("b.example/x").count(), 1, "{shown}");
        }
    }
}

/// A problem has its id, its tenant and its location in every format.
#[test]
fn problem_has_its_id_and_tenant_in_every_format() {
    let mut plan = plan(vec![target("t", Vec::new()), target("u", Vec::new())]);
    let diagnostic = Diagnostic {
        location: Some(Box::new(Location::Position(location("f.yaml", 3)))),
        ..Diagnostic::error(Code::ConnectorNotFound, "the tenant has no connector named `Fraud @check`")
            .caused_by("it was renamed to `Fraud`")
            .note("request: GET https://graph.example/beta (request-id 1)")
            .hint("did you mean `Fraud`?")
            .hint("create the connector first")
    };
    plan.tenants[0].errors = vec![diagnostic];
    let document = Document::Plan(&plan);
    let text = plain_text(&plan);
    assert!(text.contains("\nerror[connector-not-found]: t.example: the tenant has no connector"), "{text}");
    let commands = rendered(document, Format::Github);
    assert!(
        commands.contains("::error file=f.yaml,line=3,col=1,title=connector-not-found (t.example)::"),
        "{commands}"
    );
    let suites = rendered(document, Format::Junit);
    assert!(suites.contains("classname=\"t.example\" name=\"f.yaml:3:1\""), "{suites}");
    assert!(suites.contains("type=\"connector-not-found\""), "{suites}");
    let notes = select(&rendered(document, Format::Html), ".note");
    assert!(
        notes[0].starts_with("t.example: [connector-not-found] f.yaml:3:1: the tenant has no connector"),
        "{notes:?}"
    );
    let comment = rendered(document, Format::Markdown);
    readers::markdown(&comment);
    let errors = comment.split("**Errors**\n\n").nth(1).unwrap().split("\n\n").next().unwrap();
    expect_test::expect![[r#"
        - `connector-not-found` (<code>t.example</code>, <code>f.yaml&#58;3</code>): the tenant has no connector named <code>Fraud &#64;check</code>
          - Cause: it was renamed to <code>Fraud</code>
          - Note: request: GET <code>https&#58;//graph.example/beta</code> (request-id 1)
          - Hint: did you mean <code>Fraud</code>?
          - Hint: create the connector first
    "#]].assert_eq(&format!("{}\n", errors.trim_end()));
}

#[test]
fn comment_with_many_causes_shows_the_first_five() {
    let causes = (0..9).fold(Diagnostic::error(Code::StalePlan, "plan is stale"), |problem, number| {
        problem.caused_by(format!("binding {number}"))
    });
    let plan = Plan { errors: vec![causes], ..Plan::default() };
    let comment = rendered(Document::Plan(&plan), Format::Markdown);
    assert_eq!(comment.matches("  - Cause: binding ").count(), 5, "{comment}");
    assert!(comment.contains("  - Cause: and 4 more\n"), "{comment}");
}

/// Returns the words into which a shell splits a command.
#[cfg(unix)]
fn shell_words(command: &str) -> Vec<String> {
    let output =
        std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {command}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[cfg(unix)]
#[test]
fn suggested_commands_are_quoted_for_a_shell() {
    let name = "B2C_1_$(id)`id`;&|\"*";
    let mut target = target("t", vec![change("a", None, connector(1, "One"), location("f.yaml", 5))]);
    target.file = "my $(id) `id` file.yaml".into();
    target.overrides = vec![Override::MaxChanges(9), allow_protected(name)];
    let mut plan = plan(vec![target]);
    let seen = format!("{name}/postFederationSignup");
    let quoted = format!("--allow-protected '{seen}'");
    let comment = rendered(Document::Plan(&plan), Format::Markdown);
    let (codes, _) = readers::markdown(&comment);
    assert!(codes.contains(&quoted), "{comment}");
    let command = comment.lines().find(|line| line.starts_with("flowbind apply")).unwrap();
    let expected = [
        "flowbind",
        "apply",
        &plan.tenants[0].targets[0].file,
        "--max-changes",
        "9",
        "--allow-protected",
        &seen,
    ];
    assert_eq!(shell_words(command)[..7], expected);

    plan.tenants[0].targets[0].blockers = vec![protected(name)];
    plan.tenants[0].targets[0].overrides.clear();
    let comment = rendered(Document::Plan(&plan), Format::Markdown);
    assert!(readers::markdown(&comment).0.contains(&quoted), "{comment}");
    let hint = comment.lines().find(|line| line.contains("if this is intended: ")).unwrap();
    assert!(!hint.contains(['`', '$', '*']), "{hint}");
    let text = anstream::adapter::strip_str(&flowbind::render::plan_text(&plan)).to_string();
    let commands = rendered(Document::Plan(&plan), Format::Github);
    let suites = rendered(Document::Plan(&plan), Format::Junit).replace("&#39;", "'").replace("&amp;", "&");
    let suites = suites.replace("&quot;", "\"");
    for shown in [text, commands, suites] {
        assert!(shown.contains(&format!("if this is intended: `{quoted}`")), "{shown}");
    }
}

/// Creates a plan with all sections too long for a comment.
fn overfull() -> Plan {
    let long = |what: &str, number: usize| format!("{what} {number} {}", "\u{1}`<".repeat(200));
    let tenants = (0..30).map(|at| {
        let changes = (0..10).map(|number| {
            let (one, two) = (connector(1, "One"), connector(2, &long("name", number)));
            let (current, desired) = if number % 2 == 0 { (one, None) } else { (one, two) };
            change(&format!("{at}_{number}"), current, desired, location("flowbind.yaml", number))
        });
        let mut target = target(&long("tenant", at), changes.collect());
        target.file = long("file", at);
        for number in 0..10 {
            let (at, name) = (format!("{at}_{number}"), "`<".repeat(200));
            target.blockers.push(protected(&format!("B2C_1_blocked_{at}_{name}")));
            let step = Step::PostAttributeCollection;
            target
                .unreadable
                .push(UnreadableBinding { step, ..unreadable(&at, &long("cause", number as usize)) });
            let unmanaged = Unmanaged { flow: flow(&at), step: STEP, current: connector(3, "Three") };
            target.unmanaged.push(unmanaged.clone());
            target.dangling.push(unmanaged);
            target.overrides.push(Override::MaxChanges(number));
            let connector = connector(4, &long("pinned", number as usize)).unwrap();
            target.pins.push(BrokenPin {
                connector,
                expected: long("pin", number as usize),
                actual: None,
                source: None,
            });
        }
        target
    });
    Plan::new(tenants.collect(), (0..300).map(|at| problem(&long("no", at))).collect())
}

/// Every section is shown, and each counts its omitted entries.
#[test]
fn comment_at_the_limit_counts_the_rest_and_shows_changes_first() {
    let plan = overfull();
    let drift = drift(plan.clone(), true);
    let of_plan = [
        ("more tenants", &["(cloud global, api beta)"][..], 30),
        ("more changes", &["<code>flowbind.yaml&#58;"], 300),
        ("more blockers", &["- `protected-binding` ("], 300),
        ("more errors", &["- `graph-rejected` (", "- `system`: "], 600),
        ("more connectors", &[": pinned to "], 300),
        ("more flags", &[": <code>--max-changes "], 300),
        ("more warnings", &["- `dangling-binding` ("], 300),
        ("more unmanaged bindings", &["| <code>Three</code> |"], 300),
    ];
    let of_drift = [
        ("more tenants", &["(cloud global, api beta)"][..], 30),
        ("more differences", &["| ⛔ **", "| ⚠️ "], 630),
        ("more errors", &["- `graph-rejected` (", "- `system`: "], 600),
    ];
    for (document, sections, first) in [
        (Document::Plan(&plan), &of_plan[..], "**disable**"),
        (Document::Drift(&drift), &of_drift[..], "**changed**"),
    ] {
        let comment = rendered(document, Format::Markdown);
        readers::markdown(&comment);
        let more = |what: &str| -> Option<usize> {
            let line = comment.lines().find(|line| line.starts_with("… and ") && line.ends_with(what))?;
            line.split(' ').nth(2)?.parse().ok()
        };
        let shown = |mark: &str| comment.lines().filter(|line| line.contains(mark)).count();
        for (what, marks, all) in sections.iter().copied() {
            let shown: usize = marks.iter().map(|mark| shown(mark)).sum();
            assert!(shown > 0, "{what} in {comment}");
            assert_eq!(more(what).unwrap() + shown, all, "{what} in {comment}");
        }
        let at = |what: &str| comment.find(what).unwrap();
        assert!(at(first) < at("**Errors**"), "{comment}");
    }
    let mut report = Report::not_attempted(&plan);
    report.fingerprint = Some("ab".repeat(32));
    let comment = rendered(Document::Report(&report), Format::Markdown);
    readers::markdown(&comment);
    assert!(comment.contains(" more changes\n") && comment.contains(" more errors\n"), "{comment}");
}

/// A summary has less room than a comment if other commands of a step wrote to it.
#[test]
fn comment_in_less_room_is_complete_markdown_within_it() {
    let overfull = overfull();
    let several = (0..3_000).map(|at| {
        let change = change("a", None, connector(1, "One"), location("f.yaml", 5));
        target(&format!("t{at}"), vec![change])
    });
    let several = plan(several.collect());
    let (drift, report) = (drift(overfull.clone(), true), Report::not_attempted(&overfull));
    let documents = [&overfull, &several]
        .map(Document::Plan)
        .into_iter()
        .chain([Document::Drift(&drift), Document::Report(&report)]);
    for document in documents {
        for room in [10_000, 30_000, usize::MAX] {
            let comment = document.markdown(room);
            assert!(comment.len() <= room.min(60_000), "{} of {room}", comment.len());
            readers::markdown(&comment);
        }
    }
    let comment = Document::Plan(&several).markdown(30_000);
    let (_, table) = comment.split_once("| Tenant | Fingerprint |\n").unwrap();
    let shown = table.lines().filter(|line| line.ends_with("` |")).count();
    assert!(shown > 10 && table.contains(&format!("… and {} more tenants\n", 3_000 - shown)), "{comment}");
    let end = format!("\nFingerprint: `{}`. To apply", several.fingerprint().unwrap());
    assert!(comment.contains(&end), "{comment}");
}

/// A command that is too long for a page or a shell uses the saved plan instead of files.
#[test]
fn suggested_command_for_many_files_uses_the_saved_plan() {
    let change = change("a", None, connector(1, "One"), location("f.yaml", 5));
    let mut plan = plan(vec![target("t", vec![change]); 500]);
    for target in &mut plan.tenants[0].targets {
        target.overrides = vec![Override::AllowEmpty];
    }
    let comment = rendered(Document::Plan(&plan), Format::Markdown);
    let command = format!("\nflowbind apply --plan PLAN.json --expect {}\n", plan.fingerprint().unwrap());
    assert!(comment.contains(&command), "{comment}");
}

/// Flags of a command line count for all files of a tenant. If only some of them were planned with a flag, the saved
/// plan is needed.
#[test]
fn suggested_command_has_the_flags_of_each_tenant() {
    let [a, b] = ["B2C_1_a", "B2C_1_b"].map(allow_protected);
    let [six, seven] = [6, 7].map(Override::MaxDisables);
    let files = "flowbind.yaml flowbind.yaml";
    let saved = "--plan PLAN.json";
    let scoped =
        |flags: &str| format!("{files} {}", flags.replace("T", "t.example").replace("U", "u.example"));
    let binding = "B2C_1_a/postFederationSignup";
    for (one, other, of_one_tenant, of_two_tenants) in [
        (vec![&six], vec![&seven], saved, scoped("--max-disables T=6 --max-disables U=7")),
        (vec![&six], vec![], saved, scoped("--max-disables T=6")),
        (vec![], vec![&a], saved, scoped(&format!("--allow-protected U:{binding}"))),
        (vec![], vec![&Override::AllowEmpty], saved, scoped("--allow-empty=U")),
        (
            vec![&six, &a, &b],
            vec![&six, &b, &a],
            &format!("{files} {six} {a} {b}"),
            scoped(
                "--max-disables T=6 --allow-protected T:B2C_1_a/postFederationSignup \
                 --allow-protected T:B2C_1_b/postFederationSignup --max-disables U=6 \
                 --allow-protected U:B2C_1_a/postFederationSignup --allow-protected U:B2C_1_b/postFederationSignup",
            ),
        ),
        (vec![], vec![], files, files.to_owned()),
    ] {
        let mut changed = target("t", vec![change("a", None, connector(1, "One"), location("f.yaml", 5))]);
        changed.overrides = one.into_iter().cloned().collect();
        for (tenant, what) in [("T", of_one_tenant), ("u", &of_two_tenants)] {
            let mut unchanged = target(tenant, Vec::new());
            unchanged.overrides = other.iter().copied().cloned().collect();
            let plan = plan(vec![changed.clone(), unchanged]);
            let comment = rendered(Document::Plan(&plan), Format::Markdown);
            let command = format!("\nflowbind apply {what} --expect {}\n", plan.fingerprint().unwrap());
            assert!(comment.contains(&command), "{command} in {comment}");
        }
    }
}

#[test]
fn override_given_twice_is_listed_once() {
    let [a, b] = ["a", "b"].map(|name| (flow(name), STEP));
    let overrides = Overrides { allow_protected: vec![b.clone(), a, b], ..Overrides::default() };
    assert_eq!(overrides.to_vec(), ["B2C_1_b", "B2C_1_a"].map(allow_protected));
}

#[test]
fn junit_has_one_test_case_per_binding() {
    let old = connector(1, "Old");
    let mut target = target("t", vec![change("a", old.clone(), None, location("flowbind.yaml", 5))]);
    target.in_sync = vec![in_sync("b", old.clone(), location("flowbind.yaml", 6))];
    target.unmanaged = vec![Unmanaged { flow: flow("c"), step: STEP, current: old.clone() }];
    let dangling =
        ["a", "b", "c"].map(|name| Unmanaged { flow: flow(name), step: STEP, current: old.clone() });
    target.dangling = dangling.into();
    let suites = rendered(Document::Drift(&drift(plan(vec![target]), true)), Format::Junit);
    let cases = readers::junit(&suites);
    assert_eq!(cases, ["B2C_1_a", "B2C_1_b", "B2C_1_c"].map(|flow| (flow.into(), STEP.name().into())));
    assert!(suites.contains("file says nothing, tenant has Old (deleted)"), "{suites}");
    assert!(suites.contains("tests=\"3\" failures=\"2\""), "{suites}");
}

/// Flows of a base come first, sorted by the lines of the base.
#[test]
fn flows_of_several_files_render_in_file_order() {
    let (one, two) = (connector(1, "One"), connector(2, "Two"));
    let changes = [("b", "base.yaml", 20), ("a", "own.yaml", 3), ("e", "own.yaml", 9)];
    let same = [("c", "base.yaml", 10), ("b", "own.yaml", 1), ("d", "own.yaml", 8)];
    let differing =
        changes.map(|(name, file, line)| change(name, one.clone(), two.clone(), location(file, line)));
    let mut target = target("t", differing.into());
    target.file = "own.yaml".into();
    target.in_sync = same.map(|(name, file, line)| in_sync(name, one.clone(), location(file, line))).into();
    target.in_sync[1].step = Step::PostAttributeCollection;
    let plan = plan(vec![target]);
    let order = ["c", "b", "a", "d", "e"].map(|name| format!("B2C_1_{name}"));
    assert_eq!(readers::html(&rendered(Document::Plan(&plan), Format::Html)), order);
    let diff = rendered(Document::Plan(&plan), Format::Diff);
    let flows: Vec<_> = diff.lines().filter_map(|line| line.strip_prefix("   ")?.strip_suffix(':')).collect();
    assert_eq!(flows, order, "{diff}");
}

/// A name that is ambiguous anywhere in the plan shows its id everywhere.
#[test]
fn equal_names_in_sync_or_pinned_show_their_ids() {
    let mut target =
        target("t", vec![change("a", None, connector(1, "Check"), location("flowbind.yaml", 5))]);
    target.in_sync = vec![in_sync("b", connector(2, "check"), location("flowbind.yaml", 6))];
    let pinned = connector(3, "Check ").unwrap();
    target.pins =
        vec![BrokenPin { connector: pinned, expected: "https://a.b/c".into(), actual: None, source: None }];
    let plan = plan(vec![target]);
    let page = rendered(Document::Plan(&plan), Format::Html);
    let bound = select(&page, ".bound").concat() + &select(&page, ".note").concat();
    for number in [1, 2, 3] {
        assert!(bound.contains(&connector_id(number)), "{number}: {bound}");
    }
    let mut without = plan.clone();
    without.tenants[0].targets[0].in_sync.clear();
    without.tenants[0].targets[0].pins.clear();
    let page = rendered(Document::Plan(&without), Format::Html);
    assert_eq!(select(&page, ".bound"), ["nothing → Check"]);
}

#[test]
fn file_diff_keeps_line_ends_and_has_a_path_that_git_accepts() {
    let diff = flowbind::render::file_diff("./a.yaml", "x:\t1\r\n", "x:\t\u{1b}2\r\n");
    let expected = "--- a/a.yaml\n+++ b/a.yaml\n@@ -1 +1 @@\n-x:\t1\r\n+x:\t\\u{1b}2\r\n";
    assert_eq!(diff, expected);
}

/// Names can be confusable by letter case, by white space or by length.
#[test]
fn confusable_or_empty_name_shows_its_id_in_every_format() {
    let long = |end: &str| format!("{}{end}", "long `name` ".repeat(60));
    for name in [
        long("a"),
        "Nothing".into(),
        " NOTHING".into(),
        "A (protected)".into(),
        "A (deleted)".into(),
        "a → b".into(),
    ] {
        let changes =
            vec![change("a", connector(1, &name), connector(2, "Two"), location("flowbind.yaml", 5))];
        let plan = plan(vec![target("t", changes)]);
        let id = format!("({})", connector_id(1));
        for format in [Format::Markdown, Format::Html, Format::Github, Format::Junit] {
            let shown = rendered(Document::Plan(&plan), format);
            assert!(shown.contains(&id), "{name} in {shown}");
        }
        let text = flowbind::render::plan_text(&plan);
        assert!(text.contains(&id), "{name} in {text}");
    }
    // An id that is not a GUID may be any text.
    let id = ConnectorId::parse("nothing").unwrap();
    let none = Some(Connector { id, display_name: None });
    let plan = plan(vec![target("t", vec![change("a", none, connector(1, "One"), location("f.yaml", 5))])]);
    assert!(flowbind::render::plan_text(&plan).contains("  (nothing) → One\n"));
    assert!(rendered(Document::Plan(&plan), Format::Markdown).contains("| <code>(nothing)</code> |"));
}

/// GitHub shows only the first ten annotations of a kind per step.
#[test]
fn annotations_are_sorted_by_danger() {
    let (one, two) = (connector(1, "One"), connector(2, "Two"));
    let tenant = |name: &str| {
        let disable = change(&format!("{name}_off"), one.clone(), None, location("f.yaml", 1));
        let replace = change(&format!("{name}_over"), one.clone(), two.clone(), location("f.yaml", 2));
        let mut target = target(name, vec![replace, disable]);
        target.blockers = vec![Blocker::EmptyPrune { source: None }];
        target.unreadable = vec![unreadable(&format!("{name}_un"), "no")];
        target
    };
    let titles =
        readers::github(&rendered(Document::Plan(&plan(vec![tenant("s"), tenant("t")])), Format::Github));
    assert_eq!(
        titles,
        [
            "graph-rejected (s.example)",
            "graph-rejected (t.example)",
            "empty-prune (s.example)",
            "empty-prune (t.example)",
            "disable B2C_1_s_off postFederationSignup (s.example)",
            "disable B2C_1_t_off postFederationSignup (t.example)",
            "replace B2C_1_s_over postFederationSignup (s.example)",
            "replace B2C_1_t_over postFederationSignup (t.example)",
        ]
    );
    let both = || vec![change_report("a", OutcomeKind::Applied), change_report("b", OutcomeKind::Failed)];
    let report = report(vec![target_report("s", both()), target_report("t", both())], 4);
    let titles = readers::github(&rendered(Document::Report(&report), Format::Github));
    assert_eq!(
        titles,
        [
            "failed B2C_1_b postFederationSignup (s.example) [change-failed]",
            "failed B2C_1_b postFederationSignup (t.example) [change-failed]",
            "applied B2C_1_a postFederationSignup (s.example)",
            "applied B2C_1_a postFederationSignup (t.example)",
        ]
    );
}

#[test]
fn dangling_connector_is_listed_once() {
    let old = connector(1, "Old");
    let mut target = target("t", Vec::new());
    target.in_sync = vec![in_sync("b", old.clone(), location("flowbind.yaml", 6))];
    target.dangling = vec![Unmanaged { flow: flow("b"), step: STEP, current: old }];
    let plan = plan(vec![target]);
    for format in [Format::Markdown, Format::Github] {
        let text = rendered(Document::Plan(&plan), format);
        assert_eq!(text.matches("points to the deleted connector").count(), 1, "{text}");
    }
}

#[test]
fn text_marks_protected_bindings() {
    let mut change = change("a", connector(1, "One"), None, location("flowbind.yaml", 5));
    change.protected = true;
    let text = flowbind::render::plan_text(&plan(vec![target("t", vec![change])]));
    assert!(text.contains("One → nothing  (protected)\n"), "{text}");
}

#[test]
fn tenant_that_was_not_read_has_no_counts_and_no_suite() {
    let read = target("read", vec![change("a", None, connector(1, "One"), location("f.yaml", 1))]);
    let mut plan = plan(vec![read, target("unread", Vec::new())]);
    let error = Diagnostic::error(Code::SignInFailed, "cannot sign in");
    plan.tenants[1].errors = vec![error];
    let metrics = rendered(Document::Plan(&plan), Format::Prom);
    let samples = |tenant: &str| -> Vec<_> {
        let tenant = format!("{{tenant=\"{tenant}\",");
        metrics.lines().filter(|line| line.contains(&tenant)).collect()
    };
    assert!(samples("read.example").len() > 2, "{metrics}");
    let time = AT.parse::<Timestamp>().unwrap().as_second();
    let of_run = [("success", 0), ("timestamp_seconds", time)];
    let of_run = of_run.map(|(name, value)| {
        format!("flowbind_last_run_{name}{{tenant=\"unread.example\",command=\"plan\"}} {value}")
    });
    assert_eq!(samples("unread.example"), of_run, "{metrics}");
    let suites = rendered(Document::Plan(&plan), Format::Junit);
    assert!(
        suites.contains("<testsuite name=\"read.example\"") && suites.contains("cannot sign in"),
        "{suites}"
    );
    assert!(!suites.contains("<testsuite name=\"unread.example\""), "{suites}");
}

#[test]
fn metrics_have_one_certificate_expiry_per_connector() {
    let certificate = |number, name, not_after: Option<i64>| BoundCertificate {
        connector: connector(number, name).unwrap(),
        not_after: not_after.map(|second| Timestamp::from_second(second).unwrap()),
        is_expiring: false,
    };
    let with = |certificates| Target { certificates, ..target("t", Vec::new()) };
    let first = with(vec![certificate(1, "One \"A\"", Some(60)), certificate(2, "Two", None)]);
    let second = with(vec![
        certificate(1, "One \"A\"", Some(60)),
        certificate(3, "Shared", Some(70)),
        certificate(4, "Shared", Some(80)),
    ]);
    let metrics = rendered(Document::Plan(&plan(vec![first, second])), Format::Prom);
    let name = "flowbind_connector_certificate_not_after_seconds";
    let samples: Vec<_> = metrics.lines().filter(|line| line.starts_with(name)).collect();
    let sample = |connector: &str, second: i64| {
        format!("{name}{{tenant=\"t.example\",connector=\"{connector}\",command=\"plan\"}} {second}")
    };
    let shared = |number| format!("Shared ({})", connector(number, "Shared").unwrap().id);
    let expected = [sample("One \\\"A\\\"", 60), sample(&shared(3), 70), sample(&shared(4), 80)];
    assert_eq!(samples, expected, "{metrics}");
}

#[test]
fn metrics_omit_invalid_times() {
    let plan = plan(vec![target("t", Vec::new())]);
    let metric = "flowbind_last_run_timestamp_seconds";
    assert!(rendered(Document::Plan(&plan), Format::Prom).contains(metric));
    let samples = Document::Plan(&plan).render(Format::Prom, "yesterday").unwrap();
    assert!(!samples.contains(metric) && samples.contains("flowbind_last_run_success"), "{samples}");
}

/// Quadratic time would be 400 times as long for 20 times as many elements.
#[test]
fn large_documents_render_in_linear_time() {
    let (before, large, after) = (time_to_render(1_000), time_to_render(20_000), time_to_render(1_000));
    assert!(large < before.max(after) * 100, "{before:?}, {large:?}, {after:?}");
}

/// Renders the documents whose writers compare elements, with so many elements.
fn time_to_render(count: usize) -> Duration {
    let began = Instant::now();
    let tenants: Vec<_> = (0..count).map(|at| target(&format!("t{at}"), Vec::new())).collect();
    rendered(Document::Plan(&plan(tenants)), Format::Prom);
    let unmanaged: Vec<_> = (0..count)
        .map(|at| Unmanaged { flow: flow(&at.to_string()), step: STEP, current: connector(1, "One") })
        .collect();
    let large = Target { unmanaged: unmanaged.clone(), dangling: unmanaged, ..target("t", Vec::new()) };
    flowbind::render::drift_text(&drift(plan(vec![large]), true));
    let connectors = (0..count).filter_map(|at| {
        let connector = connector(at, &"check".repeat(20))?;
        let display_name = Some(format!("{}{at}", "check".repeat(20)));
        let connector = Connector { display_name, ..connector };
        Some(ListedConnector { connector, target_url: None, certificates: Vec::new() })
    });
    let inventory = Inventory {
        kind: FlowKind::B2c,
        connectors: connectors.collect(),
        flows: Vec::new(),
        unsupported_step: None,
    };
    let tenant = "contoso.onmicrosoft.com".parse().unwrap();
    let (steps, at) = (Step::DEFAULT, AT.parse().unwrap());
    let file = flowbind::render::export(&inventory, &tenant, Cloud::Global, Api::Beta, &steps, at);
    assert!(file.contains(&format!("-{count}:")));
    began.elapsed()
}
