//! What a run has to show, in the formats that it can be shown in.

use super::{diff, github, html, junit, markdown, prom};
use crate::apply::Report;
use crate::plan::Plan;

/// A format of a plan or a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs, and to be saved.
    Json,
    /// A comment on a pull request.
    Markdown,
    /// A unified diff of what is bound against what is wanted, in the file's own syntax.
    Diff,
    /// Workflow commands of GitHub Actions.
    Github,
    /// A test suite.
    Junit,
    /// A page for somebody who reads no YAML.
    Html,
    /// A file for the text-file collector of Prometheus' node exporter.
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

    /// What it is called on the command line.
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

    /// The ending of its files. Workflow commands are for stdout alone.
    pub fn ending(self) -> Option<&'static str> {
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

/// What a run has to show.
#[derive(Debug, Clone, Copy)]
pub enum Document<'a> {
    /// What would be changed.
    Plan(&'a Plan),
    /// What differs.
    Drift(&'a Plan),
    /// What became of changes.
    Report(&'a Report),
}

impl<'a> Document<'a> {
    /// A plan as what it was made for.
    pub fn of(plan: &'a Plan) -> Self {
        if plan.drift.is_some() { Self::Drift(plan) } else { Self::Plan(plan) }
    }
}

impl Document<'_> {
    /// The command that gave it.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Drift(_) => "drift",
            Self::Report(_) => "apply",
        }
    }

    /// What whoever reads nothing but the heading has to know.
    pub(super) fn caveats(self) -> String {
        let (whole, refused) = match self {
            Self::Plan(plan) => (plan.is_whole(), plan.is_refused()),
            // What refuses a plan is no matter of what differs.
            Self::Drift(plan) => (plan.is_whole(), false),
            Self::Report(report) if report.is_whole() => return String::new(),
            Self::Report(_) => return ", not all done".to_owned(),
        };
        let words = [(!whole).then_some(", not whole"), refused.then_some(", refused")];
        words.into_iter().flatten().collect()
    }

    /// Draws it; `at` is when it was made, in RFC 3339. Text and JSON are drawn elsewhere: one part by
    /// part, the other as a format of its own.
    pub fn draw(self, format: Format, at: &str) -> Option<String> {
        match format {
            Format::Text | Format::Json => None,
            Format::Markdown => Some(markdown::draw(self)),
            Format::Diff => Some(diff::draw(self)),
            Format::Github => Some(github::annotations(self)),
            Format::Junit => Some(junit::draw(self, at)),
            Format::Html => Some(html::draw(self, at)),
            Format::Prom => Some(prom::draw(self, at)),
        }
    }
}
