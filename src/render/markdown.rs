//! Renders a comment on a pull request: the counts, then the most dangerous changes first, within the size that
//! the platform accepts. Items that do not fit are counted.

use std::collections::BTreeSet;

use super::escape;
use super::hold::{self, Held};
use super::names::Names;
use super::order::{ACTIONS, OUTCOMES, unblocking_pins};
use super::prose::{self, code, flag};
use super::wording::{self, hints, pluralize};
use crate::apply::{ChangeReport, Outcome, Report, TargetReport};
use crate::diagnostic::{Diagnostic, Location, Severity, SourceLocation};
use crate::model::{Action, Actor, Api, Bound, Cloud, Label, Only, Tenant};
use crate::plan::{Blocker, BrokenPin, Change, Limit, Plan, Problem, Target, Unmanaged, override_hint};

/// Limit of a comment in bytes: GitHub accepts 65,536 characters.
pub(super) const COMMENT_LIMIT: usize = 60_000;

/// Part of the limit that each section gets in any case, so that none crowds out another: 4,000 bytes of a comment.
const MIN_SECTION: usize = 15;

/// Bytes of the lines of the tenants.
const TENANT_LINES: usize = 4_000;

/// Limit of a command in bytes.
const MAX_COMMAND: usize = 4_000;

/// Number of causes, notes and hints of one problem that are shown.
const MAX_DETAILS: usize = 5;

/// Head of the table of fingerprints.
const FINGERPRINTS_HEAD: &str = "\n| Tenant | Fingerprint |\n| --- | --- |\n";

/// Items below a head. Items that do not fit are counted.
pub(super) struct Section {
    head: String,
    items: Vec<String>,
    foot: &'static str,
    /// Name of the items, to count those that do not fit.
    name: &'static str,
}

impl Section {
    pub(super) fn new(head: impl Into<String>, items: Vec<String>, name: &'static str) -> Self {
        Self { head: head.into(), items, foot: "", name }
    }

    /// Creates a list with a heading.
    pub(super) fn list(heading: &str, items: Vec<String>, name: &'static str) -> Self {
        Self::new(format!("\n**{heading}**\n\n"), items, name)
    }

    /// Creates a section that is folded below a summary. `head` comes before its items.
    pub(super) fn folded(summary: &str, head: &str, items: Vec<String>, name: &'static str) -> Self {
        let head = format!("\n<details><summary>{summary}</summary>\n{head}");
        Self { foot: "\n</details>\n", ..Self::new(head, items, name) }
    }

    fn size(&self) -> usize {
        let Self { head, items, foot, name: _ } = self;
        let items: usize = items.iter().map(String::len).sum();
        if items == 0 { 0 } else { items.saturating_add(head.len()).saturating_add(foot.len()) }
    }

    /// Returns the number of bytes that are reserved for the section within `limit`: its size, but at most one
    /// [`MIN_SECTION`]th.
    fn min_size(&self, limit: usize) -> usize {
        self.size().min(limit / MIN_SECTION)
    }

    /// Renders as many items as fit into `room` bytes, and the number of the others. If none fits, renders
    /// the first line of the first item, or only the number. Empty without items. [`Section::min_size`] bytes
    /// are always enough.
    fn render(&self, room: usize) -> String {
        let Self { head, items, foot, name } = self;
        let size = self.size();
        if size <= room {
            return if size == 0 { String::new() } else { format!("{head}{}{foot}", items.concat()) };
        }
        let rest = |shown: usize| format!("\n… and {} more {name}\n", items.len().saturating_sub(shown));
        let spare = [head.len(), foot.len(), rest(0).len()].into_iter().sum::<usize>();
        let mut left = room.saturating_sub(spare);
        let fitting = items.iter().map(String::as_str).take_while(|item| {
            let fits = item.len() <= left;
            left = left.saturating_sub(item.len());
            fits
        });
        let mut shown: Vec<_> = fitting.collect();
        if shown.is_empty() {
            // A problem with many details is shown without them, rather than not at all.
            let first_line = items.first().and_then(|item| item.split_inclusive('\n').next());
            shown.extend(first_line.filter(|line| line.len() <= room.saturating_sub(spare)));
        }
        match shown.len() {
            0 => rest(0),
            count => format!("{head}{}{}{foot}", shown.concat(), rest(count)),
        }
    }
}

