//! Who a run is, in which tenant and cloud, and what it may: every credential against token
//! endpoints, issuers and a Graph that takes only their tokens, over https on loopback.

mod azure_cli;
mod clouds;
mod kinds;
mod network;
mod permissions;
mod renewal;
mod whoami;

use std::path::Path;

use crate::support::entra::{APP, Entra};
use crate::support::{Flowbind, file, flowbind, tenant, yaml_binding_connector_1};

/// The tenant that most tests sign in to.
const CONTOSO: (&str, &str) = ("contoso.onmicrosoft.com", "8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11");
const FABRIKAM: (&str, &str) = ("fabrikam.onmicrosoft.com", "11111111-2222-4333-8444-555555555555");

/// Two tenants with one flow each.
fn entra() -> Entra {
    let tenants = [CONTOSO, FABRIKAM].map(|(domain, guid)| (domain, guid, tenant(&[("B2C_1_a", 0, 0)])));
    Entra::serve(tenants.into())
}

/// A file that wants one change, signed in to as [`APP`] where it does not say otherwise.
fn wants_one_change(folder: &Path) {
    file(folder, "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
}

/// A run within a folder, with the app of the environment.
fn run_in(folder: &Path, args: &[&str]) -> Flowbind {
    flowbind(args).within(folder).env("AZURE_CLIENT_ID", APP)
}

/// A stand-in for `az` on the PATH, which notes its arguments beside itself.
fn az(folder: &std::path::Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path =
        file(folder, "az", format!("#!/bin/sh\necho \"$@\" >> \"{}/asked\"\n{script}\n", folder.display()));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn with_az(run: Flowbind, folder: &std::path::Path) -> Flowbind {
    run.env("PATH", &format!("{}:/usr/bin:/bin", folder.display()))
}
