//! Runs the commands of `docs/runbooks.md` as the page has them, and checks the exit codes that it states and the tenant.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{code_blocks, executable, file, folder, kept_variables, package, path_after};

/// Sections of the page that have commands.
const RUNBOOKS: [&str; 7] = [
    "A connector is down",
    "Without the repository",
    "Drift at night",
    "A stale plan",
    "A wrong approval",
    "Of the app that signs in",
    "Of a connector",
];

const FRAUD_CHECK: &str = "00000000-0000-4000-8000-000000000001";
const ENRICHER: &str = "00000000-0000-4000-8000-000000000002";

const SIGNIN: &str = "B2C_1_signup_signin";
const FEDERATION: &str = "postFederationSignup";
const ATTRIBUTES: &str = "postAttributeCollection";

/// Start of every run: 2026-11-02, before the end of the hold.
const NOW: &str = "1793606400";
/// 2026-12-01T06:00:00Z, the end of the hold.
const AFTER_HOLD: &str = "1796104800";

/// Answers the prompt of an apply with `--yes`, connects to the tenant, and keeps the exit codes.
const FLOWBIND: &str = r#"
case "$*" in
  *--plan* | *--expect*) ;;
  apply*) set -- "$@" --yes ;;
esac
"$BINARY" "$@" $CONNECTION
code=$?
echo "$code" >> "$STATE/codes"
exit "$code"
"#;

fn page() -> String {
    fs::read_to_string(package("docs/runbooks.md")).unwrap()
}

/// Returns the sections of the page by their headings, in order.
fn sections(page: &str) -> Vec<(&str, &str)> {
    let sections = page.split("\n##").skip(1);
    sections.map(|it| it.trim_start_matches(['#', ' ']).split_once('\n').unwrap()).collect()
}

/// Returns the blocks of a section in this language.
fn blocks(section: &str, language: &str) -> Vec<String> {
    let blocks = code_blocks(section).into_iter().filter(|(found, _)| found == language);
    blocks.map(|(_, block)| block).collect()
}

/// Returns the lines of a block that are commands.
fn commands(block: &str) -> Vec<&str> {
    block.lines().filter(|line| !line.starts_with("# ")).collect()
}

/// Repository and tenant in which a runbook is run.
struct Incident {
    folder: tempfile::TempDir,
    blocks: std::vec::IntoIter<String>,
    variables: BTreeMap<&'static str, String>,
}

