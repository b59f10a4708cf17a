//! Helpers of the integration tests: run the binary in a cleared environment, and start tenants to run
//! it against. `tests/README.md` lists them.

mod background;
mod command;
pub mod entra;
pub mod faulty_proxy;
pub mod graph_client;
pub mod https_server;
mod sandbox_server;
#[cfg(unix)]
mod unix;

pub use background::Background;
pub use command::{Flowbind, Outcome, Running, Start, exit_code, flowbind, kept_variables, path_after};
pub use sandbox_server::{SandboxServer, serve};
#[cfg(unix)]
pub use unix::{exists, named_pipe, run_at_terminal, signal, signal_process};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowbind::sandbox::{Effect, Fault};
use flowbind::snapshot::{Snapshot, Step};
use serde_json::Value;

/// Every output format with the extension of its expected file.
pub const FORMATS: [(&str, &str); 8] = [
    ("text", "txt"),
    ("json", "json"),
    ("markdown", "md"),
    ("diff", "diff"),
    ("github", "github"),
    ("junit", "xml"),
    ("html", "html"),
    ("prom", "prom"),
];

/// Polls until a condition is true. Fails after a minute, longer than a loaded machine needs.
pub fn wait_until(condition: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        assert!(Instant::now() < deadline, "not within a minute: {condition}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Returns the absolute path of a file in the package.
pub fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the path of a file below a folder, with `/` on every system.
pub fn path_below(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap().to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "/")
}

/// Creates a temporary folder, which is deleted when the value is dropped.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file and returns its path.
pub fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Writes an executable file, such as a shell script.
pub fn executable(folder: &Path, name: &str, text: &str) {
    let path = file(folder, name, text);
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    #[cfg(not(unix))]
    drop(path);
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { _ = std::fs::copy(&path, &to).unwrap() }
    }
}

/// Replaces messages of Windows by those of Unix, which the expected outputs have.
pub fn unix_messages(text: &str) -> String {
    if cfg!(unix) {
        return text.to_owned();
    }
    // No such file, no such folder in its path, and a file in place of a folder that is to be created.
    let messages = [
        (2, "No such file or directory (os error 2)"),
        (3, "No such file or directory (os error 2)"),
        (183, "Not a directory (os error 20)"),
    ];
    messages.iter().fold(text.to_owned(), |text, (code, message)| {
        text.replace(&std::io::Error::from_raw_os_error(*code).to_string(), message)
    })
}

/// Whether a command connects to a tenant, and so accepts connection options.
pub fn connects(command: &str) -> bool {
    ["plan", "apply", "accept", "drift", "export", "whoami"].contains(&command)
}

/// Returns the id of `Connector N` in the tenant of [`tenant`].
pub fn connector_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Creates a tenant with connectors `Connector 1` to `Connector 5` and these flows, each given as
/// `(id, connector at postFederationSignup, connector at postAttributeCollection)`, 0 for unbound.
pub fn tenant(flows: &[(&str, usize, usize)]) -> Snapshot {
    let bound = |number| if number == 0 { serde_json::Value::Null } else { connector_id(number).into() };
    let connectors: Vec<_> = (1..=5)
        .map(|number| {
            serde_json::json!({
                "id": connector_id(number),
                "displayName": format!("Connector {number}"),
                "targetUrl": "https://api.contoso.com/check",
            })
        })
        .collect();
    let flows: Vec<_> = flows
        .iter()
        .map(|(id, federation, attributes)| {
            serde_json::json!({
                "id": id,
                "userFlowType": "signUpOrSignIn",
                "userFlowTypeVersion": 3,
                "bindings": {
                    "postFederationSignup": bound(*federation),
                    "postAttributeCollection": bound(*attributes),
                },
            })
        })
        .collect();
    let snapshot = serde_json::json!({
        "formatVersion": "1",
        "tenant": "contoso.onmicrosoft.com",
        "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z",
        "connectors": connectors,
        "flows": flows,
    });
    Snapshot::parse(&snapshot.to_string()).unwrap()
}

