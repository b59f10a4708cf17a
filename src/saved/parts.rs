//! Parts that the saved formats share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Location, Severity, SourceLocation};
use crate::model::{Action, Bound, Connector, ConnectorId, FlowId, Step, Tenant};
use crate::plan::{Member, Problem, Shard, ShardInfo};

/// Version of both formats.
pub(super) const FORMAT_VERSION: &str = "2";

/// Why a saved file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedFileError {
    /// Not JSON, or JSON of another shape.
    #[error("not a flowbind plan or report: {0}")]
    NotASavedFile(String),
    /// Another version of the format.
    #[error("format version {0} is not supported; this flowbind reads version {FORMAT_VERSION}")]
    Version(String),
    /// A value that cannot occur.
    #[error("invalid value: {0}")]
    InvalidValue(String),
    /// A binding that occurs twice.
    #[error("`{flow}` `{step}` of `{tenant}` occurs twice")]
    DuplicateBinding {
        /// Tenant, as the file names it.
        tenant: String,
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
    },
    /// The content does not match the fingerprint in the file.
    #[error("modified after flowbind wrote the file (fingerprint mismatch)")]
    FingerprintMismatch,
}

impl From<serde_json::Error> for SavedFileError {
    fn from(error: serde_json::Error) -> Self {
        Self::NotASavedFile(error.to_string())
    }
}

/// Keys that every saved file has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    format_version: String,
    kind: String,
}

/// Returns the `kind` of a saved file. Any other major format version, and a text that is not JSON with both
/// keys, are errors.
pub(super) fn kind(text: &str) -> Result<String, SavedFileError> {
    let Head { format_version, kind } = serde_json::from_str(text)?;
    // Keys are added within a major version; older readers ignore them.
    match format_version.split('.').next() {
        Some(FORMAT_VERSION) => Ok(kind),
        _ => Err(SavedFileError::Version(format_version)),
    }
}

/// Returns the `kind` of a saved file of any format version; `None` if the text is not a saved file.
pub fn find_kind(text: &str) -> Option<String> {
    let head: Head = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    Some(head.kind)
}

/// Program that wrote the file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Tool {
    /// Name of the program.
    name: String,
    /// Version of the program.
    version: String,
}

impl Tool {
    /// Returns the name and version of this program.
    pub(super) fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() }
    }
}

/// Connector.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectorPart {
    /// Id.
    id: String,
    /// displayName; null if it has none or it was not read.
    display_name: Option<String>,
}

/// Shard of a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ShardPart {
    /// Number of the shard, from 1.
    number: u32,
    /// Number of shards.
    of: u32,
    /// Files of all shards, in order.
    fleet: Vec<MemberPart>,
}

/// File of a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct MemberPart {
    /// Name of the file.
    file: String,
    /// Tenant, as the file names it.
    tenant: String,
}

/// Problem of a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ErrorPart {
    /// Stable id of the problem; `flowbind explain ID` explains it.
    id: String,
    /// What failed.
    message: String,
    /// Causes, nearest first.
    causes: Vec<String>,
    /// Facts that help to find the cause, such as request ids.
    notes: Vec<String>,
    /// What to do next.
    hints: Vec<String>,
    /// File that the problem is in.
    file: Option<String>,
    /// Line, from 1.
    line: Option<usize>,
    /// Column in Unicode characters, from 1.
    column: Option<usize>,
    /// Tenant that the problem is about; null if it is about the run.
    tenant: Option<String>,
}

/// Location in a file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct LocationPart {
    /// Name of the file.
    file: String,
    /// Line, from 1.
    line: usize,
    /// Column in Unicode characters, from 1.
    column: usize,
}

impl From<&SourceLocation> for LocationPart {
    fn from(SourceLocation { file, line, column }: &SourceLocation) -> Self {
        Self { file: file.clone(), line: *line, column: *column }
    }
}

impl From<LocationPart> for SourceLocation {
    fn from(LocationPart { file, line, column }: LocationPart) -> Self {
        Self { file, line, column }
    }
}

impl From<&Connector> for ConnectorPart {
    fn from(Connector { id, display_name }: &Connector) -> Self {
        Self { id: id.as_str().to_owned(), display_name: display_name.clone() }
    }
}

impl TryFrom<ConnectorPart> for Connector {
    type Error = SavedFileError;

