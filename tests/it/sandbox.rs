//! The `sandbox` command: any HTTP client can use it, and it saves changes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use flowbind::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::support::{
    Running, Start as _, connector_id, exit_code, file, flowbind, folder, package, tenant,
    yaml_binding_connector_1,
};

/// Running `flowbind sandbox`.
struct Sandbox {
    child: Running,
    url: String,
}

fn start(folder: &Path, args: &[&str]) -> Sandbox {
    let mut child = flowbind(["sandbox", "tenant.json"])
        .args(args)
        .within(folder)
        .command()
        .stdout(Stdio::piped())
        .start();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    Sandbox { child, url: url.trim().to_owned() }
}

impl Sandbox {
    /// Sends a request with a plain HTTP client. Returns status and body.
    fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let host = self.url.trim_start_matches("http://").trim_end_matches("/beta");
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} /beta{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer s3cr3t\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Stops the sandbox: on Unix with a signal, which it handles.
    fn stop(self) {
        #[cfg(unix)]
        {
            let mut child = self.child;
            crate::support::signal(&child, "TERM");
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
    }
}

#[test]
fn sandbox_serves_requests_and_saves_changes() {
    let folder = folder();
    let path = file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 0, 2)]).to_json());
    file(folder.path(), "journal.jsonl", "of a run before\n");
    let sandbox = start(folder.path(), &["--journal", "journal.jsonl", "--seed", "7"]);
    let configuration = "/identity/b2cUserFlows/B2C_1_a/apiConnectorConfiguration";
    let reference =
        json!({"@odata.id": format!("{}/identity/apiConnectors/{}", sandbox.url, connector_id(1))});
    let put = |step: &str, body: &str| sandbox.send("PUT", &format!("{configuration}/{step}/$ref"), body).0;
    assert_eq!(put("postFederationSignup", &reference.to_string()), 204);
    assert_eq!(put("postAttributeCollection", "{}"), 204);
    assert_eq!(put("postAttributeCollection", ""), 400);
    let (status, body) = sandbox.send(
        "GET",
        &format!("{configuration}?$expand=postFederationSignup,postAttributeCollection"),
        "",
    );
    assert_eq!(status, 200);
    assert_eq!(body["postFederationSignup"]["id"], connector_id(1));
    assert_eq!(body["postAttributeCollection"], Value::Null);
    sandbox.stop();

    let kept = Snapshot::parse(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(kept, tenant(&[("B2C_1_a", 1, 0)]));
    let journal = fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 4);
    assert!(journal.contains("Bearer ***") && !journal.contains("s3cr3t"), "{journal}");
}

/// A change that another process made to the file is neither lost nor merged.
#[test]
fn sandbox_does_not_replace_a_snapshot_changed_meanwhile() {
    let folder = folder();
    let path = file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 0, 2)]).to_json());
    let sandbox = start(folder.path(), &[]);
    let step = "/identity/b2cUserFlows/B2C_1_a/apiConnectorConfiguration/postAttributeCollection/$ref";
    let theirs = tenant(&[("B2C_1_a", 3, 2)]).to_json();
    fs::write(&path, &theirs).unwrap();
    assert_eq!(sandbox.send("PUT", step, "{}").0, 423);
    assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
    // Restoring the file, and then only changes of the sandbox itself, is accepted.
    fs::write(&path, tenant(&[("B2C_1_a", 0, 2)]).to_json()).unwrap();
    assert_eq!(sandbox.send("PUT", step, "{}").0, 204);
    let reference =
        json!({"@odata.id": format!("{}/identity/apiConnectors/{}", sandbox.url, connector_id(1))});
    assert_eq!(sandbox.send("PUT", step, &reference.to_string()).0, 204);
    assert_eq!(Snapshot::parse(&fs::read_to_string(path).unwrap()).unwrap(), tenant(&[("B2C_1_a", 0, 1)]));
}

#[test]
fn plan_against_sandbox_with_faults_succeeds() {
    let folder = folder();
    let flows: Vec<_> = (0..12).map(|number| format!("B2C_1_{number}")).collect();
    let bound: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect();
    file(folder.path(), "tenant.json", tenant(&bound).to_json());
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    let args = ["--latency", "5", "--throttle", "9/1", "--fail", "0.3", "--page-size", "2", "--seed", "3"];
    let sandbox = start(folder.path(), &args);
    let outcome = flowbind(["plan"]).connect_to(&sandbox.url).within(folder.path()).run();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Plan: 12 to enable.\n"), "{outcome}");
}

