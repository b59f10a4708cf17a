//! Corrupted batch responses: one item response is missing, or one is duplicated.
//!
//! Edits a response; `faults` selects the requests.

use serde_json::Value;

use super::message::Response;

/// Removes the last item response of a batch response. Any other response is returned unchanged.
pub(super) fn drop_last_item(response: Response) -> Response {
    edit_item_responses(response, |items| _ = items.pop())
}

/// Replaces the first item response of a batch response with a copy of the last. Any other response is
/// returned unchanged.
pub(super) fn duplicate_last_item(response: Response) -> Response {
    edit_item_responses(response, |items| {
        if let (Some(last), Some(first)) = (items.last().cloned(), items.first_mut()) {
            *first = last;
        }
    })
}

/// Edits the item responses of a batch response. Any other response is returned unchanged.
fn edit_item_responses(mut response: Response, change: impl FnOnce(&mut Vec<Value>)) -> Response {
    let Ok(mut body) = serde_json::from_slice::<Value>(&response.body) else { return response };
    if let Some(items) = body.get_mut("responses").and_then(Value::as_array_mut) {
        change(items);
        response.body = body.to_string().into_bytes();
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(change: fn(Response) -> Response, body: Value) -> Value {
        let body = change(Response::json(200, &body)).json_body();
        body["responses"]
            .as_array()
            .map_or(body.clone(), |items| items.iter().map(|item| item["id"].clone()).collect())
    }

    #[test]
    fn corrupt_batch_drops_or_duplicates_the_last_item() {
        let three = json!({ "responses": [{ "id": "a" }, { "id": "b" }, { "id": "c" }] });
        assert_eq!(ids(drop_last_item, three.clone()), json!(["a", "b"]));
        assert_eq!(ids(duplicate_last_item, three), json!(["c", "b", "c"]));
    }

    #[test]
    fn corrupt_batch_of_another_body_changes_nothing() {
        for body in [json!({ "value": [1, 2] }), json!({ "responses": 1 }), json!([])] {
            assert_eq!(ids(drop_last_item, body.clone()), body);
            assert_eq!(ids(duplicate_last_item, body.clone()), body);
        }
    }
}
