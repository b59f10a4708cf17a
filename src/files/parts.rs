//! What the saved formats have in common, and how they are read back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Action, Bound, Connector, ConnectorId, FlowId, Step, Tenant};
use crate::plan::{Member, Part, Place, Problem, Shard};

/// The version of both formats.
pub(super) const FORMAT_VERSION: &str = "1";

/// Why a text is no file of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or JSON of another shape.
    #[error("it is no plan and no report of flowbind: {0}")]
    Shape(String),
    /// Another version of the format.
    #[error("its format version is `{0}`, and this flowbind reads `1`")]
    Version(String),
    /// A value that cannot be.
    #[error("it holds `{0}`, which cannot be")]
    Value(String),
    /// A binding of which two things are said.
    #[error("it speaks of `{flow}` `{step}` of `{tenant}` twice")]
    Twice {
        /// The tenant, as the file names it.
        tenant: String,
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
    },
    /// The content is not what the fingerprint says.
    #[error("its content does not fit its fingerprint: it was edited")]
    Edited,
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(error.to_string())
    }
}

/// What every file of ours says first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    format_version: String,
    kind: String,
}

/// The kind of a file of ours, once its version is one that can be read.
pub(super) fn kind(text: &str) -> Result<String, Unreadable> {
    let Head { format_version, kind } = serde_json::from_str(text)?;
    // Keys are added within a major version, and ignored by those that do not know them.
    match format_version.split('.').next() {
        Some(FORMAT_VERSION) => Ok(kind),
        _ => Err(Unreadable::Version(format_version)),
    }
}

/// What wrote the file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Tool {
    /// The program's name.
    name: String,
    /// The program's version.
    version: String,
}

impl Tool {
    /// This program.
    pub(super) fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() }
    }
}

/// A connector.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectorPart {
    /// Its id.
    id: String,
    /// Its name; null where it has none or it was not read.
    display_name: Option<String>,
}

/// Which part of a fleet a file is about.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ShardPart {
    /// Which part, from 1.
    number: u32,
    /// How many parts there are.
    of: u32,
    /// All files of the fleet, in their order.
    fleet: Vec<MemberPart>,
}

/// A file of a fleet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct MemberPart {
    /// The file's name.
    file: String,
    /// The tenant, as the file names it.
    tenant: String,
}

/// Something that kept a run from doing what it was for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ErrorPart {
    /// What happened.
    message: String,
    /// The file that is at fault.
    file: Option<String>,
    /// The line, from 1.
    line: Option<usize>,
    /// The column in Unicode characters, from 1.
    column: Option<usize>,
    /// The tenant that it is about; null where it is about the run.
    #[serde(default)]
    tenant: Option<String>,
}

impl From<&Connector> for ConnectorPart {
    fn from(Connector { id, display_name }: &Connector) -> Self {
        Self { id: id.as_str().to_owned(), display_name: display_name.clone() }
    }
}

impl TryFrom<ConnectorPart> for Connector {
    type Error = Unreadable;

    fn try_from(ConnectorPart { id, display_name }: ConnectorPart) -> Result<Self, Unreadable> {
        let id = ConnectorId::parse(&id).map_err(|_| Unreadable::Value(id))?;
        Ok(Self { id, display_name })
    }
}

/// Reads what may be nothing.
pub(super) fn bound(part: Option<ConnectorPart>) -> Result<Bound, Unreadable> {
    part.map(Connector::try_from).transpose()
}

/// Finds the value of a name that must be one of ours.
pub(super) fn named<T>(name: &str, find: impl FnOnce(&str) -> Option<T>) -> Result<T, Unreadable> {
    find(name).ok_or_else(|| Unreadable::Value(name.to_owned()))
}

/// Reads the name of a tenant.
pub(super) fn tenant(name: String) -> Result<String, Unreadable> {
    if name.parse::<Tenant>().is_ok() { Ok(name) } else { Err(Unreadable::Value(name)) }
}

/// Reads the id of a flow.
pub(super) fn flow_id(id: String) -> Result<FlowId, Unreadable> {
    FlowId::parse(&id).map_err(|_| Unreadable::Value(id))
}

/// Reads how a binding changes, which what is bound and what is to be must say as well: the
/// fingerprint holds these.
pub(super) fn action(name: &str, current: &Bound, desired: &Bound) -> Result<Action, Unreadable> {
    let fits = |action: &Action| Action::from_values(current.as_ref(), desired.as_ref()) == Some(*action);
    named(name, |name| Action::from_name(name).filter(fits))
}

impl From<&Part> for ShardPart {
    fn from(Part { shard, fleet }: &Part) -> Self {
        let member =
            |Member { file, tenant }: &Member| MemberPart { file: file.clone(), tenant: tenant.clone() };
        Self { number: shard.number(), of: shard.of(), fleet: fleet.iter().map(member).collect() }
    }
}

impl TryFrom<ShardPart> for Part {
    type Error = Unreadable;

    fn try_from(ShardPart { number, of, fleet }: ShardPart) -> Result<Self, Unreadable> {
        let shard =
            Shard::new(number, of).ok_or_else(|| Unreadable::Value(format!("shard {number}/{of}")))?;
        let member = |MemberPart { file, tenant }| Member { file, tenant };
        Ok(Self { shard, fleet: fleet.into_iter().map(member).collect() })
    }
}

impl From<&Problem> for ErrorPart {
    fn from(Problem { message, place, tenant }: &Problem) -> Self {
        let (file, line, column) = match place {
            Some(Place { file, line, column }) => (Some(file.clone()), Some(*line), Some(*column)),
            None => (None, None, None),
        };
        Self { message: message.clone(), file, line, column, tenant: tenant.clone() }
    }
}

impl From<ErrorPart> for Problem {
    fn from(ErrorPart { message, file, line, column, tenant }: ErrorPart) -> Self {
        let place = match (file, line, column) {
            (Some(file), Some(line), Some(column)) => Some(Place { file, line, column }),
            _ => None,
        };
        Self { message, place, tenant }
    }
}