#[test]
fn sandbox_with_invalid_snapshot_or_address_is_an_error() {
    let folder = folder();
    let good = tenant(&[("B2C_1_a", 0, 0)]).to_json();
    file(folder.path(), "good.json", &good);
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    for (name, text) in [
        ("empty.json", ""),
        ("not-json.json", "version: 1"),
        ("truncated.json", &good[..good.len() / 2]),
        ("other-version.json", &good.replace("\"formatVersion\": \"1\"", "\"formatVersion\": \"2\"")),
        ("other-key.json", &good.replace("\"takenAt\"", "\"takenat\"")),
        ("other-tenant.json", &good.replace("contoso", "fabrikam")),
        ("other-cloud.json", &good.replace("\"global\"", "\"china\"")),
        ("odd-flow.json", &good.replace("B2C_1_a", "signup")),
    ] {
        file(folder.path(), name, text);
        let outcome = flowbind(["plan", "--sandbox", name]).within(folder.path()).run();
        assert_eq!(outcome.code, 1, "{name}: {outcome}");
        assert!(outcome.stdout.contains("\nPlan incomplete: "), "{outcome}");
        assert!(outcome.stdout.ends_with(". It cannot be applied.\n"), "{outcome}");
        assert!(outcome.stderr.contains(name) && !outcome.panicked(), "{outcome}");
    }
    let sandbox = |args: &[&str]| flowbind(["sandbox"]).args(args).within(folder.path()).run();
    let outcome = sandbox(&["good.json", "--listen", "0.0.0.0:0"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("is not a loopback address"), "{outcome}");
    let outcome = sandbox(&["good.json", "--journal", "no/such/folder"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("cannot write the journal"), "{outcome}");
    fs::hard_link(folder.path().join("good.json"), folder.path().join("link.json")).unwrap();
    for journal in ["./good.json", "link.json"] {
        let outcome = sandbox(&["good.json", "--journal", journal]);
        assert!(outcome.code == 1 && outcome.stderr.contains("cannot be the snapshot itself"), "{outcome}");
    }
    file(folder.path(), "journal", "of a run before");
    let outcome = sandbox(&["good.json", "--journal", "journal", "--listen", "0.0.0.0:0"]);
    assert_eq!(
        (outcome.code, fs::read_to_string(folder.path().join("journal")).unwrap()),
        (1, "of a run before".into())
    );
    assert_eq!(fs::read_to_string(folder.path().join("good.json")).unwrap(), good);
    let outcome = sandbox(&["missing.json"]);
    assert!(
        outcome.code == 1 && outcome.stderr.contains("cannot read the snapshot `missing.json`"),
        "{outcome}"
    );
}

/// A pipe can be read only once.
#[cfg(unix)]
#[test]
fn sandbox_of_a_pipe_opens_it_once() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    crate::support::named_pipe(&pipe);
    let run = flowbind(["sandbox", "pipe", "--journal", "journal", "--listen", "0.0.0.0:0"]);
    let mut sandbox = run.within(folder.path()).command().stderr(Stdio::null()).start();
    fs::write(pipe, tenant(&[("B2C_1_a", 0, 0)]).to_json()).unwrap();
    assert_eq!(exit_code(&mut sandbox), Some(1));
}

/// A plan on a sandbox must equal the plan on the real tenant, with the same fingerprint. So it must not
/// contain the port of the sandbox.
#[test]
fn plan_on_sandbox_has_the_graph_url_of_the_cloud() {
    let outcome = flowbind(["plan", "examples/quickstart/flowbind.yaml", "--format", "json"])
        .args(["--sandbox", "examples/quickstart/tenant.json"])
        .within(&package(""))
        .run();
    assert!(outcome.stdout.contains(r#""graphUrl": "https://graph.microsoft.com/beta""#), "{outcome}");
    assert!(!outcome.stdout.contains("127.0.0.1"), "{outcome}");
}