impl Incident {
    /// Creates a tenant that matches the file of the page.
    fn new(runbook: &str) -> Self {
        let page = page();
        let (_, section) = sections(&page).into_iter().find(|(heading, _)| *heading == runbook).unwrap();
        let folder = folder();
        let at = folder.path();
        for name in ["bin", "state", "work"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        file(at, "work/flowbind.yaml", &blocks(&page, "yaml")[0]);
        file(at, "state/tenant.json", tenant().to_string());
        executable(&at.join("bin"), "flowbind", &format!("#!/bin/sh{FLOWBIND}"));
        let variables = BTreeMap::from([
            ("BINARY", env!("CARGO_BIN_EXE_flowbind").to_owned()),
            ("CONNECTION", format!("--sandbox {}", at.join("state/tenant.json").display())),
            ("SOURCE_DATE_EPOCH", NOW.to_owned()),
        ]);
        Self { blocks: blocks(section, "sh").into_iter(), variables, folder }
    }

    fn work(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("work").join(name)
    }

    /// Returns the desired-state file.
    fn desired(&self) -> String {
        fs::read_to_string(self.work("flowbind.yaml")).unwrap()
    }

    /// Saves a plan. Returns its fingerprint.
    fn plan(&self) -> String {
        self.flowbind("plan --out plan.json");
        let plan: Value = serde_json::from_str(&fs::read_to_string(self.work("plan.json")).unwrap()).unwrap();
        plan["fingerprint"].as_str().unwrap().to_owned()
    }

    fn tenant(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.folder.path().join("state/tenant.json")).unwrap())
            .unwrap()
    }

    /// Returns the id of the bound connector, or null.
    fn bound(&self, step: &str) -> Value {
        let tenant = self.tenant();
        let flow = tenant["flows"].as_array().unwrap().iter().find(|flow| flow["id"] == SIGNIN).unwrap();
        flow["bindings"][step].clone()
    }

    /// Binds a connector, or nothing, like a user in the portal.
    fn bind(&self, step: &str, connector: Option<&str>) {
        let mut tenant = self.tenant();
        let flows = tenant["flows"].as_array_mut().unwrap();
        let flow = flows.iter_mut().find(|flow| flow["id"] == SIGNIN).unwrap();
        flow["bindings"][step] = connector.into();
        file(self.folder.path(), "state/tenant.json", tenant.to_string());
    }

    /// Adds a program that replaces another one.
    fn replace_program(&self, name: &str, script: &str) {
        executable(&self.folder.path().join("bin"), name, &format!("#!/bin/sh\n{script}\n"));
    }

    /// Runs shell commands. Returns the output, and the exit code of each flowbind.
    fn shell(&self, script: &str) -> (String, Vec<i32>) {
        let state = self.folder.path().join("state");
        file(&state, "codes", "");
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("exec 2>&1\n{script}")])
            .current_dir(self.folder.path().join("work"))
            .env_clear()
            .envs(kept_variables())
            .env("PATH", path_after(&self.folder.path().join("bin")))
            .env("HOME", &state)
            .env("STATE", &state)
            .envs(&self.variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let codes = fs::read_to_string(state.join("codes")).unwrap();
        let codes = codes.lines().map(|code| code.parse().unwrap()).collect();
        (String::from_utf8(output.stdout).unwrap(), codes)
    }

    /// Runs one command of flowbind. Returns its output and exit code.
    fn flowbind(&self, arguments: &str) -> (String, i32) {
        let (output, codes) = self.shell(&format!("flowbind {arguments}"));
        (output, codes[0])
    }

    /// Runs the next block of the runbook. Checks the exit codes that it states, and returns the output.
    fn next_block(&mut self) -> String {
        let block = self.blocks.next().unwrap();
        let stated = block.lines().filter(|line| line.starts_with("flowbind "));
        let stated: Vec<i32> =
            stated.map(|line| line.rsplit_once("  # ").unwrap().1.parse().unwrap()).collect();
        let (output, codes) = self.shell(&block);
        assert_eq!(codes, stated, "{block}\n{output}");
        output
    }

    /// Makes the edit that the page shows as a diff, or takes it back.
    fn edit(&self, is_undone: bool) {
        let diff = blocks(&page(), "diff").remove(0);
        let side = |sign: char| -> String {
            let lines = diff.lines().filter(|line| line.starts_with([' ', sign]));
            lines.map(|line| format!("{}\n", &line[1..])).collect()
        };
        let (from, to) = if is_undone { (side('+'), side('-')) } else { (side('-'), side('+')) };
        replace(&self.work("flowbind.yaml"), &from, &to);
    }
}

