//! Value that a run displays, and the formats for it.

use super::{diff, github, html, junit, markdown, prom};
use crate::apply::Report;
use crate::plan::Plan;

/// A format of a plan or a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text for a terminal.
    Text,
    /// JSON, for programs and to be saved.
    Json,
    /// Markdown comment on a pull request.
    Markdown,
    /// Unified diff of current against desired bindings, in the file's syntax.
    Diff,
    /// Workflow commands of GitHub Actions.
    Github,
    /// JUnit test suite.
    Junit,
    /// HTML page for readers without YAML.
    Html,
    /// File for the text-file collector of Prometheus' node exporter.
    Prom,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Json,
        Self::Markdown,
        Self::Diff,
        Self::Github,
        Self::Junit,
        Self::Html,
        Self::Prom,
    ];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Diff => "diff",
            Self::Github => "github",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Prom => "prom",
        }
    }

    /// Returns the extension of files with this format, without a dot. `None` for workflow commands, which
    /// are for stdout only.
    pub fn extension(self) -> Option<&'static str> {
        match self {
            Self::Text => Some("txt"),
            Self::Json => Some("json"),
            Self::Markdown => Some("md"),
            Self::Diff => Some("diff"),
            Self::Github => None,
            Self::Junit => Some("xml"),
            Self::Html => Some("html"),
            Self::Prom => Some("prom"),
        }
    }
}

/// Value that a run displays.
#[derive(Debug, Clone, Copy)]
pub enum Document<'a> {
    /// Changes that would be made.
    Plan(&'a Plan),
    /// Differences between tenants and files.
    Drift(&'a Plan),
    /// Results of changes.
    Report(&'a Report),
}

impl<'a> Document<'a> {
    /// Creates the document of a plan: drift if the plan was made to report drift.
    pub fn from_plan(plan: &'a Plan) -> Self {
        if plan.drift.is_some() { Self::Drift(plan) } else { Self::Plan(plan) }
    }
}

impl Document<'_> {
    /// Returns the command that made the document.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Drift(_) => "drift",
            Self::Report(_) => "apply",
        }
    }

    /// Returns the suffix of a title: `, incomplete` or nothing; for a plan also `, blocked`, alone or after
    /// it. Blockers do not concern drift and reports.
    pub(super) fn status_suffix(self) -> String {
        let (complete, blocked) = match self {
            Self::Plan(plan) => (plan.is_complete(), plan.is_blocked()),
            // Blockers do not concern drift.
            Self::Drift(plan) => (plan.is_complete(), false),
            Self::Report(report) if report.is_complete() => return String::new(),
            Self::Report(_) => return ", incomplete".to_owned(),
        };
        let suffixes = [(!complete).then_some(", incomplete"), blocked.then_some(", blocked")];
        suffixes.into_iter().flatten().collect()
    }

    /// Renders the document; `at` is the time of the run in RFC 3339. Returns `None` for text, which is printed
    /// in parts, and for JSON, which is the saved format.
    pub fn render(self, format: Format, at: &str) -> Option<String> {
        match format {
            Format::Text | Format::Json => None,
            Format::Markdown => Some(markdown::render(self)),
            Format::Diff => Some(diff::render(self)),
            Format::Github => Some(github::annotations(self)),
            Format::Junit => Some(junit::render(self, at)),
            Format::Html => Some(html::render(self, at)),
            Format::Prom => Some(prom::render(self, at)),
        }
    }
}
