//! What the saved formats have in common.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Connector;
use crate::plan::{Place, Problem};

/// What wrote the file.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tool {
    /// The program's name.
    name: &'static str,
    /// The program's version.
    version: &'static str,
}

/// This program.
pub(super) const TOOL: Tool = Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// A connector.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectorPart<'a> {
    /// Its id.
    id: &'a str,
    /// Its name; null where it has none or it was not read.
    display_name: Option<&'a str>,
}

/// Something that kept a run from doing what it was for.
#[derive(Serialize, JsonSchema)]
pub(super) struct ErrorPart<'a> {
    /// What happened.
    message: &'a str,
    /// The file that is at fault.
    file: Option<&'a str>,
    /// The line, from 1.
    line: Option<usize>,
    /// The column in Unicode characters, from 1.
    column: Option<usize>,
}

impl<'a> From<&'a Connector> for ConnectorPart<'a> {
    fn from(Connector { id, display_name }: &'a Connector) -> Self {
        Self { id: id.as_str(), display_name: display_name.as_deref() }
    }
}

impl<'a> From<&'a Problem> for ErrorPart<'a> {
    fn from(Problem { message, place }: &'a Problem) -> Self {
        let (file, line, column) = match place {
            Some(Place { file, line, column }) => (Some(file.as_str()), Some(*line), Some(*column)),
            None => (None, None, None),
        };
        Self { message, file, line, column }
    }
}