/// Renders sections between a beginning and an end, within `limit` bytes. Items of sections that do not fit are left
/// out and counted. The beginning and the end are always complete.
pub(super) fn page(beginning: &str, sections: &[Section], end: &str, limit: usize) -> String {
    let mut reserved: usize = sections.iter().map(|section| section.min_size(limit)).sum();
    let mut text = beginning.to_owned();
    for section in sections {
        reserved = reserved.saturating_sub(section.min_size(limit));
        let used = [text.len(), end.len(), reserved].into_iter().sum();
        text.push_str(&section.render(limit.saturating_sub(used)));
    }
    text + end
}

/// Targets with the names of their connectors.
type NamedTargets<'a> = [(&'a Target, Names<'a>)];

/// Renders a plan as a Markdown comment within `limit` bytes. It begins with an invisible marker of its kind.
pub(super) fn render_plan(plan: &Plan, limit: usize) -> String {
    let targets: Vec<_> = plan.targets().map(|target| (target, Names::from_target(target))).collect();
    let layout = Layout { names_tenants: targets.len() > 1 };
    let changes =
        ACTIONS.map(|action| flat_map_targets(&targets, |it, names| layout.changes(it, names, action)));
    let unmanaged = flat_map_targets(&targets, |it, names| layout.unmanaged(it, names));
    let unmanaged_summary = format!("Not in the file (left unchanged): {}", unmanaged.len());
    let unmanaged_head = layout.table_head(&["Flow", "Step", "Now"]);
    let blockers = flat_map_targets(&targets, |it, _| {
        it.blockers.iter().map(|blocker| layout.blocker(plan, it, blocker)).collect()
    });
    let pins = flat_map_targets(&targets, |it, names| {
        let pins = unblocking_pins(it).into_iter();
        pins.map(|pin| layout.item(&it.tenant, &broken_pin(pin, names))).collect()
    });
    let held = flat_map_targets(&targets, |it, names| {
        hold::of_target(it, names).iter().map(|held| layout.held(&it.tenant, held)).collect()
    });
    let flags = flat_map_targets(&targets, |it, _| {
        let scoped = it.overrides.iter().map(|flag| flag.scoped(&it.tenant, plan.needs_scoped_flags()));
        scoped.map(|scoped| layout.item(&it.tenant, &flag(&scoped))).collect()
    });
    let (problems, several) = (plan.problems(), plan.has_several_tenants());
    let changes_head = layout.table_head(&["", "Flow", "Step", "Now", "Then", "Where"]);
    let sections = [
        Section::new(changes_head, changes.concat(), "changes"),
        Section::list("Blocked", blockers, "blockers"),
        Section::list("Errors", problem_items(&problems, several, Severity::Error), "errors"),
        Section::list("Held", held, "held bindings"),
        Section::list("Connector address differs from its pin", pins, "connectors"),
        Section::list("Planned with", flags, "flags"),
        Section::list("Warnings", problem_items(&problems, several, Severity::Warning), "warnings"),
        Section::folded("Fingerprints of the tenants", FINGERPRINTS_HEAD, fingerprints(plan), "tenants"),
        Section::folded(&unmanaged_summary, &unmanaged_head, unmanaged, "unmanaged bindings"),
    ];
    let tenants = targets.iter().map(|(target, _)| {
        let Target { tenant, cloud, api, file, undo, in_sync, .. } = target;
        target_line(tenant, (*cloud, *api), file, undo.as_deref(), in_sync.len())
    });
    let name = wording::labeled("plan", plan.label.as_ref());
    let title = wording::plan_title(plan, &name, &format!("{name}: no changes"));
    page(
        &beginning(&marker("plan", plan.label.as_ref()), &title, plan.limit.as_ref(), tenants.collect()),
        &sections,
        &plan_end(plan, &targets),
        limit,
    )
}

