//! `export`: writes the current bindings of tenants as desired-state files or snapshots.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Args, ValueEnum};
use strum::VariantArray as _;

use super::environment::Environment;
use super::options::{ConnectionArgs, Global};
use super::progress::ProgressLine;
use super::values;
use crate::atomic_file;
use crate::diagnostic::{Code, Diagnostic};
use crate::exit::Exit;
use crate::http::never_stopped;
use crate::model::{Api, Cloud, Step, Tenant};
use crate::output::{self, print_problems};
use crate::plan::Problem;
use crate::run::{self, CommandError, ExportFormat, ExportRequest, Exported, Run, SnapshotFile};
use crate::{paths, render, terminal};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Tenant domain or GUID; repeatable with --out-dir [default: those of --sandbox]
    #[arg(long, required_unless_present = "sandbox")]
    tenant: Vec<Tenant>,
    /// Output format
    #[arg(long, default_value = "desired")]
    format: Format,
    /// Write to FILE, not to stdout
    #[arg(short, long, value_name = "FILE", conflicts_with = "out_dir", value_parser = values::export_parser())]
    out: Option<PathBuf>,
    /// Write one file per tenant to DIR: TENANT.yaml, or TENANT.json for a snapshot
    #[arg(long, value_name = "DIR", value_parser = values::export_parser())]
    out_dir: Option<PathBuf>,
    /// Replace files that exist and differ
    #[arg(long)]
    overwrite: bool,
    /// Steps to export, separated by commas [default: all that the service has]
    #[arg(long, value_name = "STEPS", value_delimiter = ',', value_parser = values::step_parser())]
    steps: Vec<Step>,
    /// National cloud
    #[arg(long, default_value = "global", value_parser = values::cloud_parser())]
    cloud: Cloud,
    /// Version of Microsoft Graph: beta, or v1.0, which has B2X flows only
    #[arg(long, default_value = "beta", value_parser = values::api_parser())]
    api: Api,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Desired-state file whose plan is empty
    Desired,
    /// Snapshot for `--sandbox`
    Snapshot,
}

