//! One request to Graph with its token, and its JSON response.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::cloud::GraphUrl;
use super::error::{GraphError, GraphErrorKind, RequestLine, describe_unexpected};
use super::permission::Need;
use crate::auth::Credential;
use crate::http::{Answer, Client, Request, RetryBudget};

/// Access to Graph with one credential.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) http: Client,
    pub(super) root: GraphUrl,
    pub(super) credential: Arc<Credential>,
}

impl Transport {
    /// Creates a request with a JSON body, or with none, that is retried until the deadline of the run.
    pub(super) fn request(&self, method: Method, url: Url, json: Option<String>) -> Request<'_> {
        let content_type = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Request {
            headers: HeaderMap::from_iter(json.is_some().then_some(content_type)),
            authorization: Some(&*self.credential),
            body: json,
            ..Request::new(method, url)
        }
    }

    /// Sends a GET, with retries. Returns the 2xx response and the value parsed from its JSON body. Any other
    /// status, a body that is not such a value, and a value that `is_error` are errors.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        need: Need,
        url: Url,
        retry_budget: RetryBudget,
        is_error: impl FnOnce(&T) -> bool,
    ) -> Result<(Answer, T), GraphError> {
        let line = RequestLine::new(need, &Method::GET, &url);
        let request = Request { retry_budget, ..self.request(Method::GET, url, None) };
        let answer = self.send(need, request).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(value) if is_error(&value) => Err(GraphError::from_rejection(line, &answer)),
            Ok(value) => Ok((answer, value)),
            Err(error) => {
                let kind = GraphErrorKind::UnexpectedResponse(describe_unexpected(&answer, &error));
                Err(GraphError::from_answer(line, &answer, kind))
            }
        }
    }

    /// Sends a request, with retries, and returns its 2xx response. Every other status is an error.
    pub(super) async fn send(&self, need: Need, request: Request<'_>) -> Result<Answer, GraphError> {
        let line = RequestLine::new(need, &request.method, &request.url);
        match self.http.send(&request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err(GraphError::from_rejection(line, &answer)),
            Err(error) => Err(GraphError::from_send_error(line, error)),
        }
    }
}
