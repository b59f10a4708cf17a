//! Renders a comment on a pull request: the counts, then the most dangerous changes first, within the size that
//! the platform accepts. Items that do not fit are counted.

use std::collections::BTreeSet;

use super::document::Document;
use super::escape;
use super::order::{ACTIONS, OUTCOMES};
use super::report::outcomes;
use super::text::{self, Names, counted};
use crate::apply::{ChangeReport, Outcome, Report};
use crate::diagnostic::{Diagnostic, Location, SourceLocation, clipped};
use crate::model::{Action, Bound};
use crate::plan::{BrokenPin, Change, Plan, Problem, Target, Unmanaged};

/// Limit of a comment in bytes: GitHub accepts 65,536 characters.
const COMMENT_LIMIT: usize = 60_000;

/// Bytes that each section gets in any case, so that none crowds out another.
const SHARE: usize = 4_000;

/// Limit of a command in bytes.
const LONGEST_COMMAND: usize = 4_000;

/// Limit of one name or message in characters. The other formats have the complete text.
const LONGEST: usize = 300;

/// Renders the comment.
pub(super) fn render(document: Document<'_>) -> String {
    match document {
        Document::Plan(plan) | Document::Drift(plan) => of_plan(plan, document),
        Document::Report(report) => of_report(report, document),
    }
}

/// Items below a head, of which as many are shown as fit.
struct Section {
    head: String,
    items: Vec<String>,
    foot: &'static str,
    /// What the items are, to count those that do not fit.
    more: &'static str,
}

impl Section {
    fn new(head: impl Into<String>, items: Vec<String>, more: &'static str) -> Self {
        Self { head: head.into(), items, foot: "", more }
    }

    fn size(&self) -> usize {
        let Self { head, items, foot, more: _ } = self;
        let items: usize = items.iter().map(String::len).sum();
        if items == 0 { 0 } else { items.saturating_add(head.len()).saturating_add(foot.len()) }
    }

    /// What it has to have: all that it needs, or its share.
    fn least(&self) -> usize {
        self.size().min(SHARE)
    }

    /// Draws as many items as `room` bytes hold, and says how many more there are. Takes no more than
    /// [`Section::least`] where that is all there is.
    fn draw(&self, room: usize) -> String {
        let Self { head, items, foot, more } = self;
        let size = self.size();
        if size <= room {
            return if size == 0 { String::new() } else { format!("{head}{}{foot}", items.concat()) };
        }
        let rest = |shown: usize| format!("\n… and {} more {more}\n", items.len().saturating_sub(shown));
        let spare = [head.len(), foot.len(), rest(0).len()].into_iter().sum::<usize>();
        let mut left = room.saturating_sub(spare);
        let fitting = items.iter().take_while(|item| {
            let fits = item.len() <= left;
            left = left.saturating_sub(item.len());
            fits
        });
        match fitting.count() {
            0 => rest(0),
            shown => {
                let items: String = items.iter().take(shown).map(String::as_str).collect();
                format!("{head}{items}{}{foot}", rest(shown))
            }
        }
    }
}

/// Sections between a beginning and an end that are there in any case, together no more than fits.
fn page(beginning: String, sections: &[Section], end: &str) -> String {
    let mut reserved: usize = sections.iter().map(Section::least).sum();
    let mut text = beginning;
    for section in sections {
        reserved = reserved.saturating_sub(section.least());
        let taken = [text.len(), end.len(), reserved].into_iter().sum();
        text.push_str(&section.draw(COMMENT_LIMIT.saturating_sub(taken)));
    }
    text + end
}

/// Each target with the names of its connectors.
type Named<'a> = [(&'a Target, Names<'a>)];

