//! Parts that the saved formats share.

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{FORMAT_VERSION, SavedFileError};
use super::saved_as::saved_as;
use crate::diagnostic::{Code, Diagnostic, Location, Severity, SourceLocation};
use crate::model::{Action, Actor, Bound, ClientIds, Connector, ConnectorId, Only, Tenant};
use crate::plan::{Hold, Limit, Member, Problem, Shard, ShardInfo};

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
    let Head { format_version, kind } =
        serde_json::from_str(text).map_err(|error| SavedFileError::NotASavedFile(error.to_string()))?;
    // Keys are added within a major version; older readers ignore them.
    match format_version.split('.').next() {
        Some(FORMAT_VERSION) => Ok(kind),
        _ => Err(SavedFileError::Version(format_version)),
    }
}

/// Returns the `kind` of a saved file of any format version; `None` if the text is not a saved file.
pub fn find_kind(text: &str) -> Option<String> {
    let head: Head = serde_json::from_str(text).ok()?;
    Some(head.kind)
}

/// Parses a saved file whose `kind` and version were checked.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, SavedFileError> {
    serde_json::from_str(text).map_err(|error| SavedFileError::InvalidValue(error.to_string()))
}

/// Serializes a saved file to indented JSON.
pub(super) fn to_json(file: &impl Serialize) -> String {
    // Strings, numbers and lists are always JSON.
    serde_json::to_string_pretty(file).unwrap_or_default() + "\n"
}

/// Program that wrote the file.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct ConnectorPart {
    /// Id.
    id: ConnectorId,
    /// displayName; null if it has none or it was not read.
    display_name: Option<String>,
}

saved_as!(Connector, ConnectorPart { id, display_name });

/// Who acted, as the access token names it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
enum ActorPart {
    /// Client id of an app that acts for itself.
    AppId(String),
    /// Name or object id of a user.
    User(String),
}

saved_as!(Actor, ActorPart);

impl From<Actor> for ActorPart {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::App(id) => Self::AppId(id),
            Actor::User(name) => Self::User(name),
        }
    }
}

impl From<ActorPart> for Actor {
    fn from(part: ActorPart) -> Self {
        match part {
            ActorPart::AppId(id) => Self::App(id),
            ActorPart::User(name) => Self::User(name),
        }
    }
}

/// App that signs in for all commands, or two apps.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
enum ClientIdsPart {
    /// Client id of the app.
    Single(String),
    /// Client ids of two apps.
    Split(SplitClientIds),
}

/// Client ids of two apps.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct SplitClientIds {
    /// App that reads.
    plan: String,
    /// App that applies.
    apply: String,
}

saved_as!(ClientIds, ClientIdsPart);

impl From<ClientIds> for ClientIdsPart {
    fn from(ids: ClientIds) -> Self {
        match ids {
            single if single.is_single() => Self::Single(single.plan),
            ClientIds { plan, apply } => Self::Split(SplitClientIds { plan, apply }),
        }
    }
}

impl From<ClientIdsPart> for ClientIds {
    fn from(part: ClientIdsPart) -> Self {
        match part {
            ClientIdsPart::Single(id) => id.into(),
            ClientIdsPart::Split(SplitClientIds { plan, apply }) => Self { plan, apply },
        }
    }
}

/// Location in a file.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct LocationPart {
    /// Name of the file.
    file: String,
    /// Line, from 1.
    line: usize,
    /// Column in Unicode characters, from 1.
    column: usize,
}

saved_as!(SourceLocation, LocationPart { file, line, column });

/// Temporary exception of a binding.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct HoldPart {
    /// Time from which the regular value counts again, in RFC 3339.
    #[cfg_attr(test, schemars(with = "String"))]
    until: Timestamp,
    /// Why the binding has another value.
    reason: String,
    /// Whether the hold was over when the run started, so that the regular value counts.
    expired: bool,
    /// Name or id of the regular connector; null for nothing.
    regular: Option<String>,
    /// Location of its `until` in the file.
    source: SourceLocation,
}

saved_as!(Hold, HoldPart);

impl From<Hold> for HoldPart {
    fn from(Hold { until, reason, is_expired: expired, regular, source }: Hold) -> Self {
        Self { until, reason, expired, regular, source }
    }
}

impl From<HoldPart> for Hold {
    fn from(HoldPart { until, reason, expired: is_expired, regular, source }: HoldPart) -> Self {
        Self { until, reason, is_expired, regular, source }
    }
}

/// Shard of a run.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct ShardPart {
    /// Number of the shard, from 1.
    number: u32,
    /// Number of shards.
    of: u32,
    /// Files of all shards, in order.
    fleet: Vec<Member>,
}

/// File of a run.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct MemberPart {
    /// Path of the file in its repository, otherwise in the working directory, with `/`.
    file: String,
    /// Tenant, as the file names it.
    tenant: Tenant,
}

saved_as!(Member, MemberPart { file, tenant });
saved_as!(ShardInfo, ShardPart);

impl From<ShardInfo> for ShardPart {
    fn from(ShardInfo { shard, fleet }: ShardInfo) -> Self {
        Self { number: shard.number(), of: shard.count(), fleet }
    }
}

impl TryFrom<ShardPart> for ShardInfo {
    type Error = String;

    fn try_from(ShardPart { number, of, fleet }: ShardPart) -> Result<Self, String> {
        let shard = Shard::new(number, of).ok_or_else(|| format!("`shard`: `{number}/{of}`"))?;
        Ok(Self { shard, fleet })
    }
}

/// Limit of a run to some bindings.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct LimitPart {
    /// Selected flows and bindings, as `FLOW` or `FLOW/STEP`.
    only: Vec<Only>,
    /// Number of managed bindings that are selected.
    selected: usize,
    /// Number of managed bindings of all files of the run.
    of: usize,
}

saved_as!(Limit, LimitPart { only, selected, of });

/// Problem of a run.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct ErrorPart {
    /// Stable id of the problem; `flowbind explain ID` explains it.
    id: Code,
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
    tenant: Option<Tenant>,
}

saved_as!(Problem, ErrorPart);

impl From<Problem> for ErrorPart {
    fn from(Problem { diagnostic, tenant }: Problem) -> Self {
        let Diagnostic { severity: _, code: id, message, location, causes, notes, hints } = diagnostic;
        let position = location.as_deref().map(Location::position);
        let line = position.as_ref().map(|position| position.line);
        let column = position.as_ref().map(|position| position.column);
        let file = position.map(|position| position.file);
        Self { id, message, causes, notes, hints, file, line, column, tenant }
    }
}

impl TryFrom<ErrorPart> for Problem {
    type Error = String;

    fn try_from(part: ErrorPart) -> Result<Self, String> {
        let ErrorPart { id: code, message, causes, notes, hints, file, line, column, tenant } = part;
        let location = file.zip(line).zip(column).map(|((file, line), column)| {
            Box::new(Location::Position(SourceLocation { file, line, column }))
        });
        let severity = Severity::Error;
        let diagnostic = Diagnostic { severity, code, message, location, causes, notes, hints };
        Ok(Self { diagnostic, tenant })
    }
}

/// Checks that an action is the one from `current` to `desired`: the fingerprint covers the values only.
pub(super) fn check_action(action: Action, current: &Bound, desired: &Bound) -> Result<(), String> {
    let expected = Action::from_values(current.as_ref(), desired.as_ref());
    if expected == Some(action) { Ok(()) } else { Err(format!("`action`: `{}`", action.name())) }
}