/// Replaces a text that a file has once.
fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}\n{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// Returns a tenant that matches the file of the page.
fn tenant() -> Value {
    let connector =
        |id: &str, name: &str, url: &str| json!({"id": id, "displayName": name, "targetUrl": url});
    let flow = |id: &str, attributes: Option<&str>| {
        json!({
            "id": id,
            "userFlowType": "signUpOrSignIn",
            "userFlowTypeVersion": 3,
            "bindings": {"postFederationSignup": FRAUD_CHECK, "postAttributeCollection": attributes},
        })
    };
    json!({
        "formatVersion": "1",
        "tenant": "contoso.onmicrosoft.com",
        "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z",
        "connectors": [
            connector(FRAUD_CHECK, "Fraud check", "https://fraud.contoso.com/score"),
            connector(ENRICHER, "Claims enricher", "https://claims.contoso.com/enrich"),
        ],
        "flows": [flow("B2C_1_signup_partner", None), flow(SIGNIN, Some(ENRICHER))],
    })
}

#[test]
fn every_runbook_is_short_and_states_its_exit_codes() {
    let page = page();
    let with_commands = sections(&page).into_iter().filter(|(_, section)| !blocks(section, "sh").is_empty());
    let with_commands: Vec<_> = with_commands.collect();
    assert_eq!(with_commands.iter().map(|(heading, _)| *heading).collect::<Vec<_>>(), RUNBOOKS);
    for (heading, section) in with_commands {
        let blocks = blocks(section, "sh");
        assert!(blocks.len() <= 2, "{heading}: a fix and a way back");
        for (block, most) in blocks.iter().zip([4, 3]) {
            let commands = commands(block);
            assert!(commands.len() <= most, "{heading}: {commands:#?}");
            let comments = block.lines().filter(|line| line.starts_with("# ")).count();
            assert_eq!(comments, commands.len(), "{heading}: each command has its purpose\n{block}");
        }
    }
}

#[test]
fn connector_that_is_down_is_held_and_restored() {
    let mut incident = Incident::new(RUNBOOKS[0]);
    // Another change of the file is pending, and stays so.
    incident.bind(ATTRIBUTES, None);
    let merged = incident.desired();
    let reviewed = incident.plan();
    incident.edit(false);
    let output = incident.next_block();
    assert!(output.contains("Held until 2026-12-01T06:00:00Z: INC-4711: fraud API down"), "{output}");
    assert!(output.contains("Limited to 1 of 3 bindings (--only)"), "{output}");
    assert_eq!((incident.bound(FEDERATION), incident.bound(ATTRIBUTES)), (Value::Null, Value::Null));

    // Pipelines, before the hold is merged, while it is active, and after it.
    let only = format!("--only {SIGNIN}/{FEDERATION}");
    let pipelines = |incident: &Incident| {
        let (plan, planned) = incident.flowbind(&format!("plan {only} --detailed-exitcode"));
        let (drift, drifted) = incident.flowbind(&format!("drift {only}"));
        (plan, planned, drift, drifted)
    };
    let held = incident.desired();
    fs::write(incident.work("flowbind.yaml"), merged).unwrap();
    let (plan, planned, drift, drifted) = pipelines(&incident);
    assert!(planned == 2 && plan.contains("+ enable   postFederationSignup"), "{plan}");
    assert!(drifted == 2 && drift.contains("MISSING"), "{drift}");
    let (output, code) = incident.flowbind(&format!("apply --expect {reviewed}"));
    assert!(code == 3 && output.contains("[fingerprint-mismatch]"), "{output}");
    fs::write(incident.work("flowbind.yaml"), held).unwrap();
    let (plan, planned, drift, drifted) = pipelines(&incident);
    assert!((planned, drifted) == (0, 0), "{plan}\n{drift}");
    assert!(plan.contains("Held until") && drift.contains("Held until"), "{plan}\n{drift}");
    incident.variables.insert("SOURCE_DATE_EPOCH", AFTER_HOLD.to_owned());
    let (plan, planned, drift, drifted) = pipelines(&incident);
    assert!(planned == 2 && plan.contains("+ enable   postFederationSignup"), "{plan}");
    assert!(drifted == 2 && drift.contains("MISSING") && drift.contains("the hold expired"), "{drift}");
    incident.variables.insert("SOURCE_DATE_EPOCH", NOW.to_owned());

    // The other way back, which leaves the hold in the file.
    let (output, code) = incident.flowbind("apply --undo report.json --out undone.json");
    assert!(code == 0 && incident.bound(FEDERATION) == FRAUD_CHECK, "{output}");
    let (output, code) = incident.flowbind(&format!("drift {only}"));
    assert!(code == 2 && output.contains("Drift: 1 added."), "{output}");
    let (output, code) = incident
        .flowbind("apply --undo undone.json --allow-protected B2C_1_signup_signin/postFederationSignup");
    assert!(code == 0 && incident.bound(FEDERATION).is_null(), "{output}");

    incident.edit(true);
    incident.next_block();
    assert_eq!((incident.bound(FEDERATION), incident.bound(ATTRIBUTES)), (FRAUD_CHECK.into(), Value::Null));
}

#[test]
fn connector_that_is_down_is_switched_off_by_a_file_of_its_own() {
    let mut incident = Incident::new(RUNBOOKS[1]);
    incident.bind(ATTRIBUTES, None);
    incident.next_block();
    assert!(incident.bound(FEDERATION).is_null());
    let (output, code) = incident.flowbind(&format!("drift --only {SIGNIN}/{FEDERATION}"));
    assert!(code == 2 && output.contains("Drift: 1 missing."), "{output}");
    incident.next_block();
    assert_eq!((incident.bound(FEDERATION), incident.bound(ATTRIBUTES)), (FRAUD_CHECK.into(), Value::Null));
}

#[test]
fn drift_at_night_is_reverted_or_accepted() {
    let mut incident = Incident::new(RUNBOOKS[2]);
    incident.bind(FEDERATION, None);
    let output = incident.next_block();
    assert!(output.contains("Resolved since the last run"), "{output}");
    assert_eq!(incident.bound(FEDERATION), FRAUD_CHECK);
    let (output, code) = incident.flowbind("apply --undo report.json");
    let flag = format!("--allow-protected {SIGNIN}/{FEDERATION}");
    assert!(code == 3 && output.contains(&format!("if this is intended: `{flag}`")), "{output}");
    incident.next_block();
    assert!(incident.bound(FEDERATION).is_null());
}

#[test]
fn stale_plan_is_made_again() {
    let mut incident = Incident::new(RUNBOOKS[3]);
    incident.bind(ATTRIBUTES, None);
    let reviewed = incident.plan();
    incident.bind(ATTRIBUTES, Some(FRAUD_CHECK));
    for (approval, id) in [
        ("--plan plan.json".to_owned(), "stale-plan"),
        (format!("--expect {reviewed}"), "fingerprint-mismatch"),
    ] {
        let (output, code) = incident.flowbind(&format!("apply {approval}"));
        assert!(code == 3 && output.contains(&format!("[{id}]")), "{output}");
    }
    assert_eq!(incident.bound(ATTRIBUTES), FRAUD_CHECK);
    incident.next_block();
    assert_eq!(incident.bound(ATTRIBUTES), ENRICHER);
    incident.next_block();
    assert_eq!(incident.bound(ATTRIBUTES), FRAUD_CHECK);
}

#[test]
fn wrong_approval_is_taken_back() {
    let mut incident = Incident::new(RUNBOOKS[4]);
    let workflow = fs::read_to_string(package("examples/github-actions/apply.yml")).unwrap();
    let (_, artifact) = workflow.split_once("          name: flowbind-report").unwrap();
    let artifact = artifact.lines().next().unwrap().replace("${{ github.run_attempt }}", "1");
    let download = format!("run download 4711 --name flowbind-report{artifact}");
    incident.replace_program("gh", &format!(r#"[ "$*" = "{download}" ] && cp "$STATE/report.json" ."#));
    // The last commit changed only this file: to revert it, or its revert, swaps two versions.
    incident.replace_program(
        "git",
        r#"[ "$*" = "revert --no-edit HEAD" ] && mv flowbind.yaml new && mv "$STATE/earlier.yaml" flowbind.yaml && mv new "$STATE/earlier.yaml""#,
    );
    incident.variables.insert("RUN", "4711".to_owned());
    let right = incident.desired();
    file(incident.folder.path(), "state/earlier.yaml", &right);
    replace(
        &incident.work("flowbind.yaml"),
        "postAttributeCollection: enrich",
        "postAttributeCollection: null",
    );
    let wrong = incident.desired();
    let report = incident.folder.path().join("state/report.json");
    assert_eq!(incident.flowbind(&format!("apply --out {}", report.display())).1, 0);
    assert!(incident.bound(ATTRIBUTES).is_null());
    // A later change by someone else is not lost.
    incident.bind(ATTRIBUTES, Some(FRAUD_CHECK));
    let (output, code) = incident.flowbind(&format!("apply --undo {}", report.display()));
    assert!(code == 3 && output.contains("[undo-stale]"), "{output}");
    incident.bind(ATTRIBUTES, None);
    let output = incident.next_block();
    assert!(output.contains("warning[undo-file-differs]"), "{output}");
    assert_eq!((incident.bound(ATTRIBUTES), incident.desired()), (ENRICHER.into(), right));
    incident.next_block();
    assert_eq!((incident.bound(ATTRIBUTES), incident.desired()), (Value::Null, wrong));
}

#[cfg(feature = "azure")]
#[test]
fn expired_secret_of_the_app_is_replaced() {
    use crate::support::entra::{APP, Entra};

    let guid = "8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11";
    let snapshot = flowbind::snapshot::Snapshot::parse(&tenant().to_string()).unwrap();
    let entra = Entra::serve(vec![("contoso.onmicrosoft.com", guid, snapshot)]);
    entra.behave(|entra| {
        let body = json!({"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys for app are expired."});
        entra.token_error = Some((401, body.to_string()));
        entra.token_errors = 1;
    });
    let mut incident = Incident::new(RUNBOOKS[5]);
    incident.replace_program("az", r#"[ "$1 $2 $3 $4" = "ad app credential reset" ] && echo client-s3cr3t"#);
    let proxy = format!("http://{}", entra.address());
    incident.variables.extend([
        ("CONNECTION", String::new()),
        ("HTTPS_PROXY", proxy),
        ("SSL_CERT_FILE", entra.ca_file().display().to_string()),
        ("AZURE_CLIENT_ID", APP.to_owned()),
        ("AZURE_CLIENT_SECRET", "expired-s3cr3t".to_owned()),
    ]);
    let output = incident.next_block();
    assert!(output.contains("error[no-credential]") && output.contains("AADSTS7000222"), "{output}");
    assert!(!output.contains("s3cr3t"), "{output}");
    let secrets: Vec<_> = entra.token_requests().iter().map(|form| form["client_secret"].clone()).collect();
    assert_eq!(secrets, ["expired-s3cr3t", "client-s3cr3t", "client-s3cr3t"]);
}

#[test]
fn expiring_certificate_of_a_connector_is_replaced() {
    let mut incident = Incident::new(RUNBOOKS[6]);
    let mut tenant = incident.tenant();
    tenant["connectors"][0]["certificates"] =
        json!([{"notBefore": "2024-11-20T00:00:00Z", "notAfter": "2026-11-20T00:00:00Z", "isActive": true}]);
    file(incident.folder.path(), "state/tenant.json", tenant.to_string());
    incident.variables.insert("ID", FRAUD_CHECK.to_owned());
    let upload = format!(
        "https://graph.microsoft.com/beta/identity/apiConnectors/{FRAUD_CHECK}/uploadClientCertificate"
    );
    incident.replace_program(
        "az",
        &format!(r#"[ "$*" = "rest --method post --url {upload} --body @certificate.json" ] && sed s/2026-11-20/2028-11-20/ "$STATE/tenant.json" > new && mv new "$STATE/tenant.json""#),
    );
    let output = incident.next_block();
    assert!(
        output.contains("certificate  Fraud check") && output.contains("valid until 2026-11-20"),
        "{output}"
    );
    assert!(output.contains("Resolved since the last run"), "{output}");
    let drift = fs::read_to_string(incident.work("drift.json")).unwrap();
    assert!(drift.contains(FRAUD_CHECK), "{drift}");
}