/// Returns the items of all targets.
fn flat_map_targets(
    targets: &NamedTargets<'_>,
    render: impl Fn(&Target, &Names<'_>) -> Vec<String>,
) -> Vec<String> {
    targets.iter().flat_map(|(target, names)| render(target, names)).collect()
}

/// Returns the marker of a kind of comment: `plan`, or `plan:prod` with a label. It ends before the blank of ` -->`, so
/// that a label that ends with `-` does not end the HTML comment.
pub(super) fn marker(kind: &str, label: Option<&Label>) -> String {
    label.map_or_else(|| kind.to_owned(), |label| format!("{kind}:{label}"))
}

/// Renders the invisible marker and the heading of a comment, the limit of the run, and the lines of its tenants.
pub(super) fn beginning(marker: &str, title: &str, limit: Option<&Limit>, tenants: Vec<String>) -> String {
    let tenants = Section::new("", tenants, "tenants").render(TENANT_LINES);
    let limit = limit.map(|limit| format!("\n{}\n", wording::describe_limit(limit))).unwrap_or_default();
    format!("<!-- flowbind:{marker} -->\n### flowbind {title}\n{limit}{tenants}")
}

/// Renders the tenant and the file of a target, the report whose changes are taken back, and the number of bindings that
/// do not differ.
pub(super) fn target_line(
    tenant: &str,
    (cloud, api): (Cloud, Api),
    file: &str,
    undo: Option<&str>,
    unchanged: usize,
) -> String {
    let (tenant, file) = (code(tenant), code(file));
    let undo = undo.map(|report| format!(", undo of {}", code(report))).unwrap_or_default();
    let unchanged = match unchanged {
        0 => String::new(),
        number => format!(", {} unchanged", pluralize(number, "binding", "bindings")),
    };
    format!("\n{tenant} (cloud {cloud}, api {api}) from {file}{undo}{unchanged}\n")
}

/// Renders the fingerprint of each complete tenant of a run over several as a row. `apply` extracts the line that begins
/// with `Fingerprint:` from a comment, which is that of the run.
fn fingerprints(plan: &Plan) -> Vec<String> {
    let several = plan.tenant_fingerprints().into_iter().filter(|_| plan.has_several_tenants());
    let row =
        |(tenant, fingerprint): (&Tenant, _)| Some(format!("| {} | `{}` |\n", code(tenant), fingerprint?));
    several.filter_map(row).collect()
}

/// Renders the fingerprint, and the command that applies exactly this plan if it has changes and is not
/// blocked. An incomplete plan has only the reason. The command names a saved plan if the flags of the files of a
/// tenant differ or if it would be too long.
fn plan_end(plan: &Plan, targets: &NamedTargets<'_>) -> String {
    let Some(fingerprint) = plan.fingerprint() else {
        return format!("\n{}\n", wording::total(plan));
    };
    if !plan.has_changes() || plan.is_blocked() {
        return format!("\nFingerprint: `{fingerprint}`\n");
    }
    // A plan that takes back the changes of a report is made from the report, which a joined plan has for some targets.
    let sources: BTreeSet<_> = targets.iter().map(|(target, _)| target.undo.as_deref()).collect();
    let undo = sources.iter().flatten().next().map(|report| format!("--undo {}", escape::path(report)));
    let files = targets.iter().filter(|_| undo.is_none());
    let files = files.map(|(target, _)| escape::path(&target.file).into_owned()).chain(undo.clone());
    let overrides = |target: &'_ Target| target.overrides.iter().cloned().collect::<BTreeSet<_>>();
    let first = plan.tenants.iter().filter_map(|tenant| Some((tenant, overrides(tenant.targets.first()?))));
    let first: Vec<_> = first.collect();
    let have_equal_flags =
        first.iter().all(|(tenant, flags)| tenant.targets.iter().all(|target| overrides(target) == *flags));
    let scoped = first.iter().flat_map(|(tenant, flags)| {
        flags.iter().map(|flag| flag.scoped(&tenant.tenant, plan.needs_scoped_flags()))
    });
    let flags = scoped.map(|flag| escape::text(&flag.to_shell()).into_owned());
    // A selection that matches no binding of this shard is an error without the other shards.
    let is_matched = |only: &&Only| {
        targets.iter().any(|(target, _)| target.managed().any(|(flow, step)| only.contains(flow, step)))
    };
    let only = plan.limit.iter().map(|limit| wording::only_flags(limit.only.iter().filter(is_matched)));
    let only = only.map(|flags| flags.trim_start().to_owned());
    let arguments = files.chain(flags).chain(only).collect::<Vec<_>>().join(" ");
    // A flag applies to all files of a tenant. The saved plan has the flags of each file, and is short.
    let is_usable = have_equal_flags && sources.len() == 1 && arguments.len() <= MAX_COMMAND;
    let arguments = if is_usable { &arguments } else { "--plan PLAN.json" };
    let command = format!("flowbind apply {arguments} --expect {fingerprint}");
    let longest_run = command.split(|char| char != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest_run.saturating_add(1).max(3));
    format!("\nFingerprint: `{fingerprint}`. To apply exactly this plan:\n\n{fence}sh\n{command}\n{fence}\n")
}

/// Layout of the tables and lists of a comment.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Whether each row and each item begins with its tenant, because there are several.
    pub(super) names_tenants: bool,
}

impl Layout {
    /// Renders the head of a table.
    pub(super) fn table_head(self, columns: &[&str]) -> String {
        let tenant = self.names_tenants.then_some("Tenant");
        let columns: Vec<_> = tenant.into_iter().chain(columns.iter().copied()).collect();
        let rule: Vec<_> = columns.iter().map(|_| "---").collect();
        format!("\n| {} |\n| {} |\n", columns.join(" | "), rule.join(" | "))
    }

