//! Parts of `--help` and of the manual pages that belong to no option: examples, notes, exit codes, environment
//! variables and files.

use std::fmt::Write as _;

use clap::builder::{StyledStr, Styles};

use crate::exit::Exit;

/// Name of the program.
pub(super) const NAME: &str = "flowbind";

/// Largest width to which texts are wrapped, in columns.
pub const MAX_WIDTH: usize = 100;

/// Name of a variable or a file, and its meaning.
pub type Entry = (&'static str, &'static str);

/// Help of one command.
#[derive(Debug, Clone, Copy)]
pub struct Help {
    /// Command lines without the name of the program.
    pub examples: &'static [&'static str],
    /// Sentences that belong to no option.
    pub notes: &'static [&'static str],
    /// Exit codes with their meanings.
    pub exit_codes: &'static [(Exit, &'static str)],
    /// Environment variables that the command reads.
    pub environment: &'static [Entry],
    /// Files that the command reads or writes without being asked to.
    pub files: &'static [Entry],
}

/// Adds all help texts to the definition of the command line.
pub fn decorate(command: clap::Command) -> clap::Command {
    add(command.mut_subcommands(add))
}

/// Adds the help of a command to its definition: `-h` prints the examples, `--help` everything.
fn add(command: clap::Command) -> clap::Command {
    let help = find_help(command.get_name());
    let (short, long) = (help.short(), help.long());
    command.after_help(short).after_long_help(long)
}

/// Wraps a text to the width of the terminal, as clap wraps help.
pub(super) fn wrap(text: String) -> String {
    let command = clap::Command::new(NAME).max_term_width(MAX_WIDTH).help_template("{before-help}");
    let mut command = command.before_help(StyledStr::from(text));
    let wrapped = command.render_help().ansi().to_string();
    format!("{}\n", wrapped.trim_end())
}

impl Help {
    fn short(&self) -> StyledStr {
        let sections = [self.examples_section()];
        StyledStr::from(sections.concat().trim_end().to_owned())
    }

    fn long(&self) -> StyledStr {
        let notes = match self.notes {
            [] => String::new(),
            notes => format!("{}\n\n", notes.join("\n")),
        };
        let exit_codes =
            self.exit_codes.iter().map(|(exit, meaning)| format!("  {:<5}{meaning}\n", *exit as u8));
        let variables =
            self.environment.iter().map(|(name, meaning)| format!("  {name}\n          {meaning}\n"));
        let sections = [
            notes,
            self.examples_section(),
            section("Exit codes", exit_codes),
            section("Environment", variables),
        ];
        StyledStr::from(sections.concat().trim_end().to_owned())
    }

    fn examples_section(&self) -> String {
        section("Examples", self.examples.iter().map(|example| format!("  {NAME} {example}\n")))
    }
}

/// Returns a section of help, followed by a blank line. A section without lines is empty.
fn section(title: &str, lines: impl Iterator<Item = String>) -> String {
    let styles = Styles::default();
    let style = styles.get_header();
    let mut section = String::new();
    for line in lines {
        if section.is_empty() {
            _ = writeln!(section, "{style}{title}:{style:#}");
        }
        section.push_str(&line);
    }
    if section.is_empty() { section } else { section + "\n" }
}

const OFFLINE: &[(Exit, &str)] = &[(Exit::Done, "Done"), (Exit::Error, "Error")];

const DEFAULT_FILE: &[Entry] = &[("flowbind.yaml", "Desired-state file that is read if no FILES are given")];

const TIME: Entry = ("SOURCE_DATE_EPOCH", "Time of the run, in seconds since 1970");

const NO_COLOR: Entry = ("NO_COLOR", "Turns off color");

const GITHUB: Entry = (
    "GITHUB_STEP_SUMMARY, GITHUB_OUTPUT",
    "Files of a step of GitHub Actions that `--format github` appends to",
);

const WORKSPACE: Entry =
    ("GITHUB_WORKSPACE", "Root of the repository, to which the paths of `--format github` are relative");

/// Returns the variables of the commands that sign in, and `more` that only some of these commands read.
macro_rules! variables {
    ($($more:expr),*) => {
        &[
            ("FLOWBIND_ACCESS_TOKEN", "Access token for Microsoft Graph (access-token)"),
            (
                "AZURE_CLIENT_ID",
                "App that signs in if the file has no `clientId`; selects one of several managed identities",
            ),
            ("AZURE_CLIENT_SECRET", "Secret of the app (client-secret)"),
            (
                "AZURE_CLIENT_CERTIFICATE_PATH, AZURE_CLIENT_CERTIFICATE_PASSWORD",
                "Certificate and key of the app, as PEM or PKCS#12, and the password (client-certificate)",
            ),
            ("AZURE_FEDERATED_TOKEN_FILE", "File with a token that the app trusts (federated-token)"),
            (
                "ACTIONS_ID_TOKEN_REQUEST_URL, ACTIONS_ID_TOKEN_REQUEST_TOKEN",
                "Set by GitHub Actions in a job with `id-token: write` (github-oidc)",
            ),
            (
                "SYSTEM_OIDCREQUESTURI, SYSTEM_ACCESSTOKEN",
                "Set or mapped in a job of Azure Pipelines (azure-pipelines-oidc)",
            ),
            (
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID, AZURESUBSCRIPTION_CLIENT_ID",
                "Service connection of Azure Pipelines, and its app (azure-pipelines-oidc)",
            ),
            (
                "IDENTITY_ENDPOINT, IDENTITY_HEADER",
                "Set by Azure for a resource with a managed identity (managed-identity)",
            ),
            ("AZURE_AUTHORITY_HOST", "Root of the login service, in place of the cloud's"),
            ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "Proxy for requests, and hosts that are reached without it"),
            $($more,)*
            TIME,
            NO_COLOR,
        ]
    };
}

