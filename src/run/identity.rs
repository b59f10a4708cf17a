//! Identities of a run: credential, tenant and permissions. Sends no request to Graph.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::connect::{SignedIn, sign_in};
use super::error::CommandError;
use super::in_order::group_by_tenant;
use super::session::Run;
use super::tenant_ref::TenantRef;
use crate::auth::Claims;
use crate::diagnostic::Diagnostic;
use crate::graph::{Grant, Need};
use crate::model::{Api, Cloud, Desired, Scope, Tenant, TenantCheck};
use crate::{current, desired};

/// Tenant to sign in to, and the commands to check.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Tenant.
    pub tenant: Tenant,
    client_id: Option<String>,
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
    vec![
        ("plan, drift", listed.clone()),
        ("drift --strict", all.clone()),
        ("apply", changes),
        ("export", all_reads()),
    ]
}

impl Subject {
    /// Returns the tenants of the files at these paths, each once.
    ///
    /// # Errors
    /// All problems of the files.
    pub fn from_files(paths: &[PathBuf]) -> Result<Vec<Self>, Vec<Diagnostic>> {
        let groups = group_by_tenant(desired::load(paths)?, |file| &file.tenant);
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

    /// Signs in, and describes the credential, the tenant and the permissions of the token.
    ///
    /// # Errors
    /// The sign-in failed. An unusable token is in the result.
    pub async fn identity(&self, run: &Run) -> Result<Identity, CommandError> {
        let tenant_ref = TenantRef {
            tenant: &self.tenant,
            client_id: self.client_id.as_deref(),
            cloud: self.cloud,
            api: self.api,
        };
        let mut lines = Lines::default();
        if let Some(file) = run.sandboxes.snapshot_file(&tenant_ref)? {
            let path = file.path.display();
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
        let (label, expiry) = expiry(token.expires());
        lines.add(label, &expiry);
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
        for (command, needs) in &self.commands {
            lines.add(command, &verdict(needs, permissions.as_deref(), kind));
        }
        Ok(Identity { lines: lines.0, error: tenant_check.err() })
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

/// Returns the label `expires` or `expired`, and the time as text, with its age if it is over. Without a
/// time, the text is `not in the token`.
fn expiry(expires: Option<SystemTime>) -> (&'static str, String) {
    let Some(expires) = expires else { return ("expires", "not in the token".into()) };
    let at = Timestamp::try_from(expires).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let at = at.unwrap_or_else(|_| "never".into());
    match SystemTime::now().duration_since(expires) {
        Ok(ago) => ("expired", format!("{at} ({} ago)", rough_duration(ago))),
        Err(_) => ("expires", at),
    }
}

/// Returns a duration rounded down: in minutes below 2 h, in hours below 2 days, otherwise in days.
fn rough_duration(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match minutes {
        0 => "less than 1 min".into(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

/// Returns whether the permissions suffice: `yes`, `no` with those that are missing, `probably` if only
/// undocumented ones are granted, or `unknown` without `permissions`. For a delegated token, adds the role that the
/// user also needs.
fn verdict(needs: &BTreeSet<Need>, permissions: Option<&[&str]>, kind: TokenKind) -> String {
    let Some(permissions) = permissions else { return "unknown".into() };
    let with = |grant| needs.iter().filter(move |need| need.grant_from(permissions) == grant);
    let missing: BTreeSet<_> = with(Grant::None).map(|need| need.accepted()).collect();
    // The higher permission, if it is missing as well, covers the lower one.
    let is_covered = |accepted: &[&str]| {
        let higher = accepted.get(1..).unwrap_or_default();
        missing.iter().any(|other| other.first().is_some_and(|least| higher.contains(least)))
    };
    let missing: Vec<_> = missing
        .iter()
        .filter(|accepted| !is_covered(accepted))
        .map(|accepted| match accepted {
            [least, higher @ ..] if !higher.is_empty() => format!("{least} (or {})", higher.join(" or ")),
            _ => accepted.concat(),
        })
        .collect();
    if !missing.is_empty() {
        return format!("no: missing {}", missing.join(" and "));
    }
    let role = match kind {
        TokenKind::Delegated => "; the user also needs the role External ID User Flow Administrator",
        TokenKind::App => "",
    };
    let documented: BTreeSet<_> = with(Grant::Lower).map(|need| need.documented()).collect();
    if documented.is_empty() {
        return format!("yes{role}");
    }
    let documented: Vec<_> = documented.into_iter().collect();
    format!("probably: Microsoft documents only {}{role}", documented.join(" and "))
}