    /// Renders a row of a table.
    pub(super) fn row(self, tenant: &str, cells: &[String]) -> String {
        let tenant = self.names_tenants.then(|| code(tenant));
        let cells: Vec<_> = tenant.iter().chain(cells).map(String::as_str).collect();
        format!("| {} |\n", cells.join(" | "))
    }

    /// Renders the changes of one kind as rows.
    fn changes(self, target: &Target, names: &Names<'_>, action: Action) -> Vec<String> {
        let mark = match action {
            Action::Enable => "➕ enable",
            Action::Replace => "🔁 replace",
            Action::Disable => "⛔ **disable**",
        };
        let render = |Change { flow, step, current, desired, protected, source, .. }: &Change| {
            let cells = [
                format!("{mark}{}", if *protected { " (protected)" } else { "" }),
                code(flow.as_str()),
                step.name().to_owned(),
                bound(current, names),
                bound(desired, names),
                location(source),
            ];
            self.row(&target.tenant, &cells)
        };
        target.changes.iter().filter(|change| change.action == action).map(render).collect()
    }

    /// Renders the bindings that the file does not list as rows.
    fn unmanaged(self, target: &Target, names: &Names<'_>) -> Vec<String> {
        let render = |Unmanaged { flow, step, current }: &Unmanaged| {
            let cells = [code(flow.as_str()), step.name().to_owned(), bound(current, names)];
            self.row(&target.tenant, &cells)
        };
        target.unmanaged.iter().map(render).collect()
    }

    /// Renders a list item.
    pub(super) fn item(self, tenant: &str, content: &str) -> String {
        let tenant = if self.names_tenants { format!("{}: ", code(tenant)) } else { String::new() };
        format!("- {tenant}{content}\n")
    }

    /// Renders a held binding as a list item.
    pub(super) fn held(self, tenant: &str, held: &Held) -> String {
        let (flow, until) = (code(held.flow.as_str()), code(&held.until()));
        let regular = held.hold.regular.as_deref().map_or("nothing".to_owned(), code);
        let value = if held.value == "nothing" { "nothing".to_owned() } else { code(&held.value) };
        let content = format!("{flow} {}: {value}, then {regular} again. {until}", held.step);
        self.item(tenant, &content)
    }

    /// Renders a problem as a list item. Its causes, notes and hints are nested items, at most
    /// [`MAX_DETAILS`] of each; the others are counted.
    fn problem(self, Problem { diagnostic, tenant }: &Problem) -> String {
        let mut item = self.problem_line(diagnostic, tenant.as_deref());
        for (name, details) in
            [("Cause", &diagnostic.causes), ("Note", &diagnostic.notes), ("Hint", &diagnostic.hints)]
        {
            let shown = details.iter().take(MAX_DETAILS);
            item.extend(shown.map(|detail| format!("  - {name}: {}\n", prose::message(detail))));
            let more = details.len().saturating_sub(MAX_DETAILS);
            item.extend((more > 0).then(|| format!("  - {name}: and {more} more\n")));
        }
        item
    }

    /// Renders a blocker as a list item with the flag that lifts it as the only detail. The flag is complete,
    /// because readers copy it. Without such a flag, the item is that of any problem.
    fn blocker(self, plan: &Plan, target: &Target, blocker: &Blocker) -> String {
        let problem = blocker.diagnostic(None);
        match plan.lifting_flag(target, blocker) {
            None => self.problem(&Problem::for_tenant(&target.tenant, problem)),
            Some(lifting) => {
                let hint = format!("  - Hint: {}\n", override_hint(&flag(&lifting)));
                self.problem_line(&problem, Some(&target.tenant)) + &hint
            }
        }
    }

    /// Renders the first line of a problem: id, tenant, location and message.
    fn problem_line(self, problem: &Diagnostic, tenant: Option<&str>) -> String {
        let tenant = tenant.filter(|_| self.names_tenants).map(code);
        let location =
            problem.location.as_ref().map(|location| self::location(&Location::position(location)));
        let context: Vec<_> = tenant.into_iter().chain(location).collect();
        let context = if context.is_empty() { String::new() } else { format!(" ({})", context.join(", ")) };
        format!("- `{}`{context}: {}\n", problem.code, prose::message(&problem.message))
    }
}