fn of_plan(plan: &Plan, document: Document<'_>) -> String {
    let several = plan.targets.len() > 1;
    let targets: Vec<_> = plan.targets.iter().map(|target| (target, Names::of_target(target))).collect();
    let (end, strict) = match document {
        Document::Drift(plan) => (String::new(), plan.is_strict()),
        _ => (fingerprint(plan), false),
    };
    let errors = plan.errors.iter().map(|error| problem(error, several)).collect();
    let changes = ACTIONS.map(|action| of_each(&targets, |it, names| rows(it, names, action, several)));
    let unmanaged = of_each(&targets, |it, names| unmanaged(it, names, several));
    let left_alone = format!(
        "\n<details{}><summary>Not in the file (left unchanged): {}</summary>\n{}",
        if strict { " open" } else { "" },
        unmanaged.len(),
        table(&["Flow", "Step", "Now"], several)
    );
    let items = |head: &str, draw: &dyn Fn(&Target, &Names<'_>) -> Vec<String>, more| {
        let draw = |target: &Target, names: &Names<'_>| {
            draw(target, names).iter().map(|what| item(target, several, what)).collect()
        };
        Section::new(format!("\n**{head}**\n\n"), of_each(&targets, draw), more)
    };
    let sections = [
        Section::new(
            table(&["", "Flow", "Step", "Now", "Then", "Where"], several),
            changes.concat(),
            "changes",
        ),
        items(
            "Blocked",
            &|it, _| it.blockers.iter().map(|it| diagnostic(&it.diagnostic())).collect(),
            "blockers",
        ),
        Section::new("\n**Errors**\n\n", errors, "errors"),
        items(
            "Could not be read",
            &|it, _| it.unreadable_causes().iter().map(diagnostic).collect(),
            "causes",
        ),
        items(
            "Connector address differs from its pin",
            &|it, names| it.pins.iter().map(|pin| broken(pin, names)).collect(),
            "connectors",
        ),
        items(
            "Planned with",
            &|it, _| it.overrides.iter().map(|it| flag(&it.to_string())).collect(),
            "flags",
        ),
        items(
            "Warnings",
            &|it, _| it.warnings().iter().map(|it| diagnostic(&it.diagnostic())).collect(),
            "warnings",
        ),
        Section { foot: "\n</details>\n", ..Section::new(left_alone, unmanaged, "unmanaged bindings") },
    ];
    let tenants = Section::new("", plan.targets.iter().map(about).collect(), "tenants").draw(SHARE);
    let command = document.command();
    let beginning = format!("<!-- flowbind:{command} -->\n### flowbind {}\n{tenants}", title(document));
    page(beginning, &sections, &end)
}

/// What each of the targets gives, one after the other.
fn of_each(targets: &Named<'_>, draw: impl Fn(&Target, &Names<'_>) -> Vec<String>) -> Vec<String> {
    targets.iter().flat_map(|(target, names)| draw(target, names)).collect()
}

/// What a target is, and how much of it is as its file says.
fn about(Target { tenant, cloud, api, file, in_sync, .. }: &Target) -> String {
    let (tenant, file) = (code(tenant), code(file));
    let unchanged = counted(in_sync.len(), "binding", "bindings");
    format!("\n{tenant} (cloud {cloud}, api {api}) from {file}, {unchanged} unchanged\n")
}

fn title(document: Document<'_>) -> String {
    let caveats = document.status_suffix();
    match document {
        Document::Plan(plan) => {
            let counts = text::counts(plan.summary());
            match (counts.is_empty(), caveats.is_empty()) {
                (false, _) => format!("plan{caveats}: {counts}"),
                (true, true) => "plan: no changes".to_owned(),
                (true, false) => format!("plan{caveats}"),
            }
        }
        Document::Drift(plan) => match plan.is_drifted() {
            Some(true) => format!("drift{caveats}: {}", differences(plan)),
            Some(false) => "drift: none".to_owned(),
            None => "drift: unknown, because not everything could be read".to_owned(),
        },
        Document::Report(report) => match outcomes(report.changes()) {
            counts if !counts.is_empty() => format!("apply{caveats}: {counts}"),
            _ if caveats.is_empty() => "apply: nothing to do".to_owned(),
            _ => format!("apply{caveats}"),
        },
    }
}

