//! A comment on a pull request: the counts, then what is most dangerous, and never more than a
//! platform takes. What does not fit is counted.

use std::fmt::Write as _;

use super::document::{Document, Drift};
use super::escape;
use super::text::{Names, counted};
use crate::apply::{ChangeReport, Outcome, Report};
use crate::diagnostic::clipped;
use crate::model::Action;
use crate::plan::{BrokenPin, Change, Place, Plan, Problem, Refusal, Summary, Target, Unknown};

/// The most bytes of a comment: GitHub takes 65,536 characters.
const MOST: usize = 60_000;

/// The most characters of one name or message. Whoever needs more has the other formats.
const LONGEST: usize = 300;

/// Draws the comment.
pub(super) fn draw(document: Document<'_>) -> String {
    match document {
        Document::Plan(plan) => of_plan(plan, None),
        Document::Drift(drift) => of_plan(drift.plan, Some(drift)),
        Document::Report(report) => of_report(report),
    }
}

/// A text that knows what still fits, and what has to follow in any case.
struct Page {
    text: String,
    end: String,
}

impl Page {
    fn new(beginning: String, end: String) -> Self {
        Self { text: beginning, end }
    }

    fn left(&self) -> usize {
        MOST.saturating_sub(self.text.len()).saturating_sub(self.end.len())
    }

    /// Adds a head, as many items as fit, and a foot; and says how many do not. Nothing where there
    /// is no item.
    fn section(&mut self, head: &str, items: &[String], foot: &str, more: &str) {
        if items.is_empty() {
            return;
        }
        // Room for the line that counts the rest.
        let line = |count: usize| format!("\n… and {count} more {more}\n");
        let spare = head.len().saturating_add(foot.len()).saturating_add(line(usize::MAX).len());
        if spare >= self.left() {
            let rest = line(items.len());
            if rest.len() < self.left() {
                self.text.push_str(&rest);
            }
            return;
        }
        self.text.push_str(head);
        let mut room = self.left().saturating_sub(spare.saturating_sub(head.len()));
        let fitting = items.iter().take_while(|item| {
            let fits = item.len() <= room;
            room = room.saturating_sub(item.len());
            fits
        });
        let fitting: Vec<_> = fitting.map(String::as_str).collect();
        self.text.push_str(&fitting.concat());
        if fitting.len() < items.len() {
            self.text.push_str(&line(items.len().saturating_sub(fitting.len())));
        }
        self.text.push_str(foot);
    }

    fn finish(self) -> String {
        self.text + &self.end
    }
}

fn of_plan(plan: &Plan, drift: Option<Drift<'_>>) -> String {
    let several = plan.targets.len() > 1;
    let (marker, title) = match drift {
        None => ("plan", plan_title(plan)),
        Some(drift) => ("drift", drift_title(drift)),
    };
    let mut beginning = format!("<!-- flowbind:{marker} -->\n### flowbind {title}\n");
    for target in plan.targets.iter().take(20) {
        let Target { tenant, cloud, api, file, unchanged, .. } = target;
        let (tenant, file) = (code(tenant), code(file));
        let unchanged = counted(*unchanged, "binding", "bindings");
        _ = write!(
            beginning,
            "\n{tenant} (cloud {cloud}, api {api}) from {file}, {unchanged} as the file says\n"
        );
    }
    if plan.targets.len() > 20 {
        _ = write!(beginning, "\n… and {} more tenants\n", plan.targets.len().saturating_sub(20));
    }
    let mut page = Page::new(beginning, if drift.is_some() { String::new() } else { fingerprint(plan) });
    let of_targets =
        |draw: &dyn Fn(&Target) -> Vec<String>| plan.targets.iter().flat_map(draw).collect::<Vec<_>>();

    let refusals =
        of_targets(&|target| target.refusals.iter().map(|it| refusal(it, target, several)).collect());
    page.section("\n**Refused**\n\n", &refusals, "", "reasons");
    let errors: Vec<_> = plan.errors.iter().map(|error| problem(error, several)).collect();
    page.section("\n**Not whole**\n\n", &errors, "", "errors");
    let unknown = of_targets(&|target| target.unknown.iter().map(|it| unread(it, target, several)).collect());
    page.section("\n**Unknown, could not be read**\n\n", &unknown, "", "unknown bindings");
    let mut changes = Vec::new();
    for action in [Action::Disable, Action::Replace, Action::Enable] {
        changes.extend(of_targets(&|target| rows(target, action, several)));
    }
    page.section(&table(&["", "Flow", "Step", "Now", "Then", "Where"], several), &changes, "", "changes");
    let pins = of_targets(&|target| target.pins.iter().map(|pin| broken(pin, target, several)).collect());
    page.section("\n**Connectors that do not call what they are pinned to**\n\n", &pins, "", "connectors");
    let warnings = of_targets(&|target| {
        target.warnings.iter().map(|warning| item(target, several, &code(warning))).collect()
    });
    page.section("\n**Warnings**\n\n", &warnings, "", "warnings");
    if let Some(drift) = drift {
        let gone = plan.targets.iter().zip(drift.gone).flat_map(|(target, gone)| {
            let names = Names::of_target(target);
            gone.iter().map(move |it| {
                let what =
                    format!("{} {}: {}", code(it.flow.as_str()), it.step, code(&names.bound(&it.current)));
                item(target, several, &what)
            })
        });
        let gone: Vec<_> = gone.collect();
        page.section("\n**Bound to connectors that are gone**\n\n", &gone, "", "bindings");
    }
    let unmanaged = of_targets(&|target| unmanaged(target, several));
    let head = format!(
        "\n<details{}><summary>Unmanaged, left alone: {}</summary>\n{}",
        if drift.is_some_and(|drift| drift.strict) { " open" } else { "" },
        unmanaged.len(),
        table(&["Flow", "Step", "Now"], several)
    );
    page.section(&head, &unmanaged, "\n</details>\n", "unmanaged bindings");
    page.finish()
}

