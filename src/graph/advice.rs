//! Known meanings, each with a hint. The least privileged permission comes first: Microsoft documents the ReadWrite
//! permissions for reading, but the service also accepts the Read permissions.

use crate::http::{FailureReason, Route, Unreachable};

/// Returns what to do about a host that cannot be reached.
pub fn unreachable_hint(unreachable: &Unreachable) -> String {
    let reason = &unreachable.reason;
    let tls = match reason {
        FailureReason::CertificateNotCurrent(_) => {
            return "check the clock of this machine; if it is right, the host or its proxy needs a new certificate".into();
        }
        FailureReason::SystemLimit(_) => {
            return "raise the limits of files and threads (`ulimit -a`), or run fewer tenants at a time with `--shard`".into();
        }
        FailureReason::CertificateNotTrusted(_) => {
            "; for a proxy that inspects TLS, pass its certificate authority with `--ca-file`"
        }
        FailureReason::Tls(_) => "; flowbind needs TLS 1.2 or 1.3",
        _ => "",
    };
    match &unreachable.route {
        Route::Proxy { variable, no_proxy, .. } => {
            let setting = variable.map_or("the settings of the system".into(), |name| format!("`{name}`"));
            match reason {
                FailureReason::ProxyRejected(407) => format!(
                    "set `{}` to a URL with the credentials of the proxy, such as \
                     `http://user:password@proxy.example.com:8080`",
                    variable.unwrap_or("HTTPS_PROXY")
                ),
                FailureReason::ProxyRejected(400..500) => {
                    format!("let the proxy in {setting} allow the host, or list the host in `{no_proxy}`")
                }
                _ => format!("check the network and the proxy in {setting}{tls}"),
            }
        }
        Route::NoProxy(variable) => {
            format!("check the network, and `{variable}`, which lists the host{tls}")
        }
        Route::Local => format!("check the network of this machine{tls}"),
        Route::Direct => format!("check the network and `HTTPS_PROXY`{tls}"),
    }
}

/// What to do about a login that is over.
pub const LOGIN_OVER_HINT: &str = "sign in again just before this step, shorten the run with `--shard`, or use a \
                                   credential that flowbind renews, such as `github-oidc`";

/// What to do about a sign-in that failed for another reason.
pub(super) const SIGN_IN_FAILED_HINT: &str =
    "fix the cause, then run again; `flowbind whoami` shows whether the sign-in succeeds";

/// Meaning of a response, and what to do.
pub(super) type Known = (&'static str, &'static str);

pub(super) const B2C_FLOWS_IN_WORKFORCE_TENANT: Known = (
    "the user flows are of Azure AD B2C (`B2C_1_…`), but the tenant is a workforce tenant",
    "set `tenant:` to the B2C tenant, or list the workforce tenant's own flows (`B2X_1_…`)",
);
pub(super) const B2X_FLOWS_IN_B2C_TENANT: Known = (
    "the user flows are of a workforce tenant (`B2X_1_…`), but the tenant is an Azure AD B2C tenant",
    "set `tenant:` to the workforce tenant, or list the B2C tenant's own flows (`B2C_1_…`)",
);
pub(super) const SELF_SERVICE_DISABLED: Known = (
    "the tenant is a workforce tenant without self-service sign-up, so it has no user flows",
    "enable self-service sign-up in the tenant's external collaboration settings, or name another tenant",
);
pub(super) const TOKEN_REJECTED: Known = (
    "Graph rejected the access token",
    "get a new token; `flowbind whoami` shows the credential, its tenant, its cloud and its expiry",
);
pub(super) const CANNOT_LIST_FLOWS: Known =
    ("no permission to list the tenant's user flows", "grant `IdentityUserFlow.Read.All` with admin consent");
pub(super) const CANNOT_READ_BINDINGS: Known = (
    "no permission to read the bindings of user flows",
    "grant `IdentityUserFlow.Read.All` with admin consent; if Graph still answers 403, \
           `IdentityUserFlow.ReadWrite.All`",
);
pub(super) const CANNOT_READ_CONNECTORS: Known = (
    "no permission to read the tenant's connectors",
    "grant `APIConnectors.Read.All` with admin consent; if Graph still answers 403, \
           `APIConnectors.ReadWrite.All`. Naming connectors by `id` without pins needs neither",
);
pub(super) const CANNOT_CHANGE_BINDINGS: Known = (
    "no permission to change bindings",
    "grant `IdentityUserFlow.ReadWrite.All` with admin consent; a user also needs the directory role \
           External ID User Flow Administrator",
);
