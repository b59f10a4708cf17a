//! The journal: one line of JSON for each request, in order of arrival.
//!
//! Owns what is written about a request and that no secret is among it; it must not answer.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::message::Request;
use super::route;
use crate::snapshot::TargetUrl;

/// What is shown instead of a token.
const MASKED: &str = "Bearer ***";

/// Where the lines go.
pub(super) struct Journal {
    out: Option<Box<dyn Write + Send>>,
    /// The number of the request that arrives next.
    next: u64,
    /// The number of the line that is written next.
    due: u64,
    /// Lines whose turn has not come: a batch is numbered before its items, but done after them.
    waiting: BTreeMap<u64, Entry>,
}

/// What a line says of a request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    n: u64,
    method: String,
    path: String,
    /// Null when the request got no answer.
    status: Option<u16>,
    client_request_id: Option<String>,
    content_type: Option<String>,
    body: Option<Value>,
    authorization: Option<&'static str>,
    fault: Option<&'static str>,
    /// The number of the batch that the request came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u64>,
}

impl Entry {
    /// Notes a request that has just arrived as number `n`, as an item of a batch or alone.
    pub(super) fn new(n: u64, request: &Request, batch: Option<u64>) -> Self {
        Self {
            n,
            method: request.method.clone(),
            path: request.target(),
            status: None,
            client_request_id: request.header("client-request-id").map(str::to_owned),
            content_type: request.header("content-type").map(str::to_owned),
            // What a batch holds is noted item by item.
            body: Some(&request.body)
                .filter(|_| !route::is_batch(&request.path))
                .and_then(|body| serde_json::from_slice(body).ok())
                .map(without_secrets),
            authorization: request.header("authorization").map(|_| MASKED),
            fault: None,
            batch,
        }
    }

    /// Notes how it ended.
    pub(super) fn ended(self, status: Option<u16>, fault: Option<&'static str>) -> Self {
        Self { status, fault, ..self }
    }
}

impl Journal {
    /// Writes to `out`; without it requests are only numbered.
    pub(super) fn new(out: Option<Box<dyn Write + Send>>) -> Self {
        Self { out, next: 1, due: 1, waiting: BTreeMap::new() }
    }

    /// Gives the number of a request that arrives now. Each must be recorded in the end.
    pub(super) fn number(&mut self) -> u64 {
        let n = self.next;
        self.next = n.saturating_add(1);
        n
    }

    /// Writes the entry as soon as all before it are written. A line that cannot be written is
    /// logged and lost: the journal must not change what clients see.
    pub(super) fn record(&mut self, entry: Entry) {
        self.waiting.insert(entry.n, entry);
        while let Some(entry) = self.waiting.remove(&self.due) {
            self.due = self.due.saturating_add(1);
            if let Err(error) = self.write(&entry) {
                tracing::error!(%error, n = entry.n, "a line of the journal is lost");
            }
        }
    }

    fn write(&mut self, entry: &Entry) -> std::io::Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        out.write_all(line.as_bytes())?;
        out.flush()
    }
}

/// Masks tokens, wherever a body may hold one, and what may be secret in a target URL.
fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| {
                let value = masked(&key, value);
                (key, value)
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(without_secrets).collect(),
        other => other,
    }
}

fn masked(key: &str, value: Value) -> Value {
    match value {
        _ if key.eq_ignore_ascii_case("authorization") => MASKED.into(),
        Value::String(url) if key.eq_ignore_ascii_case("targetUrl") => TargetUrl::from(url).as_str().into(),
        other => without_secrets(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_tells_all_but_the_token() {
        let request = Request::sample("PUT", "/a?b=%20", "{}").with_header("client-request-id", "c1");
        let entry = Entry::new(3, &request, Some(2)).ended(Some(204), Some("truncate"));
        let expected = r#"{"n":3,"method":"PUT","path":"/a?b=%20","status":204,"clientRequestId":"c1","contentType":"application/json","body":{},"authorization":"Bearer ***","fault":"truncate","batch":2}"#;
        assert_eq!(serde_json::to_string(&entry).unwrap(), expected);
    }

    #[test]
    fn what_is_not_there_is_null() {
        let entry = Entry::new(1, &Request::new("GET", "/"), None);
        let expected = json!({ "n": 1, "method": "GET", "path": "/", "status": null, "clientRequestId": null,
            "contentType": null, "body": null, "authorization": null, "fault": null });
        assert_eq!(json!(entry), expected);
    }

    #[test]
    fn secrets_within_a_body_are_masked() {
        let body = json!({ "requests": [{
            "headers": { "Authorization": "Bearer secret" }, "body": { "targetUrl": "https://h/a?code=secret" } }] });
        let entry = Entry::new(1, &Request::sample("POST", "/", &body.to_string()), None);
        let shown = &json!(entry)["body"]["requests"][0];
        assert_eq!(
            shown,
            &json!({ "headers": { "Authorization": "Bearer ***" }, "body": { "targetUrl": "https://h/a" } })
        );
    }
}