fn plan_title(plan: &Plan) -> String {
    let counts = counts(plan.summary());
    if !plan.is_whole() {
        format!("plan, not whole: {counts}")
    } else if plan.is_refused() {
        format!("plan, refused: {counts}")
    } else if plan.has_changes() {
        format!("plan: {counts}")
    } else {
        "plan: no changes".into()
    }
}

fn drift_title(drift: Drift<'_>) -> String {
    let whole = if drift.plan.is_whole() { "" } else { ", not whole" };
    match drift.answer() {
        Some(true) => format!("drift{whole}: {}", counts(drift.plan.summary())),
        Some(false) => "drift: none".into(),
        None => "drift: unknown, not all could be read".into(),
    }
}

fn counts(Summary { enable, replace, disable, unchanged: _ }: Summary) -> String {
    format!("{enable} to enable, {replace} to replace, {disable} to disable")
}

/// The fingerprint, and what applies exactly this plan.
fn fingerprint(plan: &Plan) -> String {
    let fingerprint = plan.fingerprint();
    if !plan.has_changes() || !plan.is_whole() || plan.is_refused() {
        return format!("\nFingerprint: `{fingerprint}`\n");
    }
    let mut words = vec!["flowbind apply".to_owned()];
    words.extend(plan.targets.iter().map(|target| escape::shell(&target.file).into_owned()));
    let mut flags: Vec<_> = plan.targets.iter().flat_map(|target| &target.overrides).collect();
    flags.sort_unstable();
    flags.dedup();
    words.extend(flags.into_iter().cloned());
    let command = format!("{} --expect {fingerprint}", words.join(" "));
    // A fleet's files fill the page: a folder or a saved plan names them shorter.
    let command =
        if command.len() > 4_000 { format!("flowbind apply FILES --expect {fingerprint}") } else { command };
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

fn row(target: &Target, several: bool, cells: &[String]) -> String {
    let tenant = several.then(|| code(&target.tenant));
    let cells: Vec<_> = tenant.iter().chain(cells).map(String::as_str).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn rows(target: &Target, action: Action, several: bool) -> Vec<String> {
    let names = Names::of_target(target);
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
            bound(&names.bound(current)),
            bound(&names.bound(desired)),
            place(source),
        ];
        row(target, several, &cells)
    };
    changes.map(draw).collect()
}

fn unmanaged(target: &Target, several: bool) -> Vec<String> {
    let names = Names::of_target(target);
    let draw = |it: &crate::plan::Unmanaged| {
        let cells = [code(it.flow.as_str()), it.step.name().to_owned(), bound(&names.bound(&it.current))];
        row(target, several, &cells)
    };
    target.unmanaged.iter().map(draw).collect()
}

