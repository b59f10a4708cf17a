//! The action of GitHub Actions: its inputs, where it finds flowbind, and how it ends.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowbind::sandbox::{Effect, Fault, Options};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Repository;
use crate::support::{
    Running, SandboxServer, Start as _, executable, file, package, serve, signal, tenant, wait_until,
    yaml_binding_connector_1,
};

pub(super) fn action() -> Value {
    serde_yaml::from_str(&fs::read_to_string(package("action.yml")).unwrap()).unwrap()
}

fn variables(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns the shell of a step.
fn script(step: usize) -> String {
    action()["runs"]["steps"][step]["run"].as_str().unwrap().to_owned()
}

#[test]
fn inputs_are_split_and_expanded_but_not_evaluated() {
    let repository = Repository::new();
    let at = repository.folder.path();
    executable(&at.join("bin"), "flowbind", "#!/bin/bash\nprintf '%s\\n' \"$@\" > \"$STATE/arguments\"\n");
    let work = at.join("work");
    for folder in ["tenants", "my tenants", "t[1]"] {
        fs::create_dir(work.join(folder)).unwrap();
        for name in ["a.yaml", "b.yaml"] {
            file(&work.join(folder), name, "");
        }
    }
    let run = |files: &str, args: &str| {
        fs::remove_file(repository.state("arguments")).unwrap_or_default();
        let env = variables(&[("COMMAND", "plan"), ("FILES", files), ("ARGS", args)]);
        let (code, log, _) = repository.shell_code(&script(1), &env);
        match fs::read_to_string(repository.state("arguments")) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect::<Vec<_>>()),
            Err(_) => Err((code, log)),
        }
    };
    let accepted: &[(&str, &str, &[&str], &[&str])] = &[
        ("flowbind.yaml", "", &[], &["flowbind.yaml"]),
        ("", "", &[], &[]),
        (
            "a.yaml\nb.yaml\n",
            "--out x.md\n--max-changes 3\n",
            &["--out", "x.md", "--max-changes", "3"],
            &["a.yaml", "b.yaml"],
        ),
        ("\r\n a.yaml\r\n\r\n\tb.yaml \r\n", "--strict\r\n", &["--strict"], &["a.yaml", "b.yaml"]),
        (
            "\"my file.yaml\" 'it\"s.yaml' c' 'd",
            "'' \"'\"",
            &["", "'"],
            &["my file.yaml", "it\"s.yaml", "c d"],
        ),
        ("tenants/*.yaml", "tenants/*", &["tenants/*"], &["tenants/a.yaml", "tenants/b.yaml"]),
        ("tenants/?.yaml tenants/[b].yaml", "", &[], &["tenants/a.yaml", "tenants/b.yaml", "tenants/b.yaml"]),
        ("\"my tenants\"/b* my?tenants/a*", "", &[], &["my tenants/b.yaml", "my tenants/a.yaml"]),
        ("'tenants/*' \"t[1]\"/a* 't[1]'", "", &[], &["tenants/*", "t[1]/a.yaml", "t[1]"]),
        ("a\\b.yaml -x ~/a.yaml $HOME", "", &[], &["a\\b.yaml", "-x", "~/a.yaml", "$HOME"]),
        (
            "$(touch$IFS./hacked) `touch hacked`",
            "; touch hacked & | > hacked $(touch hacked)",
            &[";", "touch", "hacked", "&", "|", ">", "hacked", "$(touch", "hacked)"],
            &["$(touch$IFS./hacked)", "`touch", "hacked`"],
        ),
    ];
    for (files, args, options, paths) in accepted {
        let expected = [&["plan"], *options, &["--format", "github", "--"], *paths].concat();
        assert_eq!(run(files, args).unwrap(), expected, "{files:?} {args:?}");
    }
    for (files, args, message) in [
        ("\"my file.yaml", "", "`files` has a quote without an end in its line: \"my file.yaml"),
        ("a'b.yaml\nc'd.yaml", "", "`files` has a quote without an end in its line: 'ab.yaml"),
        ("a", "--out 'x", "`args` has a quote without an end in its line: 'x"),
        ("none/*.yaml", "", "`files` has a pattern without a file: none/*.yaml"),
        ("50%0A::x::*", "", "`files` has a pattern without a file: 50%250A::x::*"),
        ("$(touch hacked)*", "", "`files` has a pattern without a file: hacked)*"),
    ] {
        let (code, log) = run(files, args).unwrap_err();
        assert_eq!(
            (code, log.as_str()),
            (1, &*format!("::error title=flowbind was not started::{message}\n"))
        );
    }
    assert!(!work.join("hacked").exists());
}

