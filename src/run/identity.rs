//! Identities of a run: credential, tenant and permissions. Sends no request to Graph.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;

use super::connect::{SignedIn, sign_in};
use super::error::CommandError;
use super::expiry::{expired_error, expiry};
use super::in_order::group_by_tenant;
use super::session::Run;
use super::tenant_ref::TenantRef;
use crate::auth::{Claims, Credential, Kind};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Grant, GraphUrl, Need};
use crate::model::{Api, ClientIds, Cloud, Desired, Purpose, Scope, Tenant, TenantCheck};
use crate::{current, desired, paths};

/// Tenant to sign in to, and the commands to check.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Tenant.
    pub tenant: Tenant,
    client_id: Option<ClientIds>,
    cloud: Cloud,
    api: Api,
    /// Commands with their needs.
    commands: Vec<(&'static str, BTreeSet<Need>)>,
}

/// Identity in one tenant.
#[derive(Debug)]
pub struct Identity {
    /// Names and values.
    pub lines: Vec<(&'static str, String)>,
    /// Why the token is unusable, if it is.
    pub error: Option<CommandError>,
}

/// Returns the name of the line about a command.
fn line_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Plan => PLAN,
        Purpose::Apply => APPLY,
    }
}

const PLAN: &str = "plan, drift";
const APPLY: &str = "apply";

/// Whom a token acts for.
#[derive(Debug, Clone, Copy)]
enum TokenKind {
    App,
    Delegated,
}

