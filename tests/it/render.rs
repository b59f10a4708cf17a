//! Rendering of plans, drift and reports in each format, without a run.

use flowbind::apply::{ChangeReport, Outcome, Report, TargetReport};
use flowbind::model::{
    Action, Api, Bound, Cloud, Connector, ConnectorId, FlowId, FlowKind, Inventory, ListedConnector, Step,
};
use flowbind::plan::{
    BrokenPin, Change, Drift, InSync, Overrides, Place, Plan, Problem, Refusal, Target, Unknown, Unmanaged,
};
use flowbind::render::{Document, Format};

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

fn place(file: &str, line: usize) -> Place {
    Place { file: file.to_owned(), line, column: 1 }
}

fn change(name: &str, current: Bound, desired: Bound, source: Place) -> Change {
    let action = Action::from_values(current.as_ref(), desired.as_ref()).unwrap();
    Change { flow: flow(name), step: STEP, action, current, desired, protected: false, pin: None, source }
}

fn in_sync(name: &str, current: Bound, source: Place) -> InSync {
    InSync { flow: flow(name), step: STEP, current, source }
}

fn target(tenant: &str, changes: Vec<Change>) -> Target {
    Target {
        tenant: tenant.to_owned(),
        tenant_id: None,
        client_id: None,
        cloud: Cloud::Global,
        api: Api::Beta,
        graph_url: "https://graph.microsoft.com/beta".to_owned(),
        file: "flowbind.yaml".to_owned(),
        changes,
        unchanged: 0,
        in_sync: Vec::new(),
        unmanaged: Vec::new(),
        gone: Vec::new(),
        unknown: Vec::new(),
        pins: Vec::new(),
        refusals: Vec::new(),
        overrides: Vec::new(),
        warnings: Vec::new(),
    }
}

fn problem(message: &str) -> Problem {
    Problem { message: message.to_owned(), place: None, tenant: None }
}

fn plan(targets: Vec<Target>) -> Plan {
    Plan { targets, errors: Vec::new(), part: None, drift: None }
}

/// Creates the plan of a `drift` run.
fn asked(targets: Vec<Target>, strict: bool) -> Plan {
    Plan { drift: Some(Drift { strict }), ..plan(targets) }
}

fn drawn(document: Document<'_>, format: Format) -> String {
    document.draw(format, AT).unwrap()
}

