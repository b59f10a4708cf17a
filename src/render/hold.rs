//! Bindings with an active hold, as all formats list them.

use super::escape;
use super::names::{Names, name_only};
use super::wording::push_line;
use crate::apply::TargetReport;
use crate::diagnostic::SourceLocation;
use crate::model::{FlowId, Step};
use crate::plan::{Hold, Target};

/// Binding with an active hold.
pub(super) struct Held {
    pub(super) flow: FlowId,
    pub(super) step: Step,
    /// Value until the hold ends. Escaped for a terminal.
    pub(super) value: String,
    pub(super) hold: Hold,
}

impl Held {
    /// Returns the values now and afterwards: `nothing, then Fraud check again`. Escaped for a terminal.
    pub(super) fn values(&self) -> String {
        format!("{}, then {} again", self.value, name_only(self.hold.regular.as_deref()))
    }

    /// Returns until when and why: `Held until 2026-12-01T06:00:00Z: INC-4711: API down`. Not escaped.
    pub(super) fn until(&self) -> String {
        format!("Held until {}: {}", self.hold.until, self.hold.reason)
    }

    /// Returns everything in one line. Only the values are escaped, for a terminal.
    pub(super) fn one_line(&self) -> String {
        format!("{} {}: {}. {}", self.flow, self.step, self.values(), self.until())
    }

    /// Returns the location of the hold in the file.
    pub(super) fn source(&self) -> &SourceLocation {
        &self.hold.source
    }
}

/// Returns the held bindings of a plan.
pub(super) fn of_target(target: &Target, names: &Names<'_>) -> Vec<Held> {
    let held = target.held_bindings().into_iter();
    held.map(|it| Held { value: names.bound(&it.value), flow: it.flow, step: it.step, hold: it.hold })
        .collect()
}

/// Returns the held bindings of a report.
pub(super) fn of_report(target: &TargetReport, names: &Names<'_>) -> Vec<Held> {
    let held = target.holds.iter().cloned();
    held.map(|it| Held { value: names.bound(&it.value), flow: it.flow, step: it.step, hold: it.hold })
        .collect()
}

/// Renders held bindings as text, and a blank line; empty if there are none.
pub(super) fn text(held: &[Held]) -> String {
    let mut text = String::new();
    if !held.is_empty() {
        text.push_str("Held bindings:\n");
    }
    for it in held {
        let (flow, until) = (escape::text(it.flow.as_str()), it.until());
        push_line(&mut text, format_args!("    {flow} {}: {}", it.step, it.values()));
        push_line(&mut text, format_args!("        {}", escape::text(&until)));
    }
    if !held.is_empty() {
        text.push('\n');
    }
    text
}

/// Renders held bindings as comment lines before a unified diff.
pub(super) fn comments(held: &[Held]) -> String {
    held.iter().map(|it| format!("# {}\n", escape::text(&it.one_line()))).collect()
}
