//! Warnings: facts that a reviewer should know. They do not block a plan.

use super::binding::{Change, NeverCalled, Unmanaged};
use super::certificate::BoundCertificate;
use crate::diagnostic::{Code, Diagnostic, Location, SourceLocation};
use crate::model::{ConnectorId, FlowId, Step, bound_id};

/// Fact that a reviewer should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The tenant of the access token could not be verified, for this reason.
    TenantUnverified(String),
    /// The plan changes a step that Graph's documentation does not list.
    UndocumentedStep(Step),
    /// The service rejects this step, so its bindings were not read.
    UnsupportedStep(Step),
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
                let message = format!("the file still has the value of `{flow}` `{step}` that is taken back");
                let problem = Diagnostic::warning(Code::UndoFileDiffers, message);
                let location = Some(Box::new(Location::Position(source.clone())));
                Diagnostic { location, ..problem }
                    .hint("change the file too, or the next `apply` of it sets the value again")
            }
            Self::Dangling(Unmanaged { flow, step, current }) => {
                let id = bound_id(current).map(ConnectorId::as_str).unwrap_or_default();
                let message = format!("`{flow}` `{step}` points to the deleted connector `{id}`");
                Diagnostic::warning(Code::DanglingBinding, message)
            }
        }
    }
}