fn item(target: &Target, several: bool, what: &str) -> String {
    let tenant = if several { format!("{}: ", code(&target.tenant)) } else { String::new() };
    format!("- {tenant}{what}\n")
}

fn refusal(Refusal { reason, allow }: &Refusal, target: &Target, several: bool) -> String {
    let allow = allow.as_ref().map(|flag| format!("; allow it with {}", code(flag))).unwrap_or_default();
    item(target, several, &format!("{}{allow}", code(reason)))
}

fn problem(Problem { message, place: at, tenant }: &Problem, several: bool) -> String {
    let tenant = tenant.as_ref().filter(|_| several).map(|tenant| format!("{}: ", code(tenant)));
    let at = at.as_ref().map(|at| format!("{}: ", place(at)));
    format!("- {}{}{}\n", tenant.unwrap_or_default(), at.unwrap_or_default(), code(message))
}

fn unread(Unknown { flow, step, error }: &Unknown, target: &Target, several: bool) -> String {
    item(target, several, &format!("{} {step}: {}", code(flow.as_str()), code(error)))
}

fn broken(BrokenPin { connector, expected, actual }: &BrokenPin, target: &Target, several: bool) -> String {
    let names = Names::of_target(target);
    let actual = actual.as_deref().map_or("no address".to_owned(), code);
    let (name, expected) = (code(&names.connector(connector)), code(expected));
    item(target, several, &format!("{name}: pinned to {expected}, calls {actual}"))
}

fn of_report(report: &Report) -> String {
    let several = report.targets.len() > 1;
    let counts: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| report.count(*outcome) > 0)
        .map(|outcome| format!("{} {}", report.count(outcome), outcome.name()))
        .collect();
    let title = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
    let beginning = format!("<!-- flowbind:report -->\n### flowbind apply: {title}\n");
    let end = format!("\nFingerprint of the plan: `{}`\n", escape::fingerprint(&report.fingerprint));
    let mut page = Page::new(beginning, end);
    let errors: Vec<_> = report.errors.iter().map(|error| problem(error, several)).collect();
    page.section("\n**Why not all was done**\n\n", &errors, "", "errors");
    let mut rows = Vec::new();
    // What is not as it should be comes first.
    for outcome in
        [Outcome::Failed, Outcome::Unverified, Outcome::NotAttempted, Outcome::Applied, Outcome::Already]
    {
        for target in &report.targets {
            let names = Names::of_report(target);
            for ChangeReport { change, error, request_id, .. } in
                target.changes.iter().filter(|change| change.outcome == outcome)
            {
                let tenant = several.then(|| format!("| {} ", code(&target.tenant)));
                let word = match outcome {
                    Outcome::Applied => "✅ applied",
                    Outcome::Already => "✅ already",
                    Outcome::Failed => "❌ **failed**",
                    Outcome::Unverified => "❓ **unverified**",
                    Outcome::NotAttempted => "⏸ not attempted",
                };
                let cells = [
                    word.to_owned(),
                    code(change.flow.as_str()),
                    change.step.name().to_owned(),
                    bound(&names.bound(&change.current)),
                    bound(&names.bound(&change.desired)),
                    error.as_deref().map(code).unwrap_or_default(),
                    request_id.as_deref().map(code).unwrap_or_default(),
                ];
                rows.push(format!("{}| {} |\n", tenant.unwrap_or_default(), cells.join(" | ")));
            }
        }
    }
    let columns = ["", "Flow", "Step", "Before", "Planned", "Why", "Request"];
    page.section(&table(&columns, several), &rows, "", "changes");
    page.finish()
}

/// A text from outside, in an element in which nothing is looked for.
fn code(text: &str) -> String {
    // A code element of nothing is none.
    if text.trim().is_empty() {
        return "<code>&nbsp;</code>".into();
    }
    format!("<code>{}</code>", escape::markdown(&clipped(text, LONGEST)))
}

/// What is bound: a name, or our own word for none.
fn bound(name: &str) -> String {
    if name == "nothing" { "nothing".into() } else { code(name) }
}

fn place(Place { file, line, column: _ }: &Place) -> String {
    code(&format!("{file}:{line}"))
}