/// Creates a tenant like [`tenant`] with `Connector 4` at `preTokenIssuance` of the first flow.
pub fn tenant_binding_third_step(flows: &[(&str, usize, usize)]) -> Snapshot {
    let mut snapshot = tenant(flows);
    snapshot.flows[0].bindings.insert(Step::PreTokenIssuance, Some(connector_id(4)));
    snapshot
}

/// Returns a desired-state file that binds `Connector 1` at `postFederationSignup` in each flow.
pub fn yaml_binding_connector_1(flows: &[impl std::fmt::Display]) -> String {
    let mut yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n".to_owned();
    for flow in flows {
        yaml.push_str(&format!("  {flow}:\n    postFederationSignup: Connector 1\n"));
    }
    yaml
}

/// Creates a fault for PUT requests to paths that contain `path`; with `times` 0 for all of them.
pub fn on_put(path: &str, times: u32, effect: Effect) -> Fault {
    let times = (times > 0).then_some(times);
    Fault { method: Some("PUT".into()), path_contains: path.into(), skip: 0, times, effect }
}

impl SandboxServer {
    /// Runs `plan` with this file and these arguments against the tenant.
    pub fn plan(&self, yaml: &str, args: &[&str]) -> Outcome {
        self.run("plan", yaml, args)
    }

    /// Runs `apply --yes` with this file and these arguments against the tenant. Also returns the
    /// report, `null` if none was written.
    pub fn apply(&self, yaml: &str, args: &[&str]) -> (Outcome, Value) {
        let folder = folder();
        let report = folder.path().join("report.json");
        let args = [&["--yes", "--out", report.to_str().unwrap()], args].concat();
        let outcome = self.run("apply", yaml, &args);
        let report = std::fs::read_to_string(report).unwrap_or("null".into());
        (outcome, serde_json::from_str(&report).unwrap())
    }

    /// Binds a connector at `postFederationSignup`, like a change in the portal during a run.
    pub fn bind_out_of_band(&self, flow: &str, connector: &str) {
        let yaml = yaml_binding_connector_1(&[flow]).replace("Connector 1", connector);
        assert_eq!(self.apply(&yaml, &[]).0.code, 0);
    }

    /// Runs a command with this file and these arguments against the tenant.
    pub fn run(&self, command: &str, yaml: &str, args: &[&str]) -> Outcome {
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml);
        flowbind([command]).args(args).connect_to(&self.graph_url()).within(folder.path()).run()
    }
}

/// Creates a fault that answers GET requests to paths that contain `path` with this response; with
/// `times` 0 all of them.
pub fn answer_get(path: &str, times: u32, status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault {
        method: Some("GET".into()),
        path_contains: path.into(),
        skip: 0,
        times: (times > 0).then_some(times),
        effect: Effect::Answer { status, headers, body: body.into() },
    }
}

/// Returns the fenced code blocks of a Markdown text, as (language, text).
pub fn code_blocks(markdown: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut rest = markdown;
    while let Some((_, fence)) = rest.split_once("\n```") {
        let (language, body) = fence.split_once('\n').unwrap();
        let (text, after) = body.split_once("```").unwrap();
        blocks.push((language.to_owned(), text.to_owned()));
        rest = after;
    }
    blocks
}

/// Replaces request ids and ports, which differ in every run, by `…`.
pub fn mask_request_ids(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) =
        ["request-id ", "127.0.0.1:"].iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min()
    {
        // Markdown has the id in a code element.
        let at = at + if rest[at..].starts_with("<code>") { "<code>".len() } else { 0 };
        let (before, after) = rest.split_at(at);
        let end = after.find(|char: char| !char.is_ascii_hexdigit() && char != '-').unwrap_or(after.len());
        masked.push_str(before);
        masked.push('…');
        rest = &after[end..];
    }
    masked + rest
}

/// Removes all GUIDs, such as request ids.
pub fn remove_guids(text: &str) -> String {
    let words = text.split_inclusive(|char: char| !char.is_ascii_hexdigit() && char != '-');
    words.map(|word| if word.len() == 37 { &word[36..] } else { word }).collect()
}
