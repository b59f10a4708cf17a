//! Credentials against fake token endpoints, issuers and a Graph that accepts only their tokens, over HTTPS
//! on loopback.

// `az` is a shell script, and its processes are seen by `kill`.
#[cfg(unix)]
mod azure_cli;
mod clouds;
mod foreign;
mod kinds;
mod network;
mod permissions;
mod renewal;
mod whoami;

use std::path::Path;

use crate::support::entra::{APP, Entra};
use crate::support::{Flowbind, executable, file, flowbind, path_after, tenant, yaml_binding_connector_1};

/// Tenant that most tests sign in to, as (domain, GUID).
const CONTOSO: (&str, &str) = ("contoso.onmicrosoft.com", "8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11");
const FABRIKAM: (&str, &str) = ("fabrikam.onmicrosoft.com", "11111111-2222-4333-8444-555555555555");

/// Starts two tenants with one flow each.
fn entra() -> Entra {
    let tenants = [CONTOSO, FABRIKAM].map(|(domain, guid)| (domain, guid, tenant(&[("B2C_1_a", 0, 0)])));
    Entra::serve(tenants.into())
}

/// Writes a file with one change. The client id comes from the environment of [`run_in`].
fn write_file_with_one_change(folder: &Path) {
    file(folder, "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
}

/// Prepares a run in a folder, with the client id in the environment.
fn run_in(folder: &Path, args: &[&str]) -> Flowbind {
    flowbind(args).within(folder).env("AZURE_CLIENT_ID", APP)
}

/// Writes a fake `az`, which prints these texts and ends with this exit code. It records its arguments in the same
/// folder.
fn az(folder: &Path, stdout: &str, stderr: &str, code: i32) {
    file(folder, "stdout", stdout);
    file(folder, "stderr", stderr);
    #[cfg(unix)]
    az_script(folder, &format!("cd '{}'\ncat stdout\ncat stderr >&2\nexit {code}", folder.display()));
    #[cfg(windows)]
    file(
        folder,
        "az.cmd",
        format!(
            "@echo off\r\n>>\"%~dp0asked\" echo %*\r\ntype \"%~dp0stdout\"\r\n\
             type \"%~dp0stderr\" >&2\r\nexit {code}\r\n"
        ),
    );
}

/// Writes a fake `az` that is a shell script. It records its arguments in the same folder.
#[cfg(unix)]
fn az_script(folder: &Path, script: &str) {
    let text = format!("#!/bin/sh\necho \"$@\" >> \"{}/asked\"\n{script}\n", folder.display());
    executable(folder, "az", &text);
}

fn with_az(run: Flowbind, folder: &Path) -> Flowbind {
    run.env("PATH", &path_after(folder))
}