/// Runner with a release of this version, which `curl` downloads.
struct Runner {
    repository: Repository,
    env: BTreeMap<String, String>,
    archive: String,
}

impl Runner {
    fn new(os: &str, arch: &str, archive: &str) -> Self {
        let repository = Repository::new();
        let at = repository.folder.path();
        let bin = at.join("bin");
        fs::remove_file(bin.join("flowbind")).unwrap();
        let curl = "#!/bin/bash\necho \"$*\" >> \"$STATE/curl.log\"\n\
             cp \"$STATE/release/${@: -2:1}\" . || exit 22\n";
        executable(&bin, "curl", curl);
        executable(&bin, "cargo", "#!/bin/bash\necho \"$*\" > \"$STATE/cargo.log\"\n");
        // Debian and macOS have no common program that writes ZIP files.
        executable(&bin, "unzip", "#!/bin/bash\ntar -xzf \"${!#}\"\n");
        let temp = at.join(if os == "Windows" { "D:\\a\\_temp" } else { "temp" });
        let version = env!("CARGO_PKG_VERSION");
        let env = variables(&[
            ("RUNNER_OS", os),
            ("RUNNER_ARCH", arch),
            ("RUNNER_TEMP", temp.to_str().unwrap()),
            ("VERSION", version),
            ("REPOSITORY", "OWNER/flowbind"),
        ]);
        let release = repository.state("release");
        let name = archive.trim_end_matches(".zip").trim_end_matches(".tar.gz");
        fs::create_dir_all(release.join(name)).unwrap();
        executable(&release.join(name), "flowbind", &format!("#!/bin/bash\necho flowbind {version}\n"));
        let packed = Command::new("tar").args(["-czf", archive, name]).current_dir(&release).status();
        assert!(packed.unwrap().success());
        let sum: String = Sha256::digest(fs::read(release.join(archive)).unwrap())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        file(&release, "SHA256SUMS", format!("{}  other\n{sum}  {archive}\n", "0".repeat(64)));
        Self { repository, env, archive: archive.to_owned() }
    }

