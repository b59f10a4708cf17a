//! What a system may lack, such as a container: threads, open files, certificate authorities.

use std::fs;
use std::process::Command;

use crate::output_files::Machine;
use crate::support::{Outcome, file, folder, tenant, yaml_binding_connector_1};

/// Threads count as processes of their user. A panic would have no report.
#[test]
fn run_at_the_limit_of_threads_is_an_error_or_succeeds() {
    // The limit does not apply to root, and any other user may have more processes.
    let Some(machine) = Machine::new().filter(|machine| machine.is_root) else { return };
    file(machine.folder.path(), "d/one.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    file(machine.folder.path(), "d/two.yaml", "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {}\n");
    let mut ids = Vec::new();
    for threads in 1..=6 {
        for args in
            ["d --sandbox tenant.json", "flowbind.yaml --graph-url http://localhost:9/beta --timeout 2"]
        {
            let script = format!(
                "export FLOWBIND_ACCESS_TOKEN=t; exec setpriv --reuid=65533 --regid=65533 --clear-groups \
                 prlimit --nproc={threads} ./flowbind plan {args}"
            );
            let outcome = Outcome::from(machine.command_after(&script).output().unwrap());
            let id = outcome.stderr.split("error[").nth(1).and_then(|rest| rest.split(']').next());
            assert_eq!(outcome.code, i32::from(id.is_some()), "{threads}: {outcome}");
            assert!(!outcome.panicked(), "{threads}: {outcome}");
            ids.push(id.unwrap_or("none").to_owned());
        }
    }
    let ids = |from: usize| ids.iter().skip(from).step_by(2).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(ids(0).last(), Some(&"none"), "enough threads for a plan");
    for ids in [ids(0), ids(1)] {
        assert_eq!(ids.first(), Some(&"system"));
        assert!(ids.iter().all(|id| ["system", "graph-unreachable", "none"].contains(id)), "{ids:?}");
    }
}

/// An image with the program alone has no shell.
#[test]
fn system_without_a_shell_cannot_run_az() {
    let Some(machine) = Machine::new() else { return };
    let script = "[ -L /bin ] || mount -t tmpfs tmpfs /bin\nmount -t tmpfs tmpfs /usr/bin\n\
                  exec ./flowbind plan --auth azure-cli --graph-url http://127.0.0.1:9/beta";
    let outcome = Outcome::from(machine.command_after(script).output().unwrap());
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("azure-cli: this system has no shell to run `az`\n"), "{outcome}");
}

/// A shell on macOS allows 256 files by default.
#[test]
fn limit_of_open_files_is_raised_for_many_tenants() {
    let folder = folder();
    fs::create_dir(folder.path().join("tenants")).unwrap();
    let mut args = Vec::new();
    for number in 0..20 {
        let (name, domain) = (format!("{number}.json"), format!("tenant{number}.onmicrosoft.com"));
        let snapshot = tenant(&[("B2C_1_a", 2, 2)]).to_json();
        file(folder.path(), &name, snapshot.replace("contoso.onmicrosoft.com", &domain));
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("contoso.onmicrosoft.com", &domain);
        file(folder.path(), &format!("tenants/{number}.yaml"), yaml);
        args.extend(["--sandbox".to_owned(), name]);
    }
    let outcome: Outcome = Command::new("/bin/sh")
        .args(["-c", "ulimit -S -n 32; exec \"$0\" plan tenants \"$@\"", env!("CARGO_BIN_EXE_flowbind")])
        .args(args)
        .current_dir(folder.path())
        .output()
        .unwrap()
        .into();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!outcome.stderr.contains("WARN"), "{outcome}");
}

#[test]
fn system_without_certificate_authorities_is_one_error() {
    let Some(machine) = Machine::new() else { return };
    let script = "unset SSL_CERT_FILE SSL_CERT_DIR\n\
                  export FLOWBIND_ACCESS_TOKEN=t AZURE_AUTHORITY_HOST=https://login.invalid\n\
                  for store in /etc/ssl /etc/pki; do [ ! -d $store ] || mount -t tmpfs tmpfs $store; done\n\
                  exec ./flowbind plan --graph-url https://graph.invalid/beta";
    let outcome = Outcome::from(machine.command_after(script).output().unwrap());
    assert_eq!(outcome.code, 1, "{outcome}");
    let error = "error[trust-store-unusable]: no certificate authorities on this system\n  \
                 = hint: install the package `ca-certificates`, or set `SSL_CERT_FILE`";
    assert!(outcome.stderr.contains(error), "{outcome}");
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
}
