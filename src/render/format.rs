//! Formats of a document, and the renderer of each.

use strum::{IntoStaticStr, VariantArray};

use super::document::Document;
use super::{diff, github, html, junit, markdown, prom};

/// A format of a plan or a report.
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
