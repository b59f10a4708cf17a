//! `whoami`: who a run would be, in which tenant, and what that is good for. Asks nothing of Graph.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;

use super::connect::{Place, SignedIn, sign_in};
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, FilesArgs, Run};
use super::plan::about;
use super::tenant::Checked;
use super::{Exit, Global, report, signals};
use crate::auth::Claims;
use crate::current::{self, Scope};
use crate::desired;
use crate::diagnostic::Diagnostic;
use crate::graph::{Grant, GraphUrl, Need};
use crate::model::{Api, Cloud, Desired, Tenant};
use crate::render::escape;
use crate::terminal;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowbind whoami\n  flowbind whoami tenants --auth azure-cli\n\n\
    Without FILES and without flowbind.yaml it is about the tenant of AZURE_TENANT_ID.")]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    files: FilesArgs,
}

/// Whom a run is about, and what for.
struct Subject {
    tenant: Tenant,
    client_id: Option<String>,
    cloud: Cloud,
    api: Api,
    /// The commands, and what each needs.
    commands: Vec<(&'static str, BTreeSet<Need>)>,
}

/// What is known of somebody, and why it is of no use.
struct Known {
    text: String,
    failure: Option<Failure>,
}

pub(super) async fn run(
    args: &WhoamiArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let subjects = subjects(&args.files.files, environment)?;
    let run = Run::start(global, environment, signals::never())?;
    let groups: Vec<_> = (0..subjects.len()).map(|at| vec![at]).collect();
    let work = async |group: &[usize]| {
        let mut known = Vec::new();
        for subject in group.iter().filter_map(|at| subjects.get(*at)) {
            known.push(subject.known(&run).await);
        }
        known
    };
    let mut text = String::new();
    let mut exits = vec![Exit::Done];
    run.each(&groups, work, |at, known| {
        let tenant = subjects.get(at).map(|subject| subject.tenant.as_str()).unwrap_or_default();
        let known = known.unwrap_or_else(|failure| Known { text: String::new(), failure: Some(failure) });
        text.push_str(&known.text);
        if let Some(Failure { diagnostics, exit, foreign: _ }) = known.failure {
            report(&about(tenant, subjects.len() > 1, diagnostics));
            exits.push(exit);
        }
    })
    .await;
    terminal::print(&text).context("cannot write to stdout")?;
    Ok(Exit::worst(exits.iter().map(|exit| *exit as u8)))
}

/// The tenants of the files; without any file, that of the environment.
fn subjects(files: &[PathBuf], environment: &Environment) -> Result<Vec<Subject>, Failure> {
    let by_default = matches!(files, [file] if file.as_os_str() == FilesArgs::DEFAULT && !file.exists());
    let tenant = environment.tenant.as_ref().filter(|_| by_default);
    if let Some(tenant) = tenant {
        let tenant = tenant.parse().map_err(|error| {
            Diagnostic::error(format!("`AZURE_TENANT_ID` is no tenant: {error}"))
                .hint("set it to a domain or a GUID, or name a file")
        })?;
        let reads = BTreeSet::from([Need::Bindings, Need::Connectors]);
        let commands = commands(&reads, &whole());
        return Ok(vec![Subject { tenant, client_id: None, cloud: Cloud::Global, api: Api::Beta, commands }]);
    }
    let desired = desired::load(files)?;
    let groups = fleet::by_tenant(desired.iter().map(|desired| desired.tenant.as_str()));
    let of_tenant = |group: Vec<usize>| {
        let files: Vec<_> = group.iter().filter_map(|at| desired.get(*at)).collect();
        let needs = |scope| files.iter().flat_map(|file| current::needs(file, scope)).collect();
        let first: &Desired = files.first()?;
        Some(Subject {
            tenant: first.tenant.clone(),
            client_id: first.client_id.clone(),
            cloud: first.cloud,
            api: first.api,
            commands: commands(&needs(Scope::Listed), &needs(Scope::Whole)),
        })
    };
    Ok(groups.into_iter().filter_map(of_tenant).collect())
}

fn whole() -> BTreeSet<Need> {
    BTreeSet::from([Need::Flows, Need::Bindings, Need::Connectors])
}

/// The commands that ask a tenant, by what has to be read for the files, and for all of a tenant.
fn commands(listed: &BTreeSet<Need>, all: &BTreeSet<Need>) -> Vec<(&'static str, BTreeSet<Need>)> {
    let changes = listed.iter().copied().chain([Need::Changes]).collect();
    vec![
        ("plan, drift", listed.clone()),
        ("drift --strict", all.clone()),
        ("apply", changes),
        ("export", whole()),
    ]
}

impl Subject {
    async fn known(&self, run: &Run<'_>) -> Result<Known, Failure> {
        let place = Place {
            tenant: &self.tenant,
            client_id: self.client_id.as_deref(),
            cloud: self.cloud,
            api: self.api,
        };
        let mut lines = Lines(format!("{}\n", self.tenant));
        if let Some(file) = run.sandboxes.snapshot_file(&place)? {
            let path = file.path.display();
            lines.add("credential", &format!("none is needed: `{path}` is an emulated tenant"));
            return Ok(Known { text: lines.end(), failure: None });
        }
        let url = GraphUrl::of(self.cloud, self.api)?;
        let SignedIn { credential, url, checked } = sign_in(&place, url, run).await?;
        let token = credential.token();
        let claims = token.claims();
        lines.add("credential", credential.kind().name());
        lines.add("tenant", &self.tenant_line(claims, checked.as_ref().ok()));
        lines.add("cloud", &format!("{}, {url}", self.cloud));
        if let Some(claims) = claims {
            let name = claims.app_displayname.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            lines.add("app", &format!("{}{name}", claims.appid.as_deref().unwrap_or("it does not tell")));
            if let Some(user) = &claims.upn {
                lines.add("user", user);
            }
        } else {
            lines.add("app", "it does not tell");
        }
        lines.add("expires", &expires(token.expires()));
        let permissions = claims.map(permissions);
        lines.add(
            "permissions",
            &match permissions.as_deref() {
                None => "it does not tell".to_owned(),
                Some([]) => "none".to_owned(),
                Some(permissions) => permissions.join(", "),
            },
        );
        let delegated = claims.is_some_and(|claims| claims.scp.is_some());
        for (command, needs) in &self.commands {
            lines.add(command, &verdict(needs, permissions.as_deref(), delegated));
        }
        Ok(Known { text: lines.end(), failure: checked.err() })
    }

