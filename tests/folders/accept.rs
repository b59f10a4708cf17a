//! Folders `tests/accept/<name>/`: the edits of a file, and the lines that they change.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use expect_test::expect_file;
use flowbind::accept::{Edit, accept};
use flowbind::desired;
use flowbind::model::{Connector, ConnectorId, FlowId, ListedConnector};
use jiff::Timestamp;
use similar::TextDiff;

/// Connectors of the tenant, numbered from 1: id, displayName and address.
const CONNECTORS: [(&str, Option<&str>, Option<&str>); 9] = [
    ("00000000-0000-4000-8000-000000000001", Some("Fraud check"), Some("https://fraud.contoso.com/score")),
    ("00000000-0000-4000-8000-000000000002", Some("CRM sync"), Some("https://crm.contoso.com/sync")),
    ("00000000-0000-4000-8000-000000000003", Some("Twin"), Some("https://twin.contoso.com/3")),
    ("00000000-0000-4000-8000-000000000004", Some("Twin"), Some("https://twin.contoso.com/4")),
    ("00000000-0000-4000-8000-000000000005", Some("No"), None),
    ("00000000-0000-4000-8000-000000000006", None, Some("https://nameless.contoso.com/")),
    ("legacy", None, Some("https://legacy.contoso.com/")),
    (
        "00000000-0000-4000-8000-000000000008",
        Some("a: \"b\", [c] # d"),
        Some("https://x.example/a,b?c=s3cr3t"),
    ),
    (
        "00000000-0000-4000-8000-000000000009",
        Some("00000000-0000-4000-8000-000000000001"),
        Some("https://guid.contoso.com/"),
    ),
];

pub fn edits_change_only_the_expected_lines(folder: &Path) {
    let documents = desired::load_documents(&[folder.join("desired.yaml")], Timestamp::UNIX_EPOCH).unwrap();
    let listed: Vec<_> = (1..=CONNECTORS.len()).map(listed).collect();
    let edits = fs::read_to_string(folder.join("edits")).unwrap();
    let edits: Vec<_> = edits.lines().map(edit).collect();
    let accepted = accept(&documents[0], &listed, &edits);
    let diff = TextDiff::from_lines(documents[0].text(), &accepted.text);
    let mut text = diff.unified_diff().context_radius(2).to_string().replace('\r', "\\r");
    if text.is_empty() {
        text.push_str("unchanged\n");
    }
    for (edit, reason) in &accepted.rejected {
        let subject = match edit {
            Edit::Binding { flow, step, .. } => format!("{flow}/{step}"),
            Edit::Pin { connector } => format!("pin of {}", connector.id),
        };
        writeln!(text, "rejected: {subject}: {reason}").unwrap();
    }
    expect_file![folder.join("expected.txt")].assert_eq(&text);
    let again = documents[0].with_text(&accepted.text).unwrap();
    let remaining: Vec<_> =
        edits.iter().filter(|edit| !accepted.rejected.iter().any(|(it, _)| it == *edit)).cloned().collect();
    assert_eq!(accept(&again, &listed, &remaining).text, accepted.text, "an edit is made once");
}

fn listed(number: usize) -> ListedConnector {
    let (id, display_name, target_url) = CONNECTORS[number - 1];
    let connector =
        Connector { id: ConnectorId::parse(id).unwrap(), display_name: display_name.map(str::to_owned) };
    ListedConnector {
        connector,
        target_url: target_url.map(|url| url.parse().unwrap()),
        certificates: Vec::new(),
    }
}

/// Parses `FLOW/STEP NUMBER`, `FLOW/STEP null`, `FLOW/STEP GUID` or `pin NUMBER`.
fn edit(line: &str) -> Edit {
    let (subject, value) = line.rsplit_once(' ').unwrap();
    let connector = match value.parse() {
        _ if value == "null" => None,
        Ok(number) => Some(listed(number).connector),
        Err(_) => Some(Connector { id: ConnectorId::parse(value).unwrap(), display_name: None }),
    };
    match subject.split_once('/') {
        Some((flow, step)) => {
            Edit::Binding { flow: FlowId::parse(flow).unwrap(), step: step.parse().unwrap(), connector }
        }
        None => Edit::Pin { connector: connector.unwrap() },
    }
}
