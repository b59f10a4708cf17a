//! Formats of a document, and the renderer of each.

use strum::{IntoStaticStr, VariantArray};

use super::document::Document;
use super::markdown::COMMENT_LIMIT;
use super::{comparison, diff, drift, github, html, junit, markdown, prom};

/// A format of a plan, drift or a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
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
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        self.into()
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

impl Document<'_> {
    /// Renders the document; `at` is the time of the run in RFC 3339. Returns `None` for text, which is printed
    /// in parts, and for JSON, which is the saved format.
    pub fn render(self, format: Format, at: &str) -> Option<String> {
        Some(match (self, format) {
            (_, Format::Text | Format::Json) => return None,
            (document, Format::Markdown) => document.markdown(COMMENT_LIMIT),
            (document, Format::Github) => document.annotations(&str::to_owned),
            (Self::Plan(plan), Format::Diff) => diff::render_plan(plan),
            (Self::Plan(plan), Format::Junit) => junit::render_plan(plan, at),
            (Self::Plan(plan), Format::Html) => html::render_plan(plan, at),
            (Self::Plan(plan), Format::Prom) => prom::render_plan(plan, at),
            (Self::Drift(drift), Format::Diff) => drift::diff::render(drift),
            (Self::Drift(drift), Format::Junit) => drift::junit::render(drift, at),
            (Self::Drift(drift), Format::Html) => drift::html::render(drift, at),
            (Self::Drift(drift), Format::Prom) => drift::prom::render(drift, at),
            (Self::Report(report), Format::Diff) => diff::render_report(report),
            (Self::Report(report), Format::Junit) => junit::render_report(report, at),
            (Self::Report(report), Format::Html) => html::render_report(report, at),
            (Self::Report(report), Format::Prom) => prom::render_report(report, at),
            // The command line offers no other format.
            (Self::Comparison(_), _) => return None,
        })
    }

    /// Renders a Markdown comment of at most `room` bytes, and at most the limit of a comment. It is longer only if
    /// its beginning and its end alone do not fit.
    pub fn markdown(self, room: usize) -> String {
        let limit = room.min(COMMENT_LIMIT);
        match self {
            Self::Plan(plan) => markdown::render_plan(plan, limit),
            Self::Drift(drift) => drift::markdown::render(drift, limit),
            Self::Report(report) => markdown::render_report(report, limit),
            Self::Comparison(comparison) => comparison::markdown(comparison, limit),
        }
    }

    /// Renders the annotations of a step of GitHub Actions as workflow commands. `path_in_repository` returns the
    /// path of a file relative to the root of its repository, by which GitHub finds the file.
    pub fn annotations(self, path_in_repository: &dyn Fn(&str) -> String) -> String {
        let annotations = match self {
            Self::Plan(plan) => github::plan_annotations(plan),
            Self::Drift(drift) => drift::github::annotations(drift),
            Self::Report(report) => github::report_annotations(report),
            // A comparison has no line to annotate.
            Self::Comparison(_) => github::Annotations::default(),
        };
        annotations.render(path_in_repository)
    }

    /// Renders the outputs of a step of GitHub Actions, one `name=value` per line.
    pub fn github_outputs(self) -> String {
        match self {
            Self::Plan(plan) => github::plan_outputs(plan),
            Self::Drift(drift) => drift::github::outputs(drift),
            Self::Report(report) => github::report_outputs(report),
            Self::Comparison(_) => String::new(),
        }
    }
}