    fn linux() -> Self {
        Self::new("Linux", "X64", &linux_archive())
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a flowbind of a version on the path.
    fn with_installed(self, version: &str) -> Self {
        let bin = self.repository.folder.path().join("bin");
        executable(&bin, "flowbind", &format!("#!/bin/bash\necho flowbind {version}\n"));
        self
    }

    fn without(self, name: &str) -> Self {
        fs::remove_file(self.repository.state("release").join(name)).unwrap();
        self
    }

    /// Installs flowbind. Returns whether that succeeded, and the log.
    fn install(&self) -> (bool, String) {
        let (succeeded, log, _) = self.repository.shell(&script(0), &self.env);
        (succeeded, log)
    }

    fn log(&self, program: &str) -> Option<String> {
        fs::read_to_string(self.repository.state(&format!("{program}.log"))).ok()
    }

    /// Returns the folder that was added to the path, relative to that for temporary files.
    fn added(&self) -> Option<String> {
        let path = fs::read_to_string(self.repository.folder.path().join("path")).ok()?;
        Some(path.strip_prefix(&self.env["RUNNER_TEMP"]).unwrap().trim_end().to_owned())
    }
}

fn linux_archive() -> String {
    format!("flowbind-{}-x86_64-unknown-linux-musl.tar.gz", env!("CARGO_PKG_VERSION"))
}

#[test]
fn install_on_a_known_runner_downloads_its_archive() {
    let version = env!("CARGO_PKG_VERSION");
    for (os, arch, archive) in [
        ("Linux", "X64", "x86_64-unknown-linux-musl.tar.gz"),
        ("Linux", "ARM64", "aarch64-unknown-linux-musl.tar.gz"),
        ("macOS", "X64", "x86_64-apple-darwin.tar.gz"),
        ("macOS", "ARM64", "aarch64-apple-darwin.tar.gz"),
        ("Windows", "X64", "x86_64-pc-windows-msvc.zip"),
    ] {
        let runner = Runner::new(os, arch, &format!("flowbind-{version}-{archive}"));
        let (succeeded, log) = runner.install();
        assert!(succeeded, "{log}");
        let release = format!("https://github.com/OWNER/flowbind/releases/download/v{version}");
        assert!(log.contains(&format!("\nUsing flowbind from {release}/{}\n", runner.archive)), "{log}");
        let name = runner.archive.trim_end_matches(".zip").trim_end_matches(".tar.gz");
        assert_eq!(runner.added().unwrap(), format!("/flowbind-{version}/{name}"));
        let curl = runner.log("curl").unwrap();
        assert_eq!(curl.lines().count(), 2, "{curl}");
        assert!(curl.lines().all(|line| line.contains("--max-time ") && line.contains(&release)), "{curl}");
        assert_eq!(runner.log("cargo"), None);
        // The colon of a drive separates folders elsewhere.
        if os == "Windows" {
            continue;
        }
        // The next use of the action in the job needs no download.
        let (succeeded, log) = runner.install();
        assert!(succeeded && log.starts_with("Using flowbind from "), "{log}");
        assert_eq!(runner.log("curl").unwrap(), curl);
    }
}

#[test]
fn install_without_an_archive_compiles_and_prints_why() {
    let (linux, version) = (linux_archive(), env!("CARGO_PKG_VERSION"));
    let release = |owner: &str| format!("https://github.com/{owner}/releases/download/v{version}");
    let ours = release("OWNER/flowbind");
    for (runner, reason) in [
        (Runner::new("Linux", "RISCV64", &linux), "flowbind is not released for Linux on RISCV64".into()),
        (Runner::new("Windows", "ARM64", &linux), "flowbind is not released for Windows on ARM64".into()),
        (Runner::linux().without("SHA256SUMS"), format!("{ours}/SHA256SUMS cannot be downloaded")),
        (Runner::linux().without(&linux), format!("{ours}/{linux} cannot be downloaded")),
        (
            Runner::linux().set("RUNNER_ARCH", "ARM64"),
            format!("{ours} has no {}", linux.replace("x86_64", "aarch64")),
        ),
        // A copy of the action in the user's repository.
        (
            Runner::linux().without("SHA256SUMS").set("REPOSITORY", ""),
            format!("{}/SHA256SUMS cannot be downloaded", release("contoso/identity")),
        ),
    ] {
        let (succeeded, log) = runner.install();
        assert!(succeeded, "{log}");
        assert!(
            log.contains(&format!("::warning title=flowbind is compiled for minutes::{reason}\n")),
            "{log}"
        );
        let folder = format!("{}/flowbind-{version}", runner.env["RUNNER_TEMP"]);
        let command = format!("install --locked --version {version} flowbind --root {folder}\n");
        assert_eq!(runner.log("cargo").unwrap(), command);
        assert_eq!(runner.added().unwrap(), format!("/flowbind-{version}/bin"));
    }
    let runner = Runner::linux().without("SHA256SUMS");
    let bin = runner.repository.folder.path().join("bin");
    fs::remove_file(bin.join("cargo")).unwrap();
    // No other folder, which could have cargo.
    for program in ["bash", "mkdir"] {
        symlink(Path::new("/bin").join(program), bin.join(program)).unwrap();
    }
    let (succeeded, log) = runner.set("PATH", bin.to_str().unwrap()).install();
    assert!(!succeeded && log.contains("and cargo is not installed to compile it"), "{log}");
}

#[test]
fn install_with_another_checksum_is_an_error() {
    let runner = Runner::linux();
    let archive = runner.repository.state("release").join(&runner.archive);
    fs::write(&archive, [fs::read(&archive).unwrap(), b"x".to_vec()].concat()).unwrap();
    let (succeeded, log) = runner.install();
    assert!(!succeeded && log.contains("::error title=flowbind is not installed::the checksum of "), "{log}");
    assert_eq!((runner.log("cargo"), runner.added()), (None, None));
}

#[test]
fn installed_flowbind_is_used_only_if_its_version_is_right() {
    let version = env!("CARGO_PKG_VERSION");
    for (installed, wanted, is_used) in
        [(version, version, true), ("0.0.1", version, false), ("0.0.1", "", true)]
    {
        let runner = Runner::linux().with_installed(installed).set("VERSION", wanted);
        let (succeeded, log) = runner.install();
        assert!(succeeded, "{log}");
        let path = runner.repository.folder.path().join("bin/flowbind");
        assert_eq!(log == format!("Using flowbind from {}\n", path.display()), is_used, "{log}");
        assert_eq!(runner.log("curl").is_none(), is_used, "{log}");
    }
    let hostile =
        ["1.0", "../1.0.0", "1.0.0/../x", "1.0.0;touch hacked", "$(touch hacked)", "1.0.0\n1.0.0", "v1.0.0"];
    for wanted in hostile.into_iter().chain([""]) {
        let runner = Runner::linux().set("VERSION", wanted);
        let (succeeded, log) = runner.install();
        assert!(
            !succeeded && log.starts_with("::error title=flowbind is not installed::"),
            "{wanted:?}: {log}"
        );
        assert_eq!((log.lines().count(), runner.log("curl"), runner.log("cargo")), (1, None, None), "{log}");
        assert!(!runner.repository.folder.path().join("work/hacked").exists());
    }
}

const FLOWS: [&str; 6] = ["B2C_1_a", "B2C_1_b", "B2C_1_c", "B2C_1_d", "B2C_1_e", "B2C_1_f"];

/// Starts the action's apply of a change in every flow.
fn start_apply(repository: &Repository, served: &SandboxServer) -> Running {
    let at = repository.folder.path();
    file(&at.join("work"), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    let flowbind = format!("#!/bin/bash\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_flowbind"));
    executable(&at.join("bin"), "flowbind", &flowbind);
    let args = format!("--yes --parallelism 1 --out report.json\n--graph-url {}", served.graph_url());
    let env = variables(&[
        ("COMMAND", "apply"),
        ("FILES", "flowbind.yaml"),
        ("ARGS", &args),
        ("FLOWBIND_ACCESS_TOKEN", "opaque-token"),
    ]);
    let mut command = repository.shell_command(&script(1), &env);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).start()
}