/// How much differs, of each kind that there is.
fn differences(plan: &Plan) -> String {
    let count = |of: fn(&Target) -> usize| plan.targets.iter().map(of).fold(0, usize::saturating_add);
    let unmanaged = count(|target| target.unmanaged.len());
    let others = [
        (count(|target| target.pins.len()), "broken pin", "broken pins"),
        (
            count(|target| target.dangling.len()),
            "binding to a deleted connector",
            "bindings to deleted connectors",
        ),
        (if plan.is_strict() { unmanaged } else { 0 }, "unmanaged", "unmanaged"),
    ];
    let others = others.into_iter().filter(|(number, ..)| *number > 0);
    let others = others.map(|(number, one, many)| counted(number, one, many));
    let changes = Some(text::counts(plan.summary())).filter(|_| plan.has_changes());
    changes.into_iter().chain(others).collect::<Vec<_>>().join("; ")
}

/// The fingerprint, and what applies exactly this plan.
fn fingerprint(plan: &Plan) -> String {
    let Some(fingerprint) = plan.fingerprint() else {
        return format!("\n{}\n", text::total(plan));
    };
    if !plan.has_changes() || plan.is_blocked() {
        return format!("\nFingerprint: `{fingerprint}`\n");
    }
    let files = plan.targets.iter().map(|target| escape::path(&target.file).into_owned());
    let mut overrides = plan.targets.iter().map(|target| target.overrides.iter().collect::<BTreeSet<_>>());
    let flags = overrides.next().unwrap_or_default();
    let same = overrides.all(|others| others == flags);
    let words: Vec<_> = files.chain(flags.into_iter().map(|flag| escape::flag(&flag.to_string()))).collect();
    let words = words.join(" ");
    // A flag holds for all files. What a fleet's files and flags would fill the page with, and what plans
    // that were made apart have of their own, is in a saved plan as well.
    let what = if same && words.len() <= LONGEST_COMMAND { &words } else { "--plan PLAN.json" };
    let command = format!("flowbind apply {what} --expect {fingerprint}");
    let fence = "`".repeat(longest_run(&command).saturating_add(1).max(3));
    format!("\nFingerprint: `{fingerprint}`. To apply exactly this plan:\n\n{fence}sh\n{command}\n{fence}\n")
}

/// How many backticks there are in a row.
fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or_default()
}

/// The head of a table, its columns after that of the tenant where there are several.
fn table(columns: &[&str], several: bool) -> String {
    let columns: Vec<_> = several.then_some("Tenant").into_iter().chain(columns.iter().copied()).collect();
    let rule: Vec<_> = columns.iter().map(|_| "---").collect();
    format!("\n| {} |\n| {} |\n", columns.join(" | "), rule.join(" | "))
}