/// Names and values, in order.
#[derive(Default)]
struct Lines(Vec<(&'static str, String)>);

impl Lines {
    fn add(&mut self, name: &'static str, value: &str) {
        self.0.push((name, value.to_owned()));
    }
}

fn all_reads() -> BTreeSet<Need> {
    BTreeSet::from([Need::Flows, Need::Bindings, Need::Connectors])
}

/// Returns the commands that contact a tenant, with their needs: `listed` for the files, `all` for
/// everything in the tenant.
fn commands(listed: &BTreeSet<Need>, all: &BTreeSet<Need>) -> Vec<(&'static str, BTreeSet<Need>)> {
    let changes = listed.iter().copied().chain([Need::Changes]).collect();
    vec![(PLAN, listed.clone()), ("drift --strict", all.clone()), (APPLY, changes), ("export", all_reads())]
}

impl Subject {
    /// Returns the tenants of the files at these paths, each once.
    ///
    /// # Errors
    /// All problems of the files.
    pub fn from_files(paths: &[PathBuf], now: Timestamp) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let groups = group_by_tenant(desired::load(paths, now)?, |file| &file.tenant);
        let subject = |group: Vec<(usize, Desired)>| {
            let files = || group.iter().map(|(_, file)| file);
            let needs = |scope| files().flat_map(|file| current::needs(file, scope)).collect();
            let first = files().next()?;
            Some(Self {
                tenant: first.tenant.clone(),
                client_id: first.client_id.clone(),
                cloud: first.cloud,
                api: first.api,
                commands: commands(&needs(Scope::Listed), &needs(Scope::All)),
            })
        };
        Ok(groups.into_iter().filter_map(subject).collect())
    }

    /// Creates the subject of a tenant without a file, in the public cloud.
    pub fn from_tenant(tenant: Tenant) -> Self {
        let reads = BTreeSet::from([Need::Bindings, Need::Connectors]);
        let commands = commands(&reads, &all_reads());
        Self { tenant, client_id: None, cloud: Cloud::Global, api: Api::Beta, commands }
    }

    /// Signs in, and describes the credential, the tenant and the permissions of the token. With a `purpose`, a token
    /// that is not enough for it counts as unusable.
    ///
    /// # Errors
    /// The sign-in failed. An unusable token is in the result.
    pub async fn identity(&self, run: &Run, purpose: Option<Purpose>) -> Result<Identity, CommandError> {
        let signs_in_for = purpose.unwrap_or(Purpose::Plan);
        let tenant_ref = TenantRef {
            tenant: &self.tenant,
            client_id: self.client_id.as_ref().map(|ids| ids.for_purpose(signs_in_for)),
            cloud: self.cloud,
            api: self.api,
        };
        let mut lines = Lines::default();
        if let Some(file) = run.sandboxes.snapshot_file(&tenant_ref)? {
            let path = paths::display(&file.path);
            lines.add("credential", &format!("not needed: `{path}` is an emulated tenant"));
            return Ok(Identity { lines: lines.0, error: None });
        }
        let SignedIn { credential, url, tenant_check } = sign_in(&tenant_ref, run).await?;
        let token = credential.token();
        let claims = token.claims();
        lines.add("credential", credential.kind().name());
        lines.add("tenant", &self.tenant_line(claims, tenant_check.as_ref().ok()));
        lines.add("cloud", &format!("{}, {url}", self.cloud));
        if let Some(claims) = claims {
            let name = claims.app_displayname.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            lines.add("app", &format!("{}{name}", claims.appid.as_deref().unwrap_or("not in the token")));
            if let Some(user) = &claims.upn {
                lines.add("user", user);
            }
        } else {
            lines.add("app", "not in the token");
        }
        let (is_expired, expiry) = expiry(&token);
        lines.add(if is_expired { "expired" } else { "expires" }, &expiry);
        let permissions = claims.map(permissions);
        lines.add(
            "permissions",
            &match permissions.as_deref() {
                None => "not in the token".to_owned(),
                Some([]) => "none".to_owned(),
                Some(permissions) => permissions.join(", "),
            },
        );
        let kind = match claims.and_then(|claims| claims.scp.as_ref()) {
            Some(_) => TokenKind::Delegated,
            None => TokenKind::App,
        };
        let is_unusable = is_expired && credential.kind() == Kind::AccessToken;
        let expired = is_unusable.then(|| "the access token has expired".to_owned());
        let wrong_audience = claims.and_then(|claims| self.wrong_audience(claims, &url));
        let unusable = expired.or_else(|| wrong_audience.clone()).map(|why| format!("no: {why}"));
        for (command, needs) in &self.commands {
            let known = unusable.clone().or_else(|| self.other_app(command, signs_in_for));
            let verdict = known.unwrap_or_else(|| verdict(needs, permissions.as_deref(), kind));
            lines.add(command, &verdict);
        }
        let audience_problem = wrong_audience.map(|why| {
            let hint =
                format!("get a token with `az account get-access-token --scope {}`", url.scope(self.cloud));
            Diagnostic::error(Code::TokenRejected, why).hint(hint)
        });
        let check = || self.check_token(purpose?, &credential, permissions.as_deref(), audience_problem);
        Ok(Identity { lines: lines.0, error: tenant_check.err().or_else(check) })
    }

    /// Returns the reason if a token is for another API or cloud.
    fn wrong_audience(&self, claims: &Claims, url: &GraphUrl) -> Option<String> {
        let audience = claims.aud.first()?;
        let is_right = claims.aud.iter().any(|audience| url.is_audience(audience, self.cloud));
        let reason = || {
            format!("the access token is for `{audience}`, not for Microsoft Graph (cloud {})", self.cloud)
        };
        (!is_right).then(reason)
    }

    /// Returns that another app signs in for a command than for `purpose`; `None` if it is the same.
    fn other_app(&self, command: &str, purpose: Purpose) -> Option<String> {
        let of_command = if command == APPLY { Purpose::Apply } else { Purpose::Plan };
        let ids = self.client_id.as_ref().filter(|ids| of_command != purpose && !ids.is_single())?;
        let name: &'static str = of_command.into();
        Some(format!("not checked: the app {} signs in, see --for {name}", ids.for_purpose(of_command)))
    }

    /// Returns why the token is not enough for a command, if so: it is expired, has an `audience_problem`, or lacks
    /// permissions. An opaque token is not checked.
    fn check_token(
        &self,
        purpose: Purpose,
        credential: &Credential,
        permissions: Option<&[&str]>,
        audience_problem: Option<Diagnostic>,
    ) -> Option<CommandError> {
        let command: &'static str = purpose.into();
        let needs =
            self.commands.iter().find(|(name, _)| *name == line_name(purpose)).map(|(_, needs)| needs);
        let missing =
            needs.zip(permissions).map(|(needs, permissions)| missing_permissions(needs, permissions));
        let denied = missing.filter(|missing| !missing.is_empty()).map(|missing| {
            let message = format!("the access token lacks a permission for `{command}`");
            let least =
                missing.iter().filter_map(|accepted| accepted.first()).map(|least| format!("`{least}`"));
            let least = least.collect::<Vec<_>>().join(" and ");
            Diagnostic::error(Code::PermissionMissing, message)
                .caused_by(missing_text(&missing))
                .hint(format!("grant {least} with admin consent, then get a new token"))
        });
        // Permissions of another API do not count.
        let denied = audience_problem.or(denied);
        let problems: Vec<_> = expired_error(credential).into_iter().chain(denied).collect();
        (!problems.is_empty()).then(|| problems.into())
    }

    /// Returns domain and GUID of the token's tenant, or that it is not verified and why, or that it is
    /// another tenant.
    fn tenant_line(&self, claims: Option<&Claims>, tenant_check: Option<&TenantCheck>) -> String {
        let claimed = claims.and_then(|claims| claims.tid.as_deref()).unwrap_or("not in the token");
        match tenant_check {
            Some(TenantCheck::Verified(guid)) if self.tenant.guid().is_some() => guid.clone(),
            Some(TenantCheck::Verified(guid)) => format!("{}, {guid}", self.tenant),
            Some(TenantCheck::Unverified(why)) => format!("{claimed} (not verified: {why})"),
            Some(TenantCheck::NotApplicable) => format!("{claimed} (not verified: --graph-url is local)"),
            None => format!("{claimed}, and not {}", self.tenant),
        }
    }
}

/// Returns the permissions of a token, of the app or delegated by a user.
fn permissions(claims: &Claims) -> Vec<&str> {
    let delegated = claims.scp.as_deref().unwrap_or_default().split_whitespace();
    claims.roles.iter().map(String::as_str).chain(delegated).collect()
}

/// Returns what the token lacks for these needs: for each, the permissions of which any is enough.
fn missing_permissions(needs: &BTreeSet<Need>, permissions: &[&str]) -> Vec<&'static [&'static str]> {
    let is_missing = |need: &&Need| need.grant_from(permissions) == Grant::None;
    let missing: BTreeSet<_> = needs.iter().filter(is_missing).map(|need| need.accepted()).collect();
    // The higher permission, if it is missing as well, covers the lower one.
    let is_covered = |accepted: &[&str]| {
        let higher = accepted.get(1..).unwrap_or_default();
        missing.iter().any(|other| other.first().is_some_and(|least| higher.contains(least)))
    };
    missing.iter().filter(|accepted| !is_covered(accepted)).copied().collect()
}