/// Stops a step like a runner, which sends signals to the shell alone. Returns the exit code; `None` if the shell had to
/// be killed.
fn cancel(child: &mut Child, signals: &[(&str, u64)]) -> Option<i32> {
    for (name, milliseconds) in signals {
        signal(child, name);
        let deadline = Instant::now() + Duration::from_millis(*milliseconds);
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// What a runner does: <https://docs.github.com/en/actions/reference/workflow-cancellation-reference>.
const CANCELLATION: [(&str, u64); 2] = [("INT", 7_500), ("TERM", 2_500)];

#[test]
fn cancelled_apply_ends_with_its_report_and_its_outputs() {
    let slow = || Options { latency: Duration::from_millis(120), ..Options::default() };
    // Every request after the reads hangs, so the run ends after its time for changes in flight.
    let hang =
        Fault { method: None, path_contains: String::new(), skip: 8, times: None, effect: Effect::Hang };
    let hanging = Options { faults: vec![hang], ..Options::default() };
    for (options, signals, code, in_flight) in [
        (slow(), &CANCELLATION[..], 130, "applied"),
        (slow(), &[("TERM", 60_000)], 143, "applied"),
        (hanging, &CANCELLATION, 130, "unverified"),
    ] {
        let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options);
        let repository = Repository::new();
        let mut child = start_apply(&repository, &served);
        wait_until("a PUT arrives", || served.puts() >= 1);
        assert_eq!(cancel(&mut child, signals), Some(code), "{signals:?}");
        let report = fs::read_to_string(repository.folder.path().join("work/report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let changes = report["targets"][0]["changes"].as_array().unwrap();
        let count = |outcome: &str| changes.iter().filter(|change| change["outcome"] == outcome).count();
        assert_eq!(count(in_flight), served.puts(), "{report}");
        assert_eq!(count(in_flight) + count("not-attempted"), FLOWS.len(), "{report}");
        assert!(count("not-attempted") > 0, "{report}");
        assert_eq!(repository.outputs()["code"], code.to_string());
    }
}
