//! Answers to batches that are not as they have to be: one answer is missing, or one is there twice.
//!
//! Owns how such an answer looks; it must not choose who gets it.

use serde_json::Value;

use super::message::Response;

/// Takes the last answer out of those to a batch.
pub(super) fn without_last(response: Response) -> Response {
    with_answers(response, |answers| _ = answers.pop())
}

/// Puts the last answer in the place of the first, too.
pub(super) fn with_last_twice(response: Response) -> Response {
    with_answers(response, |answers| {
        if let (Some(last), Some(first)) = (answers.last().cloned(), answers.first_mut()) {
            *first = last;
        }
    })
}

/// Changes the answers to a batch; what is no such answer stays as it is.
fn with_answers(mut response: Response, change: impl FnOnce(&mut Vec<Value>)) -> Response {
    let Ok(mut body) = serde_json::from_slice::<Value>(&response.body) else { return response };
    if let Some(answers) = body.get_mut("responses").and_then(Value::as_array_mut) {
        change(answers);
        response.body = body.to_string().into_bytes();
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(change: fn(Response) -> Response, body: Value) -> Value {
        let body = change(Response::json(200, &body)).value();
        body["responses"]
            .as_array()
            .map_or(body.clone(), |answers| answers.iter().map(|answer| answer["id"].clone()).collect())
    }

    #[test]
    fn the_last_answer_is_missing_or_there_twice() {
        let three = json!({ "responses": [{ "id": "a" }, { "id": "b" }, { "id": "c" }] });
        assert_eq!(ids(without_last, three.clone()), json!(["a", "b"]));
        assert_eq!(ids(with_last_twice, three), json!(["c", "b", "c"]));
    }

    #[test]
    fn what_is_no_batch_stays_as_it_is() {
        for body in [json!({ "value": [1, 2] }), json!({ "responses": 1 }), json!([])] {
            assert_eq!(ids(without_last, body.clone()), body);
            assert_eq!(ids(with_last_twice, body.clone()), body);
        }
    }
}
