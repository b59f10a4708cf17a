//! Machine with the folders and the user of an example: a container or a host.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{executable, folder, kept_variables};

/// Root file system in which an example runs with its own paths and as its own user.
///
/// Needs a mount namespace. If the system allows none, as in most containers, the paths of the folders replace those
/// of the example. Only root can change to the user of the example. Any other user runs it as itself.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    /// Options of `unshare` that create a mount namespace; `None` if there can be none.
    namespace: Option<&'static [&'static str]>,
    /// Folder of the test, and its path in the machine.
    mounts: Vec<(PathBuf, &'static str)>,
    /// Whether the test runs as root, and so can change to another user.
    is_root: bool,
    user: u32,
    group: u32,
}

/// Mounts the folders of this system without `/etc` and `/var`, then pairs of folders and paths, and runs a command in
/// the result. The root directory is writable for its owner only.
const ENTER: &str = r#"
root=$1 pairs=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$root"
for entry in /*; do
  if [ "$entry" = /etc ] || [ "$entry" = /var ]; then continue; fi
  if [ -L "$entry" ]; then cp -P "$entry" "$root$entry"
  elif [ -d "$entry" ]; then mkdir "$root$entry" && mount --rbind "$entry" "$root$entry"; fi
done
while [ "$pairs" -gt 0 ]; do
  mkdir -p "$root$2" && mount --bind "$1" "$root$2"
  shift 2
  pairs=$((pairs - 1))
done
exec /usr/sbin/chroot "$root" "$@"
"#;

impl Machine {
    /// Creates a machine whose `flowbind`, in a folder that systemd searches, uses these snapshots as tenants.
    pub(super) fn new(user: u32, group: u32, snapshots: &[PathBuf]) -> Self {
        let folder = folder();
        // Another user than that of the test reads the files.
        set_mode(folder.path(), 0o755);
        let is_root = fs::metadata(folder.path()).unwrap().uid() == 0;
        let namespace: &[&str] = if is_root { &["--mount"] } else { &["--mount", "--map-root-user"] };
        // Some systems allow the namespace, but no mount in it.
        let mount = ["mount", "-t", "tmpfs", "tmpfs", "/tmp"];
        let tried = Command::new("unshare").args(namespace).args(mount).output();
        let namespace = tried.is_ok_and(|output| output.status.success()).then_some(namespace);
        let mut machine = Self { folder, namespace, is_root, mounts: Vec::new(), user, group };
        let bin = machine.mount("bin", "/usr/local/bin", 0o755);
        let sandbox = machine.mount("sandbox", "/sandbox", 0o755);
        for snapshot in snapshots {
            let to = sandbox.join(snapshot.file_name().unwrap());
            fs::copy(snapshot, &to).unwrap();
            set_mode(&to, 0o644);
        }
        let binary = bin.join("flowbind-binary");
        fs::hard_link(env!("CARGO_BIN_EXE_flowbind"), &binary)
            .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_flowbind"), &binary).map(drop))
            .unwrap();
        let flowbind = "#!/bin/sh\nfor tenant in /sandbox/*.json; do set -- \"$@\" --sandbox \"$tenant\"; done\n\
                        exec /usr/local/bin/flowbind-binary \"$@\"\n";
        executable(&bin, "flowbind", &machine.local(flowbind));
        fs::create_dir(machine.path("root")).unwrap();
        machine
    }

    /// Returns the path of a folder of the test.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates a folder at a path of the machine.
    pub(super) fn mount(&mut self, name: &str, at: &'static str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        set_mode(&path, mode);
        self.mounts.push((path.clone(), at));
        path
    }

    /// Creates a folder that the user owns, such as a state directory of systemd.
    pub(super) fn mount_owned(&mut self, name: &str, at: &'static str) -> PathBuf {
        let path = self.mount(name, at, 0o755);
        if self.is_root {
            chown(&path, Some(self.user), Some(self.group)).unwrap();
        }
        path
    }

    /// Creates a folder of root that the group can write to, such as a volume of Kubernetes with `fsGroup`.
    pub(super) fn mount_for_group(&mut self, name: &str, at: &'static str) -> PathBuf {
        let path = self.mount(name, at, 0o2775);
        if self.is_root {
            chown(&path, None, Some(self.group)).unwrap();
            set_mode(&path, 0o2775);
        }
        path
    }

    /// Creates a folder with files as the kubelet mounts a ConfigMap: each file is a link through `..data`.
    pub(super) fn mount_config_map(&mut self, at: &'static str, files: &[PathBuf]) {
        let folder = self.mount("config-map", at, 0o755);
        let version = folder.join("..2026_11_02_08_00_00.1234567890");
        fs::create_dir(&version).unwrap();
        set_mode(&version, 0o755);
        symlink(version.file_name().unwrap(), folder.join("..data")).unwrap();
        for file in files {
            let name = file.file_name().unwrap();
            fs::copy(file, version.join(name)).unwrap();
            set_mode(&version.join(name), 0o644);
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
    }

    /// Runs a command line in a folder of the machine. Returns the exit code, and stdout and stderr.
    pub(super) fn run(&self, folder: &str, words: &[&str], env: &BTreeMap<&str, String>) -> (i32, String) {
        let mut command = Command::new(if self.namespace.is_some() { "unshare" } else { "env" });
        if let Some(namespace) = self.namespace {
            command.args(namespace).args(["sh", "-euc", ENTER, "sh"]).arg(self.path("root"));
            command.arg(self.mounts.len().to_string());
            for (from, to) in &self.mounts {
                command.args([from.as_os_str(), OsStr::new(to)]);
            }
        }
        if self.is_root {
            let ids = [format!("--reuid={}", self.user), format!("--regid={}", self.group)];
            command.arg("setpriv").args(ids).args(["--clear-groups", "--no-new-privs"]);
        }
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\"", &self.local(folder)]);
        command.args(words.iter().map(|word| self.local(word)));
        let path = self.local("/usr/local/bin") + ":/usr/bin:/bin:/usr/sbin:/sbin";
        command.env_clear().envs(kept_variables()).env("PATH", path).env("SOURCE_DATE_EPOCH", "1793606400");
        let output = command.envs(env).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
    }

    /// Without a namespace, replaces the paths of the machine by those of the test.
    fn local(&self, text: &str) -> String {
        let mounts = self.mounts.iter().filter(|_| self.namespace.is_none());
        mounts.fold(text.to_owned(), |text, (from, to)| text.replace(to, &from.display().to_string()))
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
