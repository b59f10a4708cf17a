//! Warnings: facts that a reviewer should know. They do not block a plan.

use jiff::Timestamp;

use super::binding::{Change, NeverCalled, Unmanaged};
use super::certificate::BoundCertificate;
use super::hold::Hold;
use crate::diagnostic::{Code, Diagnostic, Location, SourceLocation};
use crate::model::{ConnectorId, Desired, DesiredBinding, FlowId, Step, bound_id};

/// Fact that a reviewer should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The tenant of the access token could not be verified, for this reason.
    TenantUnverified(String),
    /// The plan changes a step that Graph's documentation does not list.
    UndocumentedStep(Step),
    /// The service rejects this step, so its bindings were not read.
    UnsupportedStep(Step),
    /// The hold of a binding is over, and the file still has it.
    HoldExpired(FlowId, Step, Hold),
    /// A connector is bound at a step that the flow never calls.
    NeverCalled(NeverCalled),
    /// A bound connector has no active certificate that is valid long enough.
    CertificateExpires(BoundCertificate),
    /// A change is taken back, and the file still has it.
    FileDiffers {
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
        /// Location of the value in the file.
        source: SourceLocation,
    },
    /// A binding points to a deleted connector.
    Dangling(Unmanaged),
}

impl Warning {
    /// Creates the warning about a change that is taken back.
    pub(super) fn file_differs(change: &Change) -> Self {
        let Change { flow, step, source, .. } = change;
        Self::FileDiffers { flow: flow.clone(), step: *step, source: source.clone() }
    }

    /// Returns the warning about the hold of a binding; `None` if it is active.
    pub fn from_hold((flow, step, hold): (&FlowId, Step, &Hold)) -> Option<Self> {
        hold.is_expired.then(|| Self::HoldExpired(flow.clone(), step, hold.clone()))
    }

    /// Returns the warning as a problem.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::TenantUnverified(why) => {
                let message = format!("the tenant of the access token is not verified: {why}");
                Diagnostic::warning(Code::TenantUnverified, message)
            }
            Self::UndocumentedStep(step) => {
                let message =
                    format!("`{step}` is undocumented in Graph; changing it may stop working without notice");
                Diagnostic::warning(Code::UndocumentedStep, message)
            }
            Self::UnsupportedStep(step) => {
                let message = format!("the service rejects `{step}`, so its bindings were not read");
                Diagnostic::warning(Code::UnsupportedStep, message)
            }
            Self::HoldExpired(flow, step, Hold { until, reason, regular, source, .. }) => {
                let regular = regular.as_ref().map_or("nothing".to_owned(), |name| format!("`{name}`"));
                let message =
                    format!("the hold of `{flow}` `{step}` expired at {until}, so {regular} counts again");
                let problem = Diagnostic::warning(Code::HoldExpired, message)
                    .note(format!("reason: {reason}"))
                    .hint("remove `hold` from the file, or write a later `until`");
                Diagnostic { location: Some(Box::new(Location::Position(source.clone()))), ..problem }
            }
            Self::NeverCalled(NeverCalled { flow, step, user_flow_type }) => {
                let message = format!(
                    "`{flow}` `{step}` has no effect: flows of the type `{user_flow_type}` never call it"
                );
                Diagnostic::warning(Code::StepNeverCalled, message)
            }
            Self::CertificateExpires(BoundCertificate { connector, not_after, .. }) => {
                let name = connector.display_name.as_deref().unwrap_or(connector.id.as_str());
                let message = match not_after {
                    Some(time) => {
                        format!("the certificate of `{name}` is valid until {}", time.strftime("%F"))
                    }
                    None => format!("`{name}` has no active certificate"),
                };
                Diagnostic::warning(Code::CertificateExpires, message).hint(
                    "upload a new certificate to the connector: \
                     https://learn.microsoft.com/azure/active-directory-b2c/secure-rest-api",
                )
            }
            Self::FileDiffers { flow, step, source } => {
                let message =
                    format!("the file may still have the value of `{flow}` `{step}` that is taken back");
                let problem = Diagnostic::warning(Code::UndoFileDiffers, message);
                let location = Some(Box::new(Location::Position(source.clone())));
                Diagnostic { location, ..problem }
                    .hint("if it has, change it too: the next `apply` of the file sets the value again")
            }
            Self::Dangling(Unmanaged { flow, step, current }) => {
                let id = bound_id(current).map(ConnectorId::as_str).unwrap_or_default();
                let message = format!("`{flow}` `{step}` points to the deleted connector `{id}`");
                Diagnostic::warning(Code::DanglingBinding, message)
            }
        }
    }
}

/// Returns a warning for each hold of files that is over, without knowing their tenants. Files with the hold from one base
/// have one warning.
pub fn expired_holds(files: &[Desired], now: Timestamp) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for flow in files.iter().flat_map(|file| &file.flows) {
        for (step, DesiredBinding { connector, hold, .. }) in flow.bindings.iter() {
            let Some(hold) = hold else { continue };
            let regular = connector.as_ref().map(|connector| connector.key.to_string());
            let found = Hold::from_file(hold, regular, now);
            let warning = Warning::from_hold((&flow.id, step, &found));
            let warning = warning.map(|warning| warning.diagnostic().at(&hold.span));
            warnings.extend(warning.filter(|warning| !warnings.contains(warning)));
        }
    }
    warnings
}
