//! `whoami`: shows credential, tenant and permissions. Sends no request to Graph.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use jiff::Timestamp;

use super::connect::{ConnectionArgs, SignedIn, TenantRef, sign_in};
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, FilesArgs, Run};
use super::plan::prefix_with_tenant;
use super::tenant::TenantCheck;
use super::{Exit, Global, print_diagnostics, signals};
use crate::auth::Claims;
use crate::current::{self, Scope};
use crate::desired;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Grant, Need};
use crate::model::{Api, Cloud, Desired, Tenant};
use crate::render::escape;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    files: FilesArgs,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Tenant to sign in to, and the commands to check.
struct SignInSubject {
    tenant: Tenant,
    client_id: Option<String>,
    cloud: Cloud,
    api: Api,
    /// Commands with their needs.
    commands: Vec<(&'static str, BTreeSet<Need>)>,
}

/// Output for one tenant, and why its token is unusable, if it is.
struct Identity {
    text: String,
    failure: Option<Failure>,
}

pub(super) async fn run(
    args: &WhoamiArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let subjects = subjects(&args.files.files, environment)?;
    let run = Run::start(global, &args.connection, environment, signals::no_shutdown())?;
    let groups: Vec<_> = (0..subjects.len()).map(|at| vec![at]).collect();
    let work = async |group: &[usize]| {
        let mut identities = Vec::new();
        for subject in group.iter().filter_map(|at| subjects.get(*at)) {
            identities.push(subject.identity(&run).await);
        }
        identities
    };
    let mut text = String::new();
    let mut problems = Vec::new();
    let mut exits = vec![Exit::Done];
    run.for_each_in_order(&groups, work, |at, identity| {
        let tenant = subjects.get(at).map(|subject| subject.tenant.as_str()).unwrap_or_default();
        let Identity { text: shown, failure } =
            identity.unwrap_or_else(|failure| Identity { text: String::new(), failure: Some(failure) });
        text.push_str(&shown);
        if let Some(Failure { diagnostics, exit, is_wrong_target: _ }) = failure {
            problems.extend(prefix_with_tenant(tenant, subjects.len() > 1, diagnostics));
            exits.push(exit);
        }
    })
    .await;
    let printed = terminal::print(&text).map_err(Failure::stdout);
    print_diagnostics(&problems);
    printed?;
    Ok(Exit::worst(exits.iter().map(|exit| *exit as u8)))
}

/// Returns the tenants of the files, each once. If no FILES are given and flowbind.yaml does not exist,
/// returns that of `AZURE_TENANT_ID`, if set. Invalid files and an invalid variable are errors.
fn subjects(files: &[PathBuf], environment: &Environment) -> Result<Vec<SignInSubject>, Failure> {
    let by_default = matches!(files, [file] if file.as_os_str() == FilesArgs::DEFAULT && !file.exists());
    let tenant = environment.tenant.as_ref().filter(|_| by_default);
    if let Some(tenant) = tenant {
        let tenant = tenant.parse().map_err(|error| {
            let message = format!("`AZURE_TENANT_ID` is not a tenant: {error}");
            Diagnostic::error(Code::InvalidEnvironment, message)
                .hint("set it to a domain or a GUID, or name a file")
        })?;
        let reads = BTreeSet::from([Need::Bindings, Need::Connectors]);
        let commands = commands(&reads, &all_reads());
        return Ok(vec![SignInSubject {
            tenant,
            client_id: None,
            cloud: Cloud::Global,
            api: Api::Beta,
            commands,
        }]);
    }
    let desired = desired::load(files)?;
    let groups = fleet::group_by_tenant(desired.iter().map(|desired| desired.tenant.as_str()));
    let subject = |group: Vec<usize>| {
        let files: Vec<_> = group.iter().filter_map(|at| desired.get(*at)).collect();
        let needs = |scope| files.iter().flat_map(|file| current::needs(file, scope)).collect();
        let first: &Desired = files.first()?;
        Some(SignInSubject {
            tenant: first.tenant.clone(),
            client_id: first.client_id.clone(),
            cloud: first.cloud,
            api: first.api,
            commands: commands(&needs(Scope::Listed), &needs(Scope::All)),
        })
    };
    Ok(groups.into_iter().filter_map(subject).collect())
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

impl SignInSubject {
    async fn identity(&self, run: &Run<'_>) -> Result<Identity, Failure> {
        let tenant_ref = TenantRef {
            tenant: &self.tenant,
            client_id: self.client_id.as_deref(),
            cloud: self.cloud,
            api: self.api,
        };
        let mut lines = Lines(format!("{}\n", self.tenant));
        if let Some(file) = run.sandboxes.snapshot_file(&tenant_ref)? {
            let path = file.path.display();
            lines.add("credential", &format!("not needed: `{path}` is an emulated tenant"));
            return Ok(Identity { text: lines.end(), failure: None });
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
        let delegated = claims.is_some_and(|claims| claims.scp.is_some());
        for (command, needs) in &self.commands {
            lines.add(command, &verdict(needs, permissions.as_deref(), delegated));
        }
        Ok(Identity { text: lines.end(), failure: tenant_check.err() })
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
/// undocumented ones are granted, or `unknown` without `permissions`. If `delegated`, adds the role that the
/// user also needs.
fn verdict(needs: &BTreeSet<Need>, permissions: Option<&[&str]>, delegated: bool) -> String {
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
    let role =
        if delegated { "; the user also needs the role External ID User Flow Administrator" } else { "" };
    let documented: BTreeSet<_> = with(Grant::Lower).map(|need| need.documented()).collect();
    if documented.is_empty() {
        return format!("yes{role}");
    }
    let documented: Vec<_> = documented.into_iter().collect();
    format!("probably: Microsoft documents only {}{role}", documented.join(" and "))
}

/// Aligned lines of a name and a value.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        _ = writeln!(self.0, "  {name:<16}{}", escape::text(value));
    }

    fn end(self) -> String {
        self.0 + "\n"
    }
}
