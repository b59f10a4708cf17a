//! Output files and snapshots that cannot be replaced: they are overwritten, or the run ends before it starts.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use flowbind::snapshot::Snapshot;

use crate::support::{Outcome, file, folder, kept_variables, signal, tenant, yaml_binding_connector_1};

/// Runs flowbind after a shell script in a mount namespace. The script and the run are in a folder with
/// `flowbind.yaml`, `tenant.json`, `host.json`, `r.json` and a folder `d`. With `is_other_user`, the run is that of
/// another user than the owner of the files.
pub struct Machine {
    pub folder: tempfile::TempDir,
    namespace: &'static [&'static str],
    pub is_root: bool,
}

impl Machine {
    /// Creates the folder. Returns `None` if the system allows no mounts.
    pub fn new() -> Option<Self> {
        let folder = folder();
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        let namespace: &[&str] = if is_root { &["--mount"] } else { &["--mount", "--map-root-user"] };
        let mount = ["mount", "-t", "tmpfs", "tmpfs", "/tmp"];
        let tried = Command::new("unshare").args(namespace).args(mount).output();
        tried.is_ok_and(|output| output.status.success()).then_some(())?;
        fs::create_dir(folder.path().join("d")).unwrap();
        for (name, mode) in [(".", 0o755), ("d", 0o755)] {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
        file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 2, 2)]).to_json());
        for name in ["host.json", "r.json", "d/r.json"] {
            file(folder.path(), name, "");
        }
        let binary = folder.path().join("flowbind");
        fs::hard_link(env!("CARGO_BIN_EXE_flowbind"), &binary)
            .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_flowbind"), &binary).map(drop))
            .unwrap();
        Some(Self { folder, namespace, is_root })
    }

    fn run(&self, script: &str, is_other_user: bool, args: &str) -> Outcome {
        self.command(script, is_other_user, args).output().unwrap().into()
    }

    fn command(&self, script: &str, is_other_user: bool, args: &str) -> Command {
        let user = if is_other_user { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
        self.command_after(&format!("{script}\nexec {user} ./flowbind {args}"))
    }

    /// Creates the command that runs a shell script in the folder.
    pub fn command_after(&self, script: &str) -> Command {
        let script = format!("cd \"$0\"\n{script}");
        let mut command = Command::new("unshare");
        command.args(self.namespace).args(["sh", "-euc", &script]).arg(self.folder.path()).env_clear();
        command.envs(kept_variables()).env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command.env("SOURCE_DATE_EPOCH", "1793606400");
        command
    }

    fn content(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn is_applied(&self) -> bool {
        Snapshot::parse(&self.content("tenant.json")).unwrap() == tenant(&[("B2C_1_a", 1, 2)])
    }
}

const MOUNTED: &str = "mount --bind host.json r.json";
const MOUNTED_BY_LINK: &str = "mount --bind host.json d/r.json; rm r.json; ln -s d/r.json r.json";
const READ_ONLY_AROUND: &str = "mount --bind d d; mount -o remount,bind,ro d; mount --bind host.json d/r.json; \
                                rm r.json; ln -s d/r.json r.json";
const MOUNTED_READ_ONLY: &str = "mount --bind host.json r.json; mount -o remount,bind,ro r.json";
const READ_ONLY: &str = "mount --bind d d; mount -o remount,bind,ro d; rm r.json; ln -s d/r.json r.json";
const SNAPSHOT_READ_ONLY: &str =
    "cp tenant.json host.json; mount --bind host.json r.json; mount -o remount,bind,ro r.json";
/// Ends with `UNSUPPORTED` where only the administrator of the host can set the attribute, or the kernel lacks it.
const IMMUTABLE: &str = "mount -t tmpfs tmpfs d; touch d/r.json; chattr +i d/r.json || exit 77; rm r.json; \
                         ln -s d/r.json r.json";
const UNSUPPORTED: i32 = 77;
const IN_STICKY_FOLDER: &str = "chown 65534 tenant.json; chmod 1777 d; rm r.json; ln -s d/r.json r.json";

#[test]
fn output_that_cannot_be_replaced_is_overwritten() {
    let writable = format!("{IN_STICKY_FOLDER}; chmod 666 d/r.json");
    for (script, is_other_user, written) in [
        (MOUNTED, false, "host.json"),
        (MOUNTED_BY_LINK, false, "host.json"),
        (READ_ONLY_AROUND, false, "host.json"),
        (&writable, true, "d/r.json"),
    ] {
        for args in
            ["apply --yes --sandbox tenant.json --out r.json", "export --sandbox tenant.json --out r.json"]
        {
            let Some(machine) = Machine::new() else { return };
            if is_other_user && !machine.is_root {
                continue;
            }
            file(
                machine.folder.path(),
                written,
                if args.starts_with("apply") { "x".repeat(100_000) } else { String::new() },
            );
            let outcome = machine.run(script, is_other_user, args);
            assert_eq!(outcome.code, 0, "{script}: {outcome}");
            let content = machine.content(written);
            assert!(
                content.contains("B2C_1_a") && !content.contains('x'.to_string().repeat(9).as_str()),
                "{content}"
            );
            assert_eq!(machine.is_applied(), args.starts_with("apply"), "{script}: {outcome}");
        }
    }
}

#[test]
fn output_that_cannot_be_written_is_found_before_the_tenant_is_read() {
    let not_writable = format!("{MOUNTED}; chown 65534 . tenant.json");
    for (script, is_other_user) in [
        (MOUNTED_READ_ONLY, false),
        (READ_ONLY, false),
        (IMMUTABLE, false),
        (IN_STICKY_FOLDER, true),
        (&not_writable, true),
    ] {
        for args in
            ["apply --yes --sandbox tenant.json --out r.json", "export --sandbox tenant.json --out r.json"]
        {
            let Some(machine) = Machine::new() else { return };
            if is_other_user && !machine.is_root {
                continue;
            }
            let outcome = machine.run(script, is_other_user, args);
            if outcome.code == UNSUPPORTED {
                continue;
            }
            assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{script}: {outcome}");
            assert!(
                outcome.stderr.starts_with("error[output-not-writable]: cannot write `r.json`: "),
                "{outcome}"
            );
            assert!(!machine.is_applied());
        }
    }
}

#[test]
fn apply_with_a_snapshot_that_cannot_be_saved_is_one_error() {
    for (script, is_saved) in
        [("cp tenant.json host.json; mount --bind host.json r.json", true), (SNAPSHOT_READ_ONLY, false)]
    {
        let Some(machine) = Machine::new() else { return };
        let outcome = machine.run(script, false, "apply --yes --sandbox r.json");
        let saved = Snapshot::parse(&machine.content("host.json")).unwrap();
        assert_eq!(saved == tenant(&[("B2C_1_a", 1, 2)]), is_saved, "{outcome}");
        assert_eq!(outcome.code, if is_saved { 0 } else { 1 }, "{outcome}");
        let message = "error[output-not-writable]: cannot write `r.json`: Read-only file system";
        assert_eq!(outcome.stderr.matches(message).count(), usize::from(!is_saved), "{outcome}");
    }
}

#[test]
fn sandbox_with_a_snapshot_that_cannot_be_saved_warns_and_serves() {
    let Some(machine) = Machine::new() else { return };
    let mut command = machine.command(SNAPSHOT_READ_ONLY, false, "sandbox r.json");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    signal(&child, "TERM");
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(url.starts_with("http://127.0.0.1:"), "{url}: {outcome}");
    let warning = "warning[output-not-writable]: cannot write `r.json`: Read-only file system (os error 30)\n  = hint: \
                   changes are saved in the snapshot: pass a copy that can be written\n";
    assert!(outcome.stderr.starts_with(warning), "{outcome}");
}
