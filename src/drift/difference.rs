//! One difference between a file and its tenant.

use jiff::Timestamp;

use super::kind::Kind;
use crate::diagnostic::SourceLocation;
use crate::model::{Bound, Connector, FlowId, FlowKey, Step};
use crate::plan::Hold;

/// Difference between a file and its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Kind, the most dangerous that fits.
    pub kind: Kind,
    /// What differs.
    pub subject: Subject,
    /// Value in the file; `None` for nothing.
    pub file: Option<Value>,
    /// Value in the tenant; `None` for nothing.
    pub tenant: Option<Value>,
    /// Location in the file, if the file has one.
    pub source: Option<SourceLocation>,
    /// Why a name of the file was not found, or that the hold of the binding expired, in one line.
    pub note: Option<String>,
    /// Hold of the binding, also if it has expired.
    pub hold: Option<Box<Hold>>,
    /// Time of the first run that reported the difference.
    pub first_seen: Timestamp,
    /// Whether the earlier run did not report the difference; `None` if the run was not compared with an earlier one.
    pub is_new: Option<bool>,
}

/// What a difference is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A binding.
    Binding(FlowId, Step),
    /// A flow.
    Flow(FlowId),
    /// A connector.
    Connector(Connector),
}

impl Subject {
    /// Returns the flow, if the difference is about one.
    pub fn flow(&self) -> Option<&FlowId> {
        match self {
            Self::Binding(flow, _) | Self::Flow(flow) => Some(flow),
            Self::Connector(_) => None,
        }
    }

    /// Returns the step, if the difference is about a binding.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Binding(_, step) => Some(*step),
            Self::Flow(_) | Self::Connector(_) => None,
        }
    }

    /// Returns the connector, if the difference is about one.
    pub fn connector(&self) -> Option<&Connector> {
        match self {
            Self::Connector(connector) => Some(connector),
            Self::Binding(..) | Self::Flow(_) => None,
        }
    }
}

/// Value in a file or in a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A connector.
    Connector(Connector),
    /// Name that none or several of the connectors have.
    Name(String),
    /// Address of a connector, or the time until which its certificate is valid.
    Text(String),
}

impl Value {
    /// Converts the value of a binding.
    pub(super) fn from_bound(bound: Bound) -> Option<Self> {
        bound.map(Self::Connector)
    }

    /// Returns the text by which values are compared: the id of a connector, whose name may change.
    pub(super) fn identity(&self) -> &str {
        match self {
            Self::Connector(connector) => connector.id.as_str(),
            Self::Name(text) | Self::Text(text) => text,
        }
    }
}

/// Key of a subject within its tenant. Certificate and address of one connector are two subjects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SubjectKey<'a> {
    Binding(FlowKey<'a>, Step),
    Flow(FlowKey<'a>),
    Connector(&'a str, Kind),
}

impl Difference {
    /// Returns whether `accept` can change the file so that the difference disappears. A binding with a hold needs a
    /// decision of the user about the hold.
    pub fn can_be_accepted(&self) -> bool {
        self.kind.can_be_accepted() && self.hold.is_none()
    }

    /// Returns the key of the subject.
    pub(super) fn subject_key(&self) -> SubjectKey<'_> {
        match &self.subject {
            Subject::Binding(flow, step) => SubjectKey::Binding(flow.into(), *step),
            Subject::Flow(flow) => SubjectKey::Flow(flow.into()),
            Subject::Connector(connector) => SubjectKey::Connector(connector.id.as_str(), self.kind),
        }
    }

    /// Returns whether an earlier run reported the same: the kind and the value in the tenant are equal.
    pub(super) fn is_same_as(&self, earlier: &Self) -> bool {
        let identity = |difference: &Self| difference.tenant.as_ref().map(|it| it.identity().to_owned());
        self.kind == earlier.kind && identity(self) == identity(earlier)
    }
}