const SIGN_IN: &[Entry] = variables!();
const WITH_TENANT: &[Entry] = variables!((
    "AZURE_TENANT_ID",
    "Tenant to sign in to, if no FILES are given and flowbind.yaml does not exist"
));
const WITH_OUTPUTS: &[Entry] = variables!(GITHUB, WORKSPACE);

/// Returns the help of a command by its name; for any other name, only the exit codes 0 and 1.
pub fn find_help(command: &str) -> Help {
    const OTHER: Help = Help { examples: &[], notes: &[], exit_codes: OFFLINE, environment: &[], files: &[] };
    match command {
        NAME => Help {
            examples: &[
                "export --tenant contoso.onmicrosoft.com --out flowbind.yaml",
                "plan --out plan.json",
                "apply --plan plan.json",
                "explain stale-plan",
            ],
            notes: &[
                "A run over several tenants ends with the first of the codes 130, 143, 4, 1, 3, 2 and 0 that any \
                 tenant has.",
            ],
            exit_codes: &[
                (Exit::Done, "Done, or no difference"),
                (Exit::Error, "Invalid input or usage, or something could not be read"),
                (Exit::Differs, "Something differs (drift, and with --detailed-exitcode plan and show)"),
                (Exit::Refused, "Blocked; nothing was changed in the tenant"),
                (
                    Exit::Incomplete,
                    "Changes were sent to the tenant, and not all of them are applied and verified",
                ),
                (Exit::Interrupted, "Interrupted by SIGINT"),
                (
                    Exit::Terminated,
                    "Terminated by SIGTERM, SIGHUP or SIGQUIT, on Windows also Ctrl+Break or a closed console",
                ),
            ],
            environment: WITH_OUTPUTS,
            files: DEFAULT_FILE,
        },
        "export" => Help {
            examples: &[
                "export --tenant contoso.onmicrosoft.com --out flowbind.yaml",
                "export --tenant contoso.onmicrosoft.com --format snapshot --out snapshot.json",
            ],
            exit_codes: &[
                (Exit::Done, "All tenants were written"),
                (Exit::Error, "Invalid usage, or something could not be read or written"),
            ],
            environment: SIGN_IN,
            ..OTHER
        },
        "validate" => Help {
            examples: &["validate", "validate tenants --print"],
            exit_codes: &[
                (Exit::Done, "All files are valid"),
                (Exit::Error, "A file is invalid or cannot be read"),
            ],
            environment: &[TIME, NO_COLOR],
            files: DEFAULT_FILE,
            ..OTHER
        },
        "plan" => Help {
            examples: &[
                "plan --out plan.json --out plan.md",
                "plan tenants --detailed-exitcode --format github",
                "plan --only B2C_1_signup/postFederationSignup",
                "plan --undo report.json",
            ],
            notes: &[],
            exit_codes: &[
                (Exit::Done, "The plan is complete and not blocked"),
                (Exit::Error, "Invalid input or usage, or something could not be read"),
                (Exit::Differs, "With --detailed-exitcode: as 0, and the plan has changes"),
                (Exit::Refused, "A guard blocks the plan"),
            ],
            environment: WITH_OUTPUTS,
            files: DEFAULT_FILE,
        },
        "apply" => Help {
            examples: &[
                "apply --plan plan.json --out report.json",
                "apply --expect 3bd2d49827b5fe6b2df631f6baeafdcd820e951e636de848a9fafa63ed118c40",
                "apply --only B2C_1_signup/postFederationSignup --out report.json",
                "apply --undo report.json",
            ],
            notes: &["With a format other than text, stdout has only the report, and stderr has the plan."],
            exit_codes: &[
                (Exit::Done, "All changes are applied and verified, or there are none"),
                (Exit::Error, "Invalid input or usage, or something could not be read; nothing was changed"),
                (
                    Exit::Refused,
                    "Blocked by a guard, not approved, stale, or for another target; nothing was changed",
                ),
                (Exit::Incomplete, "Changes were sent, and not all of them are applied and verified"),
                (Exit::Interrupted, "Interrupted by SIGINT, after the changes in flight; see the report"),
                (
                    Exit::Terminated,
                    "Terminated by SIGTERM, SIGHUP or SIGQUIT, after the changes in flight; see the report",
                ),
            ],
            environment: WITH_OUTPUTS,
            files: DEFAULT_FILE,
        },
        "drift" => Help {
            examples: &[
                "drift --strict",
                "drift tenants --out drift.md --out drift.prom",
                "drift --since drift.json --out drift.json",
                "drift --only B2C_1_signup/postFederationSignup",
            ],
            notes: &[
                "A flow or a connector that the file names and the tenant does not have is a difference, not an \
                 error.",
            ],
            exit_codes: &[
                (Exit::Done, "The tenants match their files, or with --new-only no difference is new"),
                (Exit::Error, "Invalid input or usage, or something could not be read"),
                (Exit::Differs, "A tenant differs from its file; with --new-only, a difference is new"),
            ],
            environment: WITH_OUTPUTS,
            files: DEFAULT_FILE,
        },
        "accept" => Help {
            examples: &["accept", "accept --only B2C_1_signup/postFederationSignup --write"],
            notes: &[
                "stdout has a unified diff. Comments, order, quotes and line ends of the files stay.",
                "A value that a base has is overridden in the file of the tenant.",
            ],
            exit_codes: &[
                (Exit::Done, "The files are written, or there is nothing to accept"),
                (
                    Exit::Error,
                    "Invalid input or usage, something could not be read, or a file cannot take a value",
                ),
                (Exit::Differs, "Without --write: the files would change"),
            ],
            environment: WITH_TENANT,
            files: DEFAULT_FILE,
        },
        "compare" => Help {
            examples: &[
                "compare tenants/test.yaml tenants/prod.yaml",
                "compare before.json after.json --detailed-exitcode",
                "compare - snapshot.json --out compare.md",
            ],
            notes: &[
                "Files are merged with their bases. Connectors are compared by displayName, and without a unique one by \
                 id. A step with `null` and one that is not mentioned are equal; `protect` and `hold` do not count.",
            ],
            exit_codes: &[
                (Exit::Done, "The files were compared"),
                (Exit::Error, "A file is invalid or cannot be read, or invalid usage"),
                (Exit::Differs, "With --detailed-exitcode: the files differ"),
            ],
            environment: &[TIME, NO_COLOR],
            ..OTHER
        },
        "show" => Help {
            examples: &[
                "show plan.json --format html",
                "show drift.json --out drift.md",
                "show shard-1.json shard-2.json --out plan.md",
            ],
            exit_codes: &[
                (Exit::Done, "The run succeeded: no drift, or a plan, which may have changes"),
                (Exit::Error, "A file is invalid or cannot be read, or the run could not read something"),
                (Exit::Differs, "Drift, new or known, or with --detailed-exitcode a plan with changes"),
                (Exit::Refused, "A guard blocks the plan, or blocked the apply"),
                (Exit::Incomplete, "The report lists changes that are not applied and verified"),
                (Exit::Interrupted, "The apply was interrupted by SIGINT"),
                (Exit::Terminated, "The apply was terminated by SIGTERM, SIGHUP or SIGQUIT"),
            ],
            environment: &[GITHUB, WORKSPACE, NO_COLOR],
            ..OTHER
        },
        "whoami" => Help {
            examples: &["whoami", "whoami tenants --auth azure-cli", "whoami --for apply"],
            notes: &[
                "Without FILES and flowbind.yaml, the tenant of AZURE_TENANT_ID is used.",
                "The permissions of an opaque token are unknown, so --for accepts it.",
            ],
            exit_codes: &[
                (Exit::Done, "The credential is usable, with --for also for that command"),
                (
                    Exit::Error,
                    "No usable credential, a token for another tenant, invalid input or usage; with --for also an \
                     expired token or one that lacks a permission",
                ),
            ],
            environment: WITH_TENANT,
            files: DEFAULT_FILE,
        },
        "explain" => Help {
            examples: &["explain stale-plan", "explain"],
            exit_codes: &[(Exit::Done, "Done"), (Exit::Error, "Unknown id")],
            ..OTHER
        },
        "sandbox" => Help {
            examples: &["sandbox tenant.json --listen 127.0.0.1:8080 --latency 50 --fail 0.05"],
            exit_codes: &[
                (Exit::Done, "Stopped by SIGINT, SIGTERM, SIGHUP or SIGQUIT"),
                (Exit::Error, "Invalid snapshot or usage, or the address is in use"),
            ],
            ..OTHER
        },
        "schema" => Help { examples: &["schema desired > desired.schema.json"], ..OTHER },
        "completions" => Help {
            examples: &[
                "completions bash > /etc/bash_completion.d/flowbind",
                "completions zsh > ~/.zfunc/_flowbind",
                "completions fish > ~/.config/fish/completions/flowbind.fish",
                "completions powershell > flowbind.ps1",
            ],
            ..OTHER
        },
        "man" => Help {
            examples: &["man /usr/local/share/man/man1", "man > flowbind.1"],
            environment: &[(
                "SOURCE_DATE_EPOCH",
                "Date of the pages, in seconds since 1970; otherwise today",
            )],
            ..OTHER
        },
        _ => OTHER,
    }
}