pub(super) async fn run(
    args: &ExportArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, CommandError> {
    let run = Run::start(args.connection.run_options(environment), never_stopped())?;
    let tenants = if args.tenant.is_empty() { run.sandboxes().tenants()? } else { args.tenant.clone() };
    args.check(&tenants)?;
    let several = tenants.len() > 1;
    let taken_at = environment.now();
    let steps = args.steps_to_read();
    // By default, everything is exported that the service has.
    let optional_step =
        steps.iter().copied().find(|step| args.steps.is_empty() && !Step::DEFAULT.contains(step));
    let export = async |(at, tenant): (usize, &Tenant)| {
        let request = ExportRequest {
            tenant,
            cloud: args.cloud,
            api: args.api,
            steps: &steps,
            optional_step,
            format: match args.format {
                Format::Desired => ExportFormat::Desired,
                Format::Snapshot => ExportFormat::Snapshot,
            },
            taken_at,
        };
        vec![(at, (tenant.clone(), run::export(&run, &request).await))]
    };
    let mut kinds = Vec::new();
    let exported = run.for_each_tenant(tenants.iter().enumerate().collect(), export, |(tenant, exported)| {
        let written = exported.and_then(|exported| args.write(&tenant, exported, several, global));
        if let Err(CommandError { kind, diagnostics }) = written {
            print_tenant_problems(&tenant, diagnostics, several);
            kinds.push(kind);
        }
    });
    ProgressLine::new(global).show_while(&run, exported).await;
    Ok(Exit::of_kinds(&kinds))
}

impl ExportArgs {
    /// Checks that the tenants differ and the outputs can be written, and that the API version supports the cloud
    /// and the steps: a desired-state file would be rejected for the same reason.
    fn check(&self, tenants: &[Tenant]) -> Result<(), CommandError> {
        let Self { cloud, api, steps, .. } = self;
        let earlier = |at: usize| tenants.get(..at).unwrap_or_default();
        let twice = tenants.iter().enumerate().find(|(at, tenant)| earlier(*at).contains(tenant));
        if let Some((_, twice)) = twice {
            let problem = Diagnostic::error(Code::Usage, format!("`--tenant {twice}` is given twice"));
            return Err(problem.hint("name each tenant once").into());
        }
        let unsupported = if !api.supports_cloud(*cloud) {
            Some(format!("`--api {api}` has no user flows in the cloud `{cloud}`"))
        } else {
            let step = steps.iter().find(|step| !api.supports_step(**step));
            step.map(|step| format!("`--api {api}` has no step `{step}`"))
        };
        if let Some(message) = unsupported {
            let problem = Diagnostic::error(Code::UnsupportedByApi, message);
            return Err(problem.hint("use `--api beta`, or leave `--api` out").into());
        }
        if self.out_dir.is_none() && tenants.len() > 1 {
            let to = if self.out.is_some() { "one file" } else { "stdout" };
            let problem =
                Diagnostic::error(Code::Usage, format!("several tenants cannot be exported to {to}"));
            return Err(problem.hint("use `--out-dir DIR`, or pass one `--tenant`").into());
        }
        if let Some(folder) = &self.out_dir {
            fs::create_dir_all(folder).map_err(|error| output::folder_error(folder, &error))?;
        }
        let inputs: Vec<_> = self.connection.sandbox.iter().map(PathBuf::as_path).collect();
        let files = tenants.iter().filter_map(|tenant| Some((tenant, self.path(tenant)?)));
        let problems: Vec<_> =
            files.filter_map(|(tenant, path)| self.check_file(tenant, &path, &inputs).err()).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
    }

    /// Checks that the file of a tenant can be written, and that an existing one is an earlier export.
    fn check_file(&self, tenant: &Tenant, path: &Path, inputs: &[&Path]) -> Result<(), Diagnostic> {
        output::open_distinct(path, inputs)?;
        // Whether an earlier export still has the same content is known only after the tenant was read.
        let is_export =
            |old: &str| old.starts_with(&render::export_start(tenant)) || SnapshotFile::read(path).is_ok();
        match self.existing(path)? {
            Some(old) if !is_export(&old) => Err(file_differs(path)),
            _ => Ok(()),
        }
    }

    /// Returns the content of a file that only the same content may replace. `None` if the file does not exist or is
    /// empty, or with `--overwrite`.
    fn existing(&self, path: &Path) -> Result<Option<String>, Diagnostic> {
        match paths::read(path) {
            _ if self.overwrite => Ok(None),
            Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_differs(path).caused_by(error.to_string())),
        }
    }

    /// Returns the steps of `--steps`, otherwise all that the API version has, each once.
    fn steps_to_read(&self) -> Vec<Step> {
        let is_read = |step: &Step| match self.steps.as_slice() {
            [] => self.api.supports_step(*step),
            steps => steps.contains(step),
        };
        Step::VARIANTS.iter().copied().filter(is_read).collect()
    }

    /// Returns the output path of a tenant: that of `--out`, or in the folder of `--out-dir` its name in lower case
    /// with `.yaml` or `.json`. A domain or a GUID is a valid file name. `None` is stdout.
    fn path(&self, tenant: &Tenant) -> Option<PathBuf> {
        let extension = match self.format {
            Format::Desired => "yaml",
            Format::Snapshot => "json",
        };
        let name = format!("{}.{extension}", tenant.as_str().to_ascii_lowercase());
        self.out_dir.as_ref().map(|folder| folder.join(name)).or_else(|| self.out.clone())
    }

    fn write(
        &self,
        tenant: &Tenant,
        exported: Exported,
        several: bool,
        global: &Global,
    ) -> Result<(), CommandError> {
        let Exported { text, mut summary, warnings } = exported;
        print_tenant_problems(tenant, warnings, several);
        match self.path(tenant) {
            None => terminal::print(&text).map_err(output::stdout_error)?,
            Some(path) => match self.existing(&path)? {
                Some(old) if render::is_same_export(&old, &text) => {
                    summary.push_str(&format!("`{}` is unchanged\n", paths::display(&path)));
                }
                Some(_) => return Err(file_differs(&path).into()),
                None => atomic_file::write(&path, &text).map_err(|error| {
                    output::not_writable(format!("cannot write `{}`", paths::display(&path)), &error)
                })?,
            },
        }
        if !global.quiet {
            terminal::eprint(&summary);
        }
        Ok(())
    }
}

fn file_differs(path: &Path) -> Diagnostic {
    let message = format!("`{}` exists and differs from the export", paths::display(path));
    Diagnostic::error(Code::OutputExists, message).hint(
        "add `--overwrite` to replace the file, pass another path, or let `flowbind accept` change the file",
    )
}

/// Prints the problems of a tenant, with the tenant if the run has `several`.
fn print_tenant_problems(tenant: &Tenant, problems: Vec<Diagnostic>, several: bool) {
    let problems: Vec<_> = problems.into_iter().map(|it| Problem::for_tenant(tenant, it)).collect();
    print_problems(&problems, several);
}
