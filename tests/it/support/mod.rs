//! What tests share: running the binary in an environment of its own, and tenants to run it against.

mod command;
pub mod entra;
pub mod graph;
pub mod https;
pub mod line;
mod served;

pub use command::{Flowbind, Outcome, coverage, flowbind, signal};
pub use served::{Served, serve};

use std::path::{Path, PathBuf};

use flowbind::sandbox::{Effect, Fault};
use flowbind::snapshot::Snapshot;
use serde_json::Value;

/// Every format, and the ending of the files that tests keep of it.
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

/// A path inside the package.
pub fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder that is gone after the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file and gives its path.
pub fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The id of the connector that [`tenant`] calls `Connector N`.
pub fn connector_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A tenant with connectors `Connector 1` to `Connector 5` and the flows given: `(id, what is bound
/// to postFederationSignup, to postAttributeCollection)`, 0 for nothing.
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

/// A file that wants `Connector 1` after federation in each of the flows.
pub fn wants_connector_1(flows: &[&str]) -> String {
    let mut yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n".to_owned();
    for flow in flows {
        yaml.push_str(&format!("  {flow}:\n    postFederationSignup: Connector 1\n"));
    }
    yaml
}

/// A fault that hits the PUTs of paths that contain a text; `times` 0 for every time.
pub fn on_put(path: &str, times: u32, effect: Effect) -> Fault {
    let times = (times > 0).then_some(times);
    Fault { method: Some("PUT".into()), path_contains: path.into(), skip: 0, times, effect }
}

impl Served {
    /// Runs `plan` on a file's text against this tenant, with more arguments.
    pub fn plan(&self, yaml: &str, args: &[&str]) -> Outcome {
        self.run("plan", yaml, args)
    }

    /// Runs `apply --yes` on a file's text against this tenant, with more arguments. Gives the
    /// report as well.
    pub fn apply(&self, yaml: &str, args: &[&str]) -> (Outcome, Value) {
        let folder = folder();
        let report = folder.path().join("report.json");
        let args = [&["--yes", "--out", report.to_str().unwrap()], args].concat();
        let outcome = self.run("apply", yaml, &args);
        let report = std::fs::read_to_string(report).unwrap_or("null".into());
        (outcome, serde_json::from_str(&report).unwrap())
    }

    /// Binds a connector after federation as somebody else would, in the portal.
    pub fn meddle(&self, flow: &str, connector: &str) {
        let yaml = wants_connector_1(&[flow]).replace("Connector 1", connector);
        assert_eq!(self.apply(&yaml, &[]).0.code, 0);
    }

    fn run(&self, command: &str, yaml: &str, args: &[&str]) -> Outcome {
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml);
        flowbind([command, "--graph-url", &self.graph_url()])
            .args(args)
            .env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
            .within(folder.path())
            .run()
    }
}

/// A fault that answers this to GETs of paths that contain a text; `times` 0 for every time.
pub fn answer(path: &str, times: u32, status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Fault {
        method: Some("GET".into()),
        path_contains: path.into(),
        skip: 0,
        times: (times > 0).then_some(times),
        effect: Effect::Answer { status, headers, body: body.into() },
    }
}

/// The fenced blocks of a Markdown text, as (language, text).
pub fn blocks(markdown: &str) -> Vec<(String, String)> {
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

/// Hides what is new in every run: the tags of requests, and ports.
pub fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) =
        ["request-id ", "127.0.0.1:"].iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min()
    {
        let (before, after) = rest.split_at(at);
        let end = after.find(|char: char| !char.is_ascii_hexdigit() && char != '-').unwrap_or(after.len());
        masked.push_str(before);
        masked.push('…');
        rest = &after[end..];
    }
    masked + rest
}

/// Hides GUIDs: each request has a tag of its own.
pub fn without_tags(text: &str) -> String {
    let words = text.split_inclusive(|char: char| !char.is_ascii_hexdigit() && char != '-');
    words.map(|word| if word.len() == 37 { &word[36..] } else { word }).collect()
}