fn row(tenant: &str, several: bool, cells: &[String]) -> String {
    let tenant = several.then(|| code(tenant));
    let cells: Vec<_> = tenant.iter().chain(cells).map(String::as_str).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn rows(target: &Target, names: &Names<'_>, action: Action, several: bool) -> Vec<String> {
    let changes = target.changes.iter().filter(|change| change.action == action);
    let draw = |Change { flow, step, current, desired, protected, source, .. }: &Change| {
        let mark = match action {
            Action::Enable => "➕ enable",
            Action::Replace => "🔁 replace",
            Action::Disable => "⛔ **disable**",
        };
        let mark = format!("{mark}{}", if *protected { " (protected)" } else { "" });
        let cells = [
            mark,
            code(flow.as_str()),
            step.name().to_owned(),
            bound(current, names),
            bound(desired, names),
            place(source),
        ];
        row(&target.tenant, several, &cells)
    };
    changes.map(draw).collect()
}

fn unmanaged(target: &Target, names: &Names<'_>, several: bool) -> Vec<String> {
    let draw = |Unmanaged { flow, step, current }: &Unmanaged| {
        let cells = [code(flow.as_str()), step.name().to_owned(), bound(current, names)];
        row(&target.tenant, several, &cells)
    };
    target.unmanaged.iter().map(draw).collect()
}

fn item(target: &Target, several: bool, what: &str) -> String {
    let tenant = if several { format!("{}: ", code(&target.tenant)) } else { String::new() };
    format!("- {tenant}{what}\n")
}

/// Returns a problem as the text of a list item: id, location, message, causes, notes and hints.
fn diagnostic(problem: &Diagnostic) -> String {
    let Diagnostic { severity: _, code: id, message: _, location, causes: _, notes, hints } = problem;
    let at = location.as_ref().map(|location| format!("{}: ", place(&Location::position(location))));
    let details = notes.iter().chain(hints).map(|text| format!("; {}", code(text))).collect::<String>();
    format!("`{id}`: {}{}{details}", at.unwrap_or_default(), code(&problem.summary()))
}

fn problem(Problem { diagnostic: problem, tenant }: &Problem, several: bool) -> String {
    let tenant = tenant.as_ref().filter(|_| several).map(|tenant| format!("{}: ", code(tenant)));
    format!("- {}{}\n", tenant.unwrap_or_default(), diagnostic(problem))
}

fn broken(BrokenPin { connector, expected, actual }: &BrokenPin, names: &Names<'_>) -> String {
    let actual = actual.as_deref().map_or("no address".to_owned(), code);
    let (name, expected) = (code(&names.connector(connector)), code(expected));
    format!("{name}: pinned to {expected}, but calls {actual}")
}

fn of_report(report: &Report, document: Document<'_>) -> String {
    let several = report.targets.len() > 1;
    let beginning = format!("<!-- flowbind:report -->\n### flowbind {}\n", title(document));
    let fingerprint = report.fingerprint.as_deref().map(escape::fingerprint);
    let end = fingerprint.map(|it| format!("\nFingerprint of the plan: `{it}`\n")).unwrap_or_default();
    let errors = report.errors.iter().map(|error| problem(error, several)).collect();
    let names: Vec<_> = report.targets.iter().map(|target| (target, Names::of_report(target))).collect();
    let mut rows = Vec::new();
    for outcome in OUTCOMES {
        for (target, names) in &names {
            let changes = target.changes.iter().filter(|change| change.outcome == outcome);
            rows.extend(changes.map(|change| row(&target.tenant, several, &cells(change, names))));
        }
    }
    let columns = ["", "Flow", "Step", "Before", "Planned", "Why", "Request"];
    let sections = [
        Section::new(table(&columns, several), rows, "changes"),
        Section::new("\n**Errors**\n\n", errors, "errors"),
    ];
    page(beginning, &sections, &end)
}

fn cells(report: &ChangeReport, names: &Names<'_>) -> [String; 7] {
    let ChangeReport { change, outcome, attempts: _, request_id, error, hint: _ } = report;
    let word = match outcome {
        Outcome::Applied => "✅ applied",
        Outcome::Already => "✅ already",
        Outcome::Failed => "❌ **failed**",
        Outcome::Unverified => "❓ **unverified**",
        Outcome::NotAttempted => "⏸ not attempted",
    };
    [
        word.to_owned(),
        code(change.flow.as_str()),
        change.step.name().to_owned(),
        bound(&change.current, names),
        bound(&change.desired, names),
        error.as_deref().map(code).unwrap_or_default(),
        request_id.as_deref().map(code).unwrap_or_default(),
    ]
}

/// A text from outside, in an element in which nothing is looked for.
fn code(text: &str) -> String {
    element(&clipped(&escape::text(text), LONGEST))
}

/// A flag as a shell takes it: whole, since it is copied.
fn flag(flag: &str) -> String {
    element(&escape::flag(&flag.to_string()))
}

fn element(text: &str) -> String {
    // A code element of nothing is none.
    if text.trim().is_empty() {
        return "<code>&nbsp;</code>".into();
    }
    format!("<code>{}</code>", escape::markdown(text))
}

/// What is bound: a name, or our own word for none.
fn bound(bound: &Bound, names: &Names<'_>) -> String {
    bound.as_ref().map_or("nothing".to_owned(), |connector| code(&names.connector(connector)))
}

fn place(SourceLocation { file, line, column: _ }: &SourceLocation) -> String {
    code(&format!("{file}:{line}"))
}