/// Returns `missing` and the permissions, the least privileged first.
fn missing_text(missing: &[&[&str]]) -> String {
    let missing = missing.iter().map(|accepted| match accepted {
        [least, higher @ ..] if !higher.is_empty() => format!("{least} (or {})", higher.join(" or ")),
        _ => accepted.concat(),
    });
    format!("missing {}", missing.collect::<Vec<_>>().join(" and "))
}

/// Returns whether the permissions suffice: `yes`, `no` with those that are missing, `probably` if only
/// undocumented ones are granted, or `unknown` without `permissions`. For a delegated token, adds the role that the
/// user also needs.
fn verdict(needs: &BTreeSet<Need>, permissions: Option<&[&str]>, kind: TokenKind) -> String {
    let Some(permissions) = permissions else { return "unknown".into() };
    let missing = missing_permissions(needs, permissions);
    if !missing.is_empty() {
        return format!("no: {}", missing_text(&missing));
    }
    let role = match kind {
        TokenKind::Delegated => "; the user also needs the role External ID User Flow Administrator",
        TokenKind::App => "",
    };
    let is_lower = |need: &&Need| need.grant_from(permissions) == Grant::Lower;
    let documented: BTreeSet<_> = needs.iter().filter(is_lower).map(|need| need.documented()).collect();
    if documented.is_empty() {
        return format!("yes{role}");
    }
    let documented: Vec<_> = documented.into_iter().collect();
    format!("probably: Microsoft documents only {}{role}", documented.join(" and "))
}