    fn try_from(ConnectorPart { id, display_name }: ConnectorPart) -> Result<Self, SavedFileError> {
        let id =
            ConnectorId::parse(&id).map_err(|_| SavedFileError::InvalidValue(format!("`id`: `{id}`")))?;
        Ok(Self { id, display_name })
    }
}

/// Converts a connector, or null to `None`. An invalid id is an error.
pub(super) fn binding_value(part: Option<ConnectorPart>) -> Result<Bound, SavedFileError> {
    part.map(Connector::try_from).transpose()
}

/// Converts `name`, the value of `key`, with `find`. Fails if it is not a known name.
pub(super) fn from_name<T>(
    key: &str,
    name: &str,
    find: impl FnOnce(&str) -> Option<T>,
) -> Result<T, SavedFileError> {
    find(name).ok_or_else(|| SavedFileError::InvalidValue(format!("`{key}`: `{name}`")))
}

/// Returns the name of a tenant unchanged if it is a domain or a GUID; any other text is an error.
pub(super) fn tenant(name: String) -> Result<String, SavedFileError> {
    let invalid = || SavedFileError::InvalidValue(format!("`tenant`: `{name}`"));
    name.parse::<Tenant>().map_err(|_| invalid())?;
    Ok(name)
}

/// Parses the id of a flow. An invalid id is an error.
pub(super) fn flow_id(id: String) -> Result<FlowId, SavedFileError> {
    FlowId::parse(&id).map_err(|_| SavedFileError::InvalidValue(format!("`flow`: `{id}`")))
}

/// Parses the name of an action. Any name but that of the action from `current` to `desired` is an error: the
/// fingerprint covers the values only.
pub(super) fn action(name: &str, current: &Bound, desired: &Bound) -> Result<Action, SavedFileError> {
    let fits = |action: &Action| Action::from_values(current.as_ref(), desired.as_ref()) == Some(*action);
    from_name("action", name, |name| name.parse().ok().filter(fits))
}

impl From<&ShardInfo> for ShardPart {
    fn from(ShardInfo { shard, fleet }: &ShardInfo) -> Self {
        let member =
            |Member { file, tenant }: &Member| MemberPart { file: file.clone(), tenant: tenant.clone() };
        Self { number: shard.number(), of: shard.count(), fleet: fleet.iter().map(member).collect() }
    }
}

impl TryFrom<ShardPart> for ShardInfo {
    type Error = SavedFileError;

    fn try_from(ShardPart { number, of, fleet }: ShardPart) -> Result<Self, SavedFileError> {
        let shard = Shard::new(number, of)
            .ok_or_else(|| SavedFileError::InvalidValue(format!("`shard`: `{number}/{of}`")))?;
        let member = |MemberPart { file, tenant }| Member { file, tenant };
        Ok(Self { shard, fleet: fleet.into_iter().map(member).collect() })
    }
}

impl From<&Problem> for ErrorPart {
    fn from(Problem { diagnostic, tenant }: &Problem) -> Self {
        let Diagnostic { severity: _, code, message, location, causes, notes, hints } = diagnostic;
        let (file, line, column) = match location.as_deref().map(Location::position) {
            Some(SourceLocation { file, line, column }) => (Some(file), Some(line), Some(column)),
            None => (None, None, None),
        };
        Self {
            id: code.id().to_owned(),
            message: message.clone(),
            causes: causes.clone(),
            notes: notes.clone(),
            hints: hints.clone(),
            file,
            line,
            column,
            tenant: tenant.clone(),
        }
    }
}

impl TryFrom<ErrorPart> for Problem {
    type Error = SavedFileError;

    fn try_from(part: ErrorPart) -> Result<Self, SavedFileError> {
        let ErrorPart { id, message, causes, notes, hints, file, line, column, tenant } = part;
        let location = match (file, line, column) {
            (Some(file), Some(line), Some(column)) => {
                Some(Box::new(Location::Position(SourceLocation { file, line, column })))
            }
            _ => None,
        };
        let (severity, code) = (Severity::Error, self::code(&id)?);
        // The summary of a run starts lines with this name.
        let tenant = tenant.map(self::tenant).transpose()?;
        let diagnostic = Diagnostic { severity, code, message, location, causes, notes, hints };
        Ok(Self { diagnostic, tenant })
    }
}

/// Parses the id of a problem. An unknown id is an error.
pub(super) fn code(id: &str) -> Result<Code, SavedFileError> {
    from_name("id", id, |id| id.parse().ok())
}
