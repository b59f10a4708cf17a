//! `whoami`: shows credential, tenant and permissions. Sends no request to Graph.

use clap::Args;

use super::environment::Environment;
use super::options::{ConnectionArgs, FilesArgs, Global};
use super::progress::ProgressLine;
use super::values;
use crate::diagnostic::{Code, Diagnostic};
use crate::exit::Exit;
use crate::http::never_stopped;
use crate::model::{Purpose, Tenant};
use crate::output::{self, print_problems};
use crate::plan::Problem;
use crate::render::escape;
use crate::run::{CommandError, Identity, Run, Subject};
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Tenant domain or GUID, in place of FILES
    #[arg(long, conflicts_with = "files")]
    tenant: Option<Tenant>,
    /// Exit with 1 if the token is expired or lacks a permission for this command
    #[arg(long = "for", value_name = "COMMAND", value_parser = values::purpose_parser())]
    purpose: Option<Purpose>,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(
    args: &WhoamiArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, CommandError> {
    let subjects = subjects(args, environment)?;
    let run = Run::start(args.connection.run_options(environment), never_stopped())?;
    let identity = async |(at, subject): (usize, &Subject)| {
        vec![(at, (subject.tenant.clone(), subject.identity(&run, args.purpose).await))]
    };
    let (mut text, mut problems, mut kinds) = (String::new(), Vec::new(), Vec::new());
    let identities =
        run.for_each_tenant(subjects.iter().enumerate().collect(), identity, |(tenant, identity)| {
            let error = match identity {
                Ok(identity) => {
                    text.push_str(&identity_text(&tenant, &identity));
                    identity.error
                }
                Err(error) => Some(error),
            };
            if let Some(CommandError { kind, diagnostics }) = error {
                problems.extend(diagnostics.into_iter().map(|problem| Problem::for_tenant(&tenant, problem)));
                kinds.push(kind);
            }
        });
    ProgressLine::new(global).show_while(&run, identities).await;
    let printed = terminal::print(&text).map_err(output::stdout_error);
    print_problems(&problems, subjects.len() > 1);
    printed?;
    Ok(Exit::of_kinds(&kinds))
}

/// Returns the tenant of `--tenant`, or the tenants of the files, each once. If no FILES are given and flowbind.yaml does not exist,
/// returns that of `AZURE_TENANT_ID`, if set. Invalid files and an invalid variable are errors.
fn subjects(args: &WhoamiArgs, environment: &Environment) -> Result<Vec<Subject>, CommandError> {
    if let Some(tenant) = &args.tenant {
        return Ok(vec![Subject::from_tenant(tenant.clone())]);
    }
    let files = &args.files.files;
    let by_default =
        matches!(files.as_slice(), [file] if file.as_os_str() == FilesArgs::DEFAULT && !file.exists());
    let Some(tenant) = environment.tenant.as_ref().filter(|_| by_default) else {
        return Ok(Subject::from_files(files, environment.now())?);
    };
    let tenant = tenant.parse().map_err(|error| {
        let message = format!("`AZURE_TENANT_ID` is not a tenant: {error}");
        Diagnostic::error(Code::InvalidEnvironment, message)
            .hint("set it to a domain or a GUID, or name a file")
    })?;
    Ok(vec![Subject::from_tenant(tenant)])
}

/// Returns the tenant, and below it aligned lines of a name and a value.
fn identity_text(tenant: &Tenant, identity: &Identity) -> String {
    let lines = identity.lines.iter().map(|(name, value)| format!("  {name:<16}{}\n", escape::text(value)));
    format!("{tenant}\n{}\n", lines.collect::<String>())
}
