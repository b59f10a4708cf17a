//! Request journal: one line of JSON per request, in order of arrival.
//!
//! Defines the content of a line and redacts secrets. It must not influence responses.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::message::Request;
use super::route;
use crate::snapshot::TargetUrl;

/// Replacement for tokens.
const MASKED_TOKEN: &str = "Bearer ***";

/// Writer of journal lines.
pub(super) struct Journal {
    out: Option<Box<dyn Write + Send>>,
    /// Number of the next request to arrive.
    next_number: u64,
    /// Number of the next line to write.
    next_line: u64,
    /// Entries that wait for an earlier one: a batch is numbered before its items, but completes
    /// after them.
    pending: BTreeMap<u64, JournalEntry>,
}

/// One line of the journal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JournalEntry {
    n: u64,
    method: String,
    path: String,
    /// Null if no response was sent.
    status: Option<u16>,
    client_request_id: Option<String>,
    content_type: Option<String>,
    body: Option<Value>,
    authorization: Option<&'static str>,
    fault: Option<&'static str>,
    /// Number of the batch that contained the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u64>,
}

impl JournalEntry {
    /// Creates the entry of request number `n`, with tokens and the secrets of target URLs redacted. Omits a
    /// body that is not JSON, and the body of a batch. `batch` is the number of the batch that contains the
    /// request.
    pub(super) fn new(n: u64, request: &Request, batch: Option<u64>) -> Self {
        Self {
            n,
            method: request.method.clone(),
            path: request.target(),
            status: None,
            client_request_id: request.header("client-request-id").map(str::to_owned),
            content_type: request.header("content-type").map(str::to_owned),
            // Each item of a batch has its own entry.
            body: Some(&request.body)
                .filter(|_| !route::is_batch(&request.path))
                .and_then(|body| serde_json::from_slice(body).ok())
                .map(redact),
            authorization: request.header("authorization").map(|_| MASKED_TOKEN),
            fault: None,
            batch,
        }
    }

    /// Sets the status and the fault of the entry.
    pub(super) fn with_result(self, status: Option<u16>, fault: Option<&'static str>) -> Self {
        Self { status, fault, ..self }
    }
}

impl Journal {
    /// Creates a journal that writes to `out`. Without it, requests are only numbered.
    pub(super) fn new(out: Option<Box<dyn Write + Send>>) -> Self {
        Self { out, next_number: 1, next_line: 1, pending: BTreeMap::new() }
    }

    /// Returns the next number, for a request that arrives now. Each number must be passed to `record`.
    pub(super) fn take_number(&mut self) -> u64 {
        let n = self.next_number;
        self.next_number = n.saturating_add(1);
        n
    }

    /// Writes the entry as a line of JSON, but keeps it until all earlier numbers are recorded. A failed
    /// write is logged and the line is lost, because the journal must not influence responses.
    pub(super) fn record(&mut self, entry: JournalEntry) {
        self.pending.insert(entry.n, entry);
        while let Some(entry) = self.pending.remove(&self.next_line) {
            self.next_line = self.next_line.saturating_add(1);
            if let Err(error) = self.write(&entry) {
                tracing::error!(%error, n = entry.n, "cannot write a line of the journal");
            }
        }
    }

    fn write(&mut self, entry: &JournalEntry) -> std::io::Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        out.write_all(line.as_bytes())?;
        out.flush()
    }
}

/// Replaces the value of each `authorization` in a JSON body by `Bearer ***`, and removes user info, query
/// and fragment from each `targetUrl`.
fn redact(value: Value) -> Value {
    match value {
        Value::Object(mut object) => {
            for (key, value) in &mut object {
                *value = redact_property(key, value.take());
            }
            object.into()
        }
        Value::Array(values) => values.into_iter().map(redact).collect(),
        other => other,
    }
}

fn redact_property(key: &str, value: Value) -> Value {
    match value {
        _ if key.eq_ignore_ascii_case("authorization") => MASKED_TOKEN.into(),
        Value::String(url) if key.eq_ignore_ascii_case("targetUrl") => TargetUrl::from(url).as_str().into(),
        other => redact(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entry_of_a_request_masks_the_token() {
        let request = Request::sample("PUT", "/a?b=%20", "{}").with_header("client-request-id", "c1");
        let entry = JournalEntry::new(3, &request, Some(2)).with_result(Some(204), Some("truncate"));
        let expected = r#"{"n":3,"method":"PUT","path":"/a?b=%20","status":204,"clientRequestId":"c1","contentType":"application/json","body":{},"authorization":"Bearer ***","fault":"truncate","batch":2}"#;
        assert_eq!(serde_json::to_string(&entry).unwrap(), expected);
    }

    #[test]
    fn entry_without_optional_values_has_nulls() {
        let entry = JournalEntry::new(1, &Request::new("GET", "/"), None);
        let expected = json!({ "n": 1, "method": "GET", "path": "/", "status": null, "clientRequestId": null,
            "contentType": null, "body": null, "authorization": null, "fault": null });
        assert_eq!(json!(entry), expected);
    }

    #[test]
    fn entry_with_secrets_in_the_body_masks_them() {
        let body = json!({ "requests": [{
            "headers": { "Authorization": "Bearer secret" }, "body": { "targetUrl": "https://h/a?code=secret" } }] });
        let entry = JournalEntry::new(1, &Request::sample("POST", "/", &body.to_string()), None);
        let redacted = &json!(entry)["body"]["requests"][0];
        assert_eq!(
            redacted,
            &json!({ "headers": { "Authorization": "Bearer ***" }, "body": { "targetUrl": "https://h/a" } })
        );
    }
}
