//! Options that several commands share.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use strum::VariantArray as _;

use super::environment::Environment;
use super::values;
use crate::auth::Kind;
use crate::diagnostic::Diagnostic;
use crate::http::Rate;
use crate::model::{Label, Only};
use crate::output::{OutPath, Outputs};
use crate::plan::{Override, RunOverrides, ScopedOverride, Shard};
use crate::render::Format;
use crate::run;

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// When to color the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
    /// Log to stderr (-vv for every request)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Only print errors to stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// FILES argument of most commands.
#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// Desired-state files, folders (*.yaml, *.yml), or - for stdin
    #[arg(default_value = Self::DEFAULT, value_name = "FILES")]
    pub(super) files: Vec<PathBuf>,
}

impl FilesArgs {
    /// File that is read if none is named.
    pub(super) const DEFAULT: &str = "flowbind.yaml";

    /// Returns the files that no output may replace: FILES and those of `--sandbox`.
    pub(super) fn inputs<'a>(&'a self, connection: &'a ConnectionArgs) -> Vec<&'a Path> {
        self.files.iter().chain(&connection.sandbox).map(PathBuf::as_path).collect()
    }
}

/// Shard of a run.
#[derive(Debug, Args)]
pub(super) struct ShardArgs {
    /// Process only shard K of N; combine the results with `show`
    #[arg(long, value_name = "K/N", hide_short_help = true)]
    pub(super) shard: Option<Shard>,
}

/// Limit of a run to some bindings.
#[derive(Debug, Args)]
pub(super) struct OnlyArgs {
    /// Process only this flow, or this binding, and read nothing else. Repeatable
    #[arg(long, value_name = "FLOW[/STEP]")]
    pub(super) only: Vec<Only>,
}

/// Name of a run.
#[derive(Debug, Args)]
pub(super) struct LabelArgs {
    /// Mark the run, such as with its stage, in every output
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(super) label: Option<Label>,
}

/// Flags that override guards. In a run over several tenants, each names its tenant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guards")]
pub(super) struct OverrideArgs {
    /// Override the file's `maxChanges`. Repeatable with TENANT
    #[arg(long, value_name = "[TENANT=]N", value_parser = |text: &str| ScopedOverride::parse_limit(text, Override::MaxChanges))]
    max_changes: Vec<ScopedOverride>,
    /// Override the file's `maxDisables`. Repeatable with TENANT
    #[arg(long, value_name = "[TENANT=]N", value_parser = |text: &str| ScopedOverride::parse_limit(text, Override::MaxDisables))]
    max_disables: Vec<ScopedOverride>,
    /// Allow disabling or replacing a protected binding. Repeatable
    #[arg(long, value_name = "[TENANT:]FLOW/STEP", value_parser = ScopedOverride::parse_protected)]
    allow_protected: Vec<ScopedOverride>,
    /// Allow `prune: flows` in a file without flows. Repeatable with TENANT
    #[arg(long, value_name = "TENANT", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = ScopedOverride::parse_allow_empty)]
    allow_empty: Vec<ScopedOverride>,
}

impl From<&OverrideArgs> for RunOverrides {
    fn from(args: &OverrideArgs) -> Self {
        let OverrideArgs { max_changes, max_disables, allow_protected, allow_empty } = args;
        [max_changes, max_disables, allow_protected, allow_empty]
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .into()
    }
}

/// Options of the commands that connect to tenants.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionArgs {
    /// Use an emulated tenant from snapshot FILE (changes are written back). Repeatable
    #[arg(long, value_name = "FILE")]
    pub(super) sandbox: Vec<PathBuf>,
    /// Use only this kind of credential [default: the first that is configured]
    #[arg(long, value_name = "KIND", value_parser = values::kind_parser())]
    pub(super) auth: Option<Kind>,
    /// Time limit of the run, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::parse_duration)]
    pub(super) timeout: Duration,
    /// Root of Microsoft Graph with its version [default: from the file's cloud and api]
    #[arg(long, value_name = "URL", conflicts_with = "sandbox", hide_short_help = true)]
    pub(super) graph_url: Option<String>,
    /// Also trust the certificate authorities in PEM
    #[arg(long, value_name = "PEM", hide_short_help = true)]
    pub(super) ca_file: Option<PathBuf>,
    /// Maximum concurrent requests per tenant
    #[arg(long, value_name = "N", default_value = "16", value_parser = values::parse_positive, hide_short_help = true)]
    pub(super) parallelism: NonZeroU32,
    /// Maximum tenants processed concurrently
    #[arg(long, value_name = "N", default_value = "64", value_parser = values::parse_positive, hide_short_help = true)]
    pub(super) tenants_at_once: NonZeroU32,
    /// Rate limit per tenant: N requests per SECONDS
    #[arg(long, value_name = "N/SECONDS", default_value = "200/60", hide_short_help = true)]
    pub(super) rate: Rate,
}

impl ConnectionArgs {
    /// Returns the options of a run, with the settings of the environment.
    pub(super) fn run_options(&self, environment: &Environment) -> run::Options {
        run::Options {
            sandboxes: self.sandbox.clone(),
            auth: self.auth,
            timeout: self.timeout,
            graph_url: self.graph_url.clone(),
            ca_file: self.ca_file.clone(),
            parallelism: self.parallelism,
            tenants_at_once: self.tenants_at_once,
            rate: self.rate,
            credentials: environment.credentials.clone(),
            authority_host: environment.authority_host.clone(),
            proxies: environment.proxies.clone(),
            trust_store: environment.trust_store.clone(),
        }
    }
}

/// Format of stdout, and output files.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// Also write to FILE; the extension selects the format (.txt .json .md .diff .xml .html .prom). Repeatable
    #[arg(short, long, value_name = "FILE", value_parser = values::out_parser(Format::VARIANTS))]
    pub(super) out: Vec<OutPath>,
    /// Output format on stdout
    #[arg(long, default_value = "text", value_parser = values::format_parser())]
    pub(super) format: Format,
}

impl OutputArgs {
    /// Opens the outputs, none of which may be one of `inputs`.
    pub(super) fn open(
        &self,
        inputs: &[&Path],
        environment: &Environment,
    ) -> Result<Outputs, Vec<Diagnostic>> {
        Outputs::open(self.format, &self.out, inputs, &environment.github)
    }
}