    /// The domain and the GUID, and how sure it is that the token is for that tenant.
    fn tenant_line(&self, claims: Option<&Claims>, checked: Option<&Checked>) -> String {
        let claimed =
            claims.and_then(|claims| claims.tid.as_deref()).unwrap_or("a tenant that it does not tell");
        match checked {
            Some(Checked::Same(guid)) if self.tenant.guid().is_some() => guid.clone(),
            Some(Checked::Same(guid)) => format!("{}, {guid}", self.tenant),
            Some(Checked::Unknown(why)) => format!("{claimed}; not checked: {why}"),
            Some(Checked::Exempt) => format!("{claimed}; not checked: the Graph URL is on this machine"),
            None => format!("{claimed}, and not {}", self.tenant),
        }
    }
}

/// What somebody is permitted, by itself or for a person.
fn permissions(claims: &Claims) -> Vec<&str> {
    let delegated = claims.scp.as_deref().unwrap_or_default().split_whitespace();
    claims.roles.iter().map(String::as_str).chain(delegated).collect()
}

fn expires(expires: Option<SystemTime>) -> String {
    let Some(expires) = expires else { return "it does not tell".into() };
    let at = Timestamp::try_from(expires).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let at = at.unwrap_or_else(|_| "at the end of time".into());
    if expires <= SystemTime::now() { format!("{at}: it expired") } else { at }
}

/// Whether permissions do.
fn verdict(needs: &BTreeSet<Need>, permissions: Option<&[&str]>, delegated: bool) -> String {
    let Some(permissions) = permissions else { return "unknown".into() };
    let of = |grant| needs.iter().filter(move |need| need.met_by(permissions) == grant);
    // What is missing for changes is enough for reading.
    let mut missing = BTreeMap::new();
    for need in of(Grant::None) {
        let lower = missing.entry(need.documented()).or_insert(need.lower());
        *lower = lower.and(need.lower());
    }
    let missing: Vec<_> = missing
        .into_iter()
        .map(|(documented, lower)| match lower {
            Some(lower) => format!("{documented} (or perhaps {lower})"),
            None => documented.to_owned(),
        })
        .collect();
    if !missing.is_empty() {
        return format!("no: it lacks {}", missing.join(" and "));
    }
    let role =
        if delegated { "; the user needs the role External ID User Flow Administrator too" } else { "" };
    let documented: BTreeSet<_> = of(Grant::MayDo).map(|need| need.documented()).collect();
    if documented.is_empty() {
        return format!("yes{role}");
    }
    let documented: Vec<_> = documented.into_iter().collect();
    format!("perhaps: the documentation names {}{role}", documented.join(" and "))
}

/// Lines of a name and a value, the values one below the other.
struct Lines(String);

impl Lines {
    fn add(&mut self, name: &str, value: &str) {
        _ = writeln!(self.0, "  {name:<16}{}", escape::text(value));
    }

    fn end(self) -> String {
        self.0 + "\n"
    }
}