/// Renders the problems with this severity as list items, with their tenants if there are `several`.
pub(super) fn problem_items(problems: &[Problem], several: bool, severity: Severity) -> Vec<String> {
    let layout = Layout { names_tenants: several };
    let problems = problems.iter().filter(|problem| problem.diagnostic.severity == severity);
    problems.map(|problem| layout.problem(problem)).collect()
}

fn broken_pin(BrokenPin { connector, expected, actual, source: _ }: &BrokenPin, names: &Names<'_>) -> String {
    let actual = actual.as_deref().map_or("no address".to_owned(), code);
    let (name, expected) = (code(&names.connector(connector)), code(expected));
    format!("{name}: pinned to {expected}, but calls {actual}")
}

/// Renders a report as a Markdown comment within `limit` bytes.
pub(super) fn render_report(report: &Report, limit: usize) -> String {
    let layout = Layout { names_tenants: report.targets.len() > 1 };
    let name = wording::labeled("apply", report.label.as_ref());
    let title = wording::report_title(report, &name, &format!("{name}: nothing to do"));
    let end = report.fingerprint.as_deref().map(escape::fingerprint);
    let end = end.map(|it| format!("\nFingerprint of the plan: `{it}`\n")).unwrap_or_default();
    let errors_layout = Layout { names_tenants: report.has_several_tenants() };
    let errors = report.errors.iter().map(|error| errors_layout.problem(error)).collect();
    let names: Vec<_> = report.targets.iter().map(|target| (target, Names::from_report(target))).collect();
    let mut rows = Vec::new();
    for outcome in OUTCOMES {
        for (target, names) in &names {
            let changes = target.changes.iter().filter(|change| change.outcome.kind() == outcome);
            rows.extend(changes.map(|change| layout.row(&target.tenant, &cells(change, names))));
        }
    }
    let columns = ["", "Flow", "Step", "Before", "Planned", "Why", "Request"];
    let hints: BTreeSet<_> = report.targets.iter().flat_map(|target| hints(&target.changes)).collect();
    let hints = hints.into_iter().map(|(id, hint)| format!("- `{id}`: {}\n", prose::message(hint)));
    let held = names.iter().flat_map(|(target, names)| {
        let held = hold::of_report(target, names);
        held.iter().map(|it| layout.held(&target.tenant, it)).collect::<Vec<_>>()
    });
    let sections = [
        Section::new(layout.table_head(&columns), rows, "changes"),
        Section::list("Held", held.collect(), "held bindings"),
        Section::list("Hints", hints.collect(), "hints"),
        Section::list("Errors", errors, "errors"),
    ];
    let marker = marker("report", report.label.as_ref());
    let mut actors: Vec<_> = report.targets.iter().filter_map(actor_line).collect();
    // The files of a tenant share a connection.
    actors.dedup();
    page(&beginning(&marker, &title, report.limit.as_ref(), actors), &sections, &end, limit)
}

/// Renders who applied the changes of a target, if that is known.
fn actor_line(TargetReport { tenant, actor, .. }: &TargetReport) -> Option<String> {
    let (kind, name) = match actor.as_ref()? {
        Actor::App(id) => ("app", code(id)),
        Actor::User(name) => ("user", code(name)),
    };
    Some(format!("\n{}: {kind} {name}\n", code(tenant)))
}

/// Returns the cells of a change in a report: outcome, flow, step, value before, planned value, error with
/// its id, and request id. The last two are empty if there is none.
fn cells(report: &ChangeReport, names: &Names<'_>) -> [String; 7] {
    let ChangeReport { change, outcome } = report;
    let label = match outcome {
        Outcome::Applied(_) => "✅ applied",
        Outcome::Already => "✅ already",
        Outcome::Failed(..) => "❌ **failed**",
        Outcome::Unverified(..) => "❓ **unverified**",
        Outcome::NotAttempted(_) => "⏸ not attempted",
    };
    let error = outcome.kind().code().zip(outcome.error());
    let error = error.map(|(id, error)| format!("`{id}`: {}", prose::message(error)));
    [
        label.to_owned(),
        code(change.flow.as_str()),
        change.step.name().to_owned(),
        bound(&change.current, names),
        bound(&change.desired, names),
        error.unwrap_or_default(),
        outcome.request_id().map(code).unwrap_or_default(),
    ]
}

/// Renders a connector as a code element; `nothing` if nothing is bound.
pub(super) fn bound(bound: &Bound, names: &Names<'_>) -> String {
    bound.as_ref().map_or("nothing".to_owned(), |connector| code(&names.connector(connector)))
}

pub(super) fn location(SourceLocation { file, line, column: _ }: &SourceLocation) -> String {
    code(&format!("{file}:{line}"))
}