/// Returns the text of each element of a page that matches a selector.
fn found(page: &str, selector: &str) -> Vec<String> {
    readers::html(page);
    let selector = scraper::Selector::parse(selector).unwrap();
    let document = scraper::Html::parse_document(page);
    let texts = document.select(&selector).map(|element| element.text().collect::<String>());
    texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// A change of a binding is shown even if its connector was deleted.
#[test]
fn change_from_deleted_connector_is_a_change() {
    let (old, new) = (connector(1, "Old"), connector(2, "New"));
    let mut target = target("t", vec![change("a", old.clone(), new, place("flowbind.yaml", 5))]);
    target.in_sync = vec![in_sync("b", old.clone(), place("flowbind.yaml", 6))];
    target.unchanged = 1;
    let gone = [("a", &old), ("b", &old)].map(|(name, bound)| Unmanaged {
        flow: flow(name),
        step: STEP,
        current: bound.clone(),
    });
    target.gone = gone.into();
    let plan = asked(vec![target], false);
    let page = drawn(Document::of(&plan), Format::Html);
    assert_eq!(found(&page, "li.replace .bound"), ["Old → New"]);
    assert_eq!(found(&page, "li.replace .word"), ["will be replaced"]);
    assert_eq!(found(&page, "li.gone .bound"), ["Old → New", "Old"], "{page}");
    assert_eq!(found(&page, "li.gone .why"), ["the connector is gone"; 2], "{page}");
    assert_eq!(found(&page, "li.differs").len(), 2, "{page}");
}

/// The page shows the count that decides the drift status.
#[test]
fn drift_count_equals_its_differences() {
    let mut target = target("t", Vec::new());
    target.unmanaged = vec![Unmanaged { flow: flow("a"), step: STEP, current: connector(1, "One") }];
    for (strict, differing) in [(true, 1), (false, 0)] {
        let drift = asked(vec![target.clone()], strict);
        assert_eq!(drift.differs(), strict);
        let page = drawn(Document::of(&drift), Format::Html);
        assert_eq!(found(&page, "li.unmanaged.differs").len(), differing, "{page}");
        assert_eq!(found(&page, "li.unmanaged").len(), 1, "{page}");
    }
    let plan = plan(vec![target]);
    assert!(found(&drawn(Document::of(&plan), Format::Html), "li.differs").is_empty());
}

/// The heading alone must not be misleading.
#[test]
fn heading_shows_incomplete_and_blocked_plans() {
    let differing = change("a", None, connector(1, "One"), place("flowbind.yaml", 5));
    let mut drift = asked(vec![target("t", vec![differing])], false);
    drift.errors = vec![problem("no")];
    for (format, heading) in [(Format::Html, "Drift, not whole: "), (Format::Markdown, "drift, not whole: ")]
    {
        let text = drawn(Document::of(&drift), format);
        assert!(text.contains(heading), "{text}");
    }
    let mut plan = Plan { drift: None, ..drift };
    plan.targets[0].refusals = vec![Refusal { reason: "no".into(), allow: Some("--allow-empty".into()) }];
    for (format, heading) in
        [(Format::Html, "Plan, not whole, refused: "), (Format::Markdown, "plan, not whole, refused: ")]
    {
        let text = drawn(Document::Plan(&plan), format);
        assert!(text.contains(heading), "{text}");
    }
}

fn report(targets: Vec<TargetReport>, exit_code: u8) -> Report {
    Report { fingerprint: "ab".repeat(32), targets, exit_code, ..Report::default() }
}

fn target_report(tenant: &str, changes: Vec<ChangeReport>) -> TargetReport {
    TargetReport { changes, ..TargetReport::not_attempted(&target(tenant, Vec::new())) }
}

fn change_report(name: &str, outcome: Outcome) -> ChangeReport {
    ChangeReport {
        change: change(name, None, connector(1, "One"), place("flowbind.yaml", 5)),
        outcome,
        attempts: 1,
        request_id: Some("the-tag".to_owned()),
        error: (!outcome.is_done()).then(|| "it did not go".to_owned()),
    }
}

/// An unreadable binding may differ, so the drift status is unknown.
#[test]
fn report_with_errors_does_not_say_nothing_to_do() {
    let outputs = |report: &Report| flowbind::render::github_outputs(Document::Report(report));
    let mut unread = report(vec![target_report("t", Vec::new())], 1);
    unread.errors = vec![problem("no")];
    assert!(outputs(&unread).contains("\ndrift=unknown\n"), "{}", outputs(&unread));
    for format in [Format::Markdown, Format::Html] {
        let text = drawn(Document::Report(&unread), format);
        assert!(!text.to_lowercase().contains("nothing to do"), "{text}");
        assert!(text.contains("pply, not all done"), "{text}");
    }
    let done = report(vec![target_report("t", Vec::new())], 0);
    assert!(outputs(&done).contains("\ndrift=false\n"), "{}", outputs(&done));
    assert!(drawn(Document::Report(&done), Format::Markdown).contains("### flowbind apply: nothing to do\n"));
    let failed = report(vec![target_report("t", vec![change_report("a", Outcome::Failed)])], 4);
    assert!(outputs(&failed).contains("\ndrift=true\n"), "{}", outputs(&failed));
}

#[test]
fn report_text_contains_its_errors() {
    let mut report = report(vec![target_report("t", vec![change_report("a", Outcome::Applied)])], 4);
    report.errors = vec![
        Problem { tenant: Some("other".into()), ..problem("it is not\nthere") },
        Problem { place: Some(place("f.yaml", 3)), ..problem("no") },
    ];
    let text = anstream::adapter::strip_str(&flowbind::render::report_text(&report)).to_string();
    let errors =
        "\nWhy not all was done:\n\n    other: it is not\\nthere\n    f.yaml:3:1: no\n\nApply: 1 applied.\n";
    assert!(text.ends_with(errors), "{text}");
}

#[test]
fn html_shows_override_flags_and_request_ids() {
    let mut target = target("t", vec![change("a", None, connector(1, "One"), place("flowbind.yaml", 5))]);
    target.refusals = vec![Refusal {
        reason: "too many".into(),
        allow: Some("--allow-protected B2C_1_$(id)/postFederationSignup".into()),
    }];
    target.overrides =
        vec!["--max-changes 9".into(), "--allow-protected B2C_1_`id`/postFederationSignup".into()];
    let plan = plan(vec![target]);
    let page = drawn(Document::Plan(&plan), Format::Html);
    let notes = found(&page, ".note");
    assert_eq!(
        notes,
        [
            "Refused: too many; allow it with --allow-protected 'B2C_1_$(id)/postFederationSignup'",
            "Made with --max-changes 9 --allow-protected 'B2C_1_`id`/postFederationSignup'",
        ]
    );
    assert!(found(&page, ".at")[1].ends_with(&plan.fingerprint()), "{page}");
    let changes = [Outcome::Failed, Outcome::Applied].map(|outcome| change_report(outcome.name(), outcome));
    let report = report(vec![target_report("t", changes.into())], 4);
    let page = drawn(Document::Report(&report), Format::Html);
    assert_eq!(found(&page, "li.failed.differs .why"), ["it did not go; request-id the-tag"]);
    assert_eq!(found(&page, "li.applied .why").len(), 0);
}

/// Returns the words into which a shell splits a command.
fn words(command: &str) -> Vec<String> {
    let output =
        std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {command}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn suggested_commands_are_quoted_for_a_shell() {
    let binding = "B2C_1_$(id)`id`;&|\"*\u{202e}/postFederationSignup";
    let flag = format!("--allow-protected {binding}");
    let mut target = target("t", vec![change("a", None, connector(1, "One"), place("f.yaml", 5))]);
    target.file = "my $(id) `id` file.yaml".into();
    target.overrides = vec!["--max-changes 9".into(), flag.clone()];
    let mut plan = plan(vec![target]);
    let seen = binding.replace('\u{202e}', "\\u{202e}");
    let comment = drawn(Document::Plan(&plan), Format::Markdown);
    let (codes, _) = readers::markdown(&comment);
    assert!(codes.contains(&format!("--allow-protected '{seen}'")), "{comment}");
    let command = comment.lines().find(|line| line.starts_with("flowbind apply")).unwrap();
    let expected =
        ["flowbind", "apply", &plan.targets[0].file, "--allow-protected", &seen, "--max-changes", "9"];
    assert_eq!(words(command)[..7], expected);

    plan.targets[0].refusals = vec![Refusal { reason: "no".into(), allow: Some(flag) }];
    let comment = drawn(Document::Plan(&plan), Format::Markdown);
    let refused = comment.lines().find(|line| line.contains("; allow it with ")).unwrap();
    assert!(!refused.contains(['`', '$', '*']), "{refused}");
    let text = anstream::adapter::strip_str(&flowbind::render::plan_text(&plan)).to_string();
    let commands = drawn(Document::Plan(&plan), Format::Github);
    let suites = drawn(Document::Plan(&plan), Format::Junit).replace("&#39;", "'").replace("&amp;", "&");
    let suites = suites.replace("&quot;", "\"");
    for shown in [text, commands, suites] {
        assert!(shown.contains(&format!("allow it with --allow-protected '{seen}'")), "{shown}");
    }
}

/// Creates a plan with all sections too long for a comment.
fn overfull() -> Plan {
    let long = |what: &str, number: usize| format!("{what} {number} {}", "\u{1}`<".repeat(200));
    let tenants = (0..30).map(|at| {
        let changes = (0..10).map(|number| {
            let (one, two) = (connector(1, "One"), connector(2, &long("name", number)));
            let (current, desired) = if number % 2 == 0 { (one, None) } else { (one, two) };
            change(&format!("{at}_{number}"), current, desired, place("flowbind.yaml", number))
        });
        let mut target = target(&long("tenant", at), changes.collect());
        target.file = long("file", at);
        for number in 0..10 {
            target
                .refusals
                .push(Refusal { reason: long("reason", number), allow: Some("--allow-empty".into()) });
            let flow = flow(&format!("{at}_{number}"));
            let error = long("error", number).into();
            target.unknown.push(Unknown { flow: flow.clone(), step: STEP, error });
            target.unmanaged.push(Unmanaged { flow, step: STEP, current: connector(3, "Three") });
            target.warnings.push(long("warning", number));
            target.overrides.push(format!("--max-changes {number}"));
            let connector = connector(4, &long("pinned", number)).unwrap();
            target.pins.push(BrokenPin { connector, expected: long("pin", number), actual: None });
        }
        target
    });
    Plan {
        targets: tenants.collect(),
        errors: (0..300).map(|at| problem(&long("no", at))).collect(),
        part: None,
        drift: None,
    }
}

/// Every section is shown, and each counts its omitted entries.
#[test]
fn comment_at_the_limit_counts_the_rest_and_shows_changes_first() {
    let plan = overfull();
    let drift = Plan { drift: Some(Drift { strict: true }), ..plan.clone() };
    for document in [Document::of(&plan), Document::of(&drift)] {
        let comment = drawn(document, Format::Markdown);
        readers::markdown(&comment);
        let more = |what: &str| -> Option<usize> {
            let line = comment.lines().find(|line| line.starts_with("… and ") && line.ends_with(what))?;
            line.split(' ').nth(2)?.parse().ok()
        };
        let shown = |mark: &str| comment.lines().filter(|line| line.contains(mark)).count();
        for (what, mark, all) in [
            ("more tenants", "as the file says", 30),
            ("more changes", "<code>flowbind.yaml&#58;", 300),
            ("more reasons", "; allow it with ", 300),
            ("more errors", "- <code>no ", 300),
            ("more unknown bindings", ": <code>error ", 300),
            ("more connectors", ": pinned to ", 300),
            ("more flags", ": <code>--max-changes ", 300),
            ("more warnings", ": <code>warning ", 300),
            ("more unmanaged bindings", "| <code>Three</code> |", 300),
        ] {
            assert_eq!(more(what).unwrap() + shown(mark), all, "{what} in {comment}");
        }
        let at = |what: &str| comment.find(what).unwrap();
        assert!(
            at("**disable**") < at("**Refused**") && at("**disable**") < at("**Not whole**"),
            "{comment}"
        );
    }
    let mut report = Report::not_attempted(&plan);
    report.fingerprint = "ab".repeat(32);
    let comment = drawn(Document::Report(&report), Format::Markdown);
    readers::markdown(&comment);
    assert!(comment.contains(" more changes\n") && comment.contains(" more errors\n"), "{comment}");
}

/// A command that is too long for a page or a shell uses the saved plan instead of files.
#[test]
fn suggested_command_for_many_files_uses_the_saved_plan() {
    let change = change("a", None, connector(1, "One"), place("f.yaml", 5));
    let mut plan = plan(vec![target("t", vec![change]); 500]);
    for target in &mut plan.targets {
        target.overrides = vec!["--allow-empty".into()];
    }
    let comment = drawn(Document::Plan(&plan), Format::Markdown);
    let command = format!("\nflowbind apply --plan PLAN.json --expect {}\n", plan.fingerprint());
    assert!(comment.contains(&command), "{comment}");
}

/// Flags of a command line count for all files. If only some files were planned with a flag, the saved plan
/// is needed.
#[test]
fn suggested_command_for_different_flags_uses_the_saved_plan() {
    let [a, b] = ["a", "b"].map(|name| format!("--allow-protected B2C_1_{name}/postFederationSignup"));
    let [six, seven] = [6, 7].map(|most| format!("--max-disables {most}"));
    let files = "flowbind.yaml flowbind.yaml";
    for (one, other, what) in [
        (vec![&six], vec![&seven], "--plan PLAN.json"),
        (vec![&six], vec![], "--plan PLAN.json"),
        (vec![], vec![&a], "--plan PLAN.json"),
        (vec![&a], vec![&a, &b], "--plan PLAN.json"),
        (vec![&six, &a, &b], vec![&six, &b, &a], &format!("{files} {a} {b} {six}")),
        (vec![], vec![], files),
    ] {
        let mut changed = target("t", vec![change("a", None, connector(1, "One"), place("f.yaml", 5))]);
        changed.overrides = one.into_iter().cloned().collect();
        let mut unchanged = target("u", Vec::new());
        unchanged.overrides = other.into_iter().cloned().collect();
        let plan = plan(vec![changed, unchanged]);
        let comment = drawn(Document::Plan(&plan), Format::Markdown);
        let command = format!("\nflowbind apply {what} --expect {}\n", plan.fingerprint());
        assert!(comment.contains(&command), "{command} in {comment}");
    }
}

#[test]
fn override_given_twice_is_listed_once() {
    let [a, b] = ["a", "b"].map(|name| (flow(name), STEP));
    let overrides = Overrides { allow_protected: vec![b.clone(), a, b], ..Overrides::default() };
    let expected = ["b", "a"].map(|name| format!("--allow-protected B2C_1_{name}/postFederationSignup"));
    assert_eq!(overrides.flags(), expected);
}

#[test]
fn junit_has_one_test_case_per_binding() {
    let old = connector(1, "Old");
    let mut target = target("t", vec![change("a", old.clone(), None, place("flowbind.yaml", 5))]);
    target.in_sync = vec![in_sync("b", old.clone(), place("flowbind.yaml", 6))];
    target.unmanaged = vec![Unmanaged { flow: flow("c"), step: STEP, current: old.clone() }];
    let gone = ["a", "b", "c"].map(|name| Unmanaged { flow: flow(name), step: STEP, current: old.clone() });
    target.gone = gone.into();
    let suites = drawn(Document::of(&asked(vec![target], true)), Format::Junit);
    let cases = readers::junit(&suites);
    assert_eq!(cases, ["B2C_1_a", "B2C_1_b", "B2C_1_c"].map(|flow| (flow.into(), STEP.name().into())));
    assert!(suites.contains("disable: Old → nothing; bound to Old, which is gone"), "{suites}");
    assert!(suites.contains("tests=\"3\" failures=\"3\""), "{suites}");
}

/// Flows of a base come first, sorted by the lines of the base.
#[test]
fn flows_of_several_files_render_in_file_order() {
    let (one, two) = (connector(1, "One"), connector(2, "Two"));
    let changes = [("b", "base.yaml", 20), ("a", "own.yaml", 3), ("e", "own.yaml", 9)];
    let same = [("c", "base.yaml", 10), ("b", "own.yaml", 1), ("d", "own.yaml", 8)];
    let differing =
        changes.map(|(name, file, line)| change(name, one.clone(), two.clone(), place(file, line)));
    let mut target = target("t", differing.into());
    target.file = "own.yaml".into();
    target.in_sync = same.map(|(name, file, line)| in_sync(name, one.clone(), place(file, line))).into();
    target.in_sync[1].step = Step::PostAttributeCollection;
    let plan = plan(vec![target]);
    let order = ["c", "b", "a", "d", "e"].map(|name| format!("B2C_1_{name}"));
    assert_eq!(readers::html(&drawn(Document::Plan(&plan), Format::Html)), order);
    let diff = drawn(Document::Plan(&plan), Format::Diff);
    let flows: Vec<_> = diff.lines().filter_map(|line| line.strip_prefix("   ")?.strip_suffix(':')).collect();
    assert_eq!(flows, order, "{diff}");
}

/// A name that is ambiguous anywhere in the plan shows its id everywhere.
#[test]
fn equal_names_in_sync_or_pinned_show_their_ids() {
    let mut target = target("t", vec![change("a", None, connector(1, "Check"), place("flowbind.yaml", 5))]);
    target.in_sync = vec![in_sync("b", connector(2, "check"), place("flowbind.yaml", 6))];
    let pinned = connector(3, "Check ").unwrap();
    target.pins = vec![BrokenPin { connector: pinned, expected: "https://a.b/c".into(), actual: None }];
    let plan = plan(vec![target]);
    let page = drawn(Document::Plan(&plan), Format::Html);
    let bound = found(&page, ".bound").concat() + &found(&page, ".note").concat();
    for number in [1, 2, 3] {
        assert!(bound.contains(&connector_id(number)), "{number}: {bound}");
    }
    let mut without = plan.clone();
    without.targets[0].in_sync.clear();
    without.targets[0].pins.clear();
    let page = drawn(Document::Plan(&without), Format::Html);
    assert_eq!(found(&page, ".bound"), ["nothing → Check"]);
}

/// Names can be confusable by letter case, by white space or by length.
#[test]
fn confusable_or_empty_name_shows_its_id_in_every_format() {
    let long = |end: &str| format!("{}{end}", "long `name` ".repeat(60));
    for name in [long("a"), "Nothing".into(), " NOTHING".into(), "A (protected)".into(), "a → b".into()] {
        let changes = vec![change("a", connector(1, &name), connector(2, "Two"), place("flowbind.yaml", 5))];
        let plan = plan(vec![target("t", changes)]);
        let id = format!("({})", connector_id(1));
        for format in [Format::Markdown, Format::Html, Format::Github, Format::Junit] {
            let shown = drawn(Document::Plan(&plan), format);
            assert!(shown.contains(&id), "{name} in {shown}");
        }
        let text = flowbind::render::plan_text(&plan);
        assert!(text.contains(&id), "{name} in {text}");
    }
    // An id that is not a GUID may be any text.
    let id = ConnectorId::parse("nothing").unwrap();
    let none = Some(Connector { id, display_name: None });
    let plan = plan(vec![target("t", vec![change("a", none, connector(1, "One"), place("f.yaml", 5))])]);
    assert!(flowbind::render::plan_text(&plan).contains("  (nothing) → One\n"));
    assert!(drawn(Document::Plan(&plan), Format::Markdown).contains("| <code>(nothing)</code> |"));
}

/// GitHub shows only the first ten annotations of a kind per step.
#[test]
fn annotations_are_sorted_by_danger() {
    let (one, two) = (connector(1, "One"), connector(2, "Two"));
    let tenant = |name: &str| {
        let disable = change(&format!("{name}_off"), one.clone(), None, place("f.yaml", 1));
        let replace = change(&format!("{name}_over"), one.clone(), two.clone(), place("f.yaml", 2));
        let mut target = target(name, vec![replace, disable]);
        target.refusals = vec![Refusal { reason: format!("{name} no"), allow: None }];
        target.unknown = vec![Unknown { flow: flow(&format!("{name}_un")), step: STEP, error: "no".into() }];
        target
    };
    let titles =
        readers::github(&drawn(Document::Plan(&plan(vec![tenant("s"), tenant("t")])), Format::Github));
    let of = |what: &str| format!("{what} postFederationSignup");
    assert_eq!(
        titles,
        [
            "refused".to_owned(),
            "refused".to_owned(),
            of("B2C_1_s_un") + " could not be read",
            of("B2C_1_t_un") + " could not be read",
            of("disable B2C_1_s_off"),
            of("disable B2C_1_t_off"),
            of("replace B2C_1_s_over"),
            of("replace B2C_1_t_over"),
        ]
    );
    let both = || vec![change_report("a", Outcome::Applied), change_report("b", Outcome::Failed)];
    let report = report(vec![target_report("s", both()), target_report("t", both())], 4);
    let titles = readers::github(&drawn(Document::Report(&report), Format::Github));
    let words: Vec<_> = titles.iter().map(|title| title.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["failed", "failed", "applied", "applied"]);
}

/// The warning is the same for drift and plan.
#[test]
fn dangling_connector_is_listed_once() {
    let old = connector(1, "Old");
    let mut target = target("t", Vec::new());
    target.in_sync = vec![in_sync("b", old.clone(), place("flowbind.yaml", 6))];
    target.warnings =
        vec![format!("`B2C_1_b` calls at `{STEP}` the connector `{}`, which is gone", connector_id(1))];
    target.gone = vec![Unmanaged { flow: flow("b"), step: STEP, current: old }];
    let drift = asked(vec![target], false);
    for format in [Format::Markdown, Format::Github] {
        let text = drawn(Document::of(&drift), format);
        assert_eq!(text.matches("which is gone").count(), 1, "{text}");
    }
}

#[test]
fn text_marks_protected_bindings() {
    let mut change = change("a", connector(1, "One"), None, place("flowbind.yaml", 5));
    change.protected = true;
    let text = flowbind::render::plan_text(&plan(vec![target("t", vec![change])]));
    assert!(text.contains("One → nothing  (protected)\n"), "{text}");
}

#[test]
fn metrics_omit_invalid_times() {
    let plan = plan(vec![target("t", Vec::new())]);
    let metric = "flowbind_last_run_timestamp_seconds";
    assert!(drawn(Document::Plan(&plan), Format::Prom).contains(metric));
    let samples = Document::Plan(&plan).draw(Format::Prom, "yesterday").unwrap();
    assert!(!samples.contains(metric) && samples.contains("flowbind_last_run_success"), "{samples}");
}

/// Time must grow linearly, not quadratically.
#[test]
fn large_documents_render_in_time() {
    let (count, began) = (20_000, std::time::Instant::now());
    let tenants: Vec<_> = (0..count).map(|at| target(&format!("t{at}"), Vec::new())).collect();
    drawn(Document::Plan(&plan(tenants)), Format::Prom);
    let unmanaged: Vec<_> = (0..count)
        .map(|at| Unmanaged { flow: flow(&at.to_string()), step: STEP, current: connector(1, "One") })
        .collect();
    let large = Target { unmanaged: unmanaged.clone(), gone: unmanaged, ..target("t", Vec::new()) };
    flowbind::render::drift(&large, true, Some(""));
    let connectors = (0..count).filter_map(|at| {
        let connector = connector(at, &"check".repeat(20))?;
        let display_name = Some(format!("{}{at}", "check".repeat(20)));
        Some(ListedConnector { connector: Connector { display_name, ..connector }, target_url: None })
    });
    let inventory = Inventory { kind: FlowKind::B2c, connectors: connectors.collect(), flows: Vec::new() };
    let tenant = "contoso.onmicrosoft.com".parse().unwrap();
    let file = flowbind::render::export(&inventory, &tenant, Cloud::Global, Api::Beta, &Step::DEFAULT, AT);
    assert!(file.contains(&format!("-{count}:")));
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
}
