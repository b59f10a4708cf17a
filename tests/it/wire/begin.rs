//! Requests that start after a stop or their deadline: they are not sent and not counted.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flowbind::http::{
    Authorize, AuthorizeError, Client, Connections, Meter, Rate, Request, RetryBudget, SendErrorKind,
    Settings, Stop, StopStage, never_stopped, new_client_request_id,
};
use flowbind::sandbox::{Effect, Fault, Options};
use futures_util::future::{BoxFuture, join, join_all, poll_immediate};
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::support::{SandboxServer, answer_get, serve, tenant};

fn settings(seconds: u64, stop: Stop, parallelism: u32) -> Settings {
    Settings {
        parallelism: NonZeroU32::new(parallelism).unwrap(),
        rate: Rate { requests: NonZeroU32::MAX, per: Duration::from_secs(60) },
        deadline: Instant::now() + Duration::from_secs(seconds),
        retry: Default::default(),
        stop,
        meter: Arc::default(),
    }
}

fn request<'a>(
    served: &SandboxServer,
    method: &str,
    authorization: Option<&'a dyn Authorize>,
) -> Request<'a> {
    Request {
        method: method.parse().unwrap(),
        url: format!("{}/identity/{method}/{}", served.graph_url(), new_client_request_id()).parse().unwrap(),
        headers: HeaderMap::new(),
        authorization,
        body: None,
        retry_budget: RetryBudget::UntilDeadline,
        halt: None,
    }
}

fn sent(served: &SandboxServer, method: &str) -> usize {
    served.requests().iter().filter(|line| line.starts_with(method)).count()
}

/// Credential that returns a token after the first 429.
#[derive(Debug)]
struct Slow(Arc<Meter>);

impl Authorize for Slow {
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, AuthorizeError>> {
        Box::pin(async {
            until(|| self.0.throttled().0 > 0).await;
            Ok(HeaderValue::from_static("Bearer t"))
        })
    }

    fn renewed<'a>(&'a self, _: &'a HeaderValue) -> BoxFuture<'a, Result<bool, AuthorizeError>> {
        Box::pin(async { Ok(false) })
    }
}

async fn until(is_true: impl Fn() -> bool) {
    while !is_true() {
        sleep(Duration::from_millis(2)).await;
    }
}

/// Several tenants together exceed the limit of a process, so that some requests wait.
#[tokio::test]
async fn queued_request_after_stop_is_not_sent() {
    const MOST: usize = 3;
    let hang = Fault {
        method: Some("GET".into()),
        path_contains: String::new(),
        skip: 0,
        times: None,
        effect: Effect::Hang,
    };
    let served = serve(tenant(&[]), Options { faults: vec![hang], ..Options::default() });
    let never = never_stopped();
    let (sender, stop) = watch::channel(StopStage::Running);
    let connections = Arc::new(Connections::default().with_max_in_flight(MOST));
    let others = Client::new(settings(60, never, 4), Arc::clone(&connections));
    let client = Client::new(settings(60, stop, 4), connections);
    let reads: Vec<_> = (0..MOST).map(|_| request(&served, "GET", None)).collect();
    let write = request(&served, "PUT", None);
    let writing = async {
        until(|| sent(&served, "GET") == MOST).await;
        let mut writing = pin!(client.send(&write));
        assert!(poll_immediate(&mut writing).await.is_none(), "it waits for the reads");
        sender.send(StopStage::Stopping).unwrap();
        writing.await
    };
    let written = tokio::select! {
        _ = join_all(reads.iter().map(|read| others.send(read))) => panic!("the reads end"),
        written = writing => written,
    };
    let error = written.unwrap_err();
    assert!(matches!(error.kind, SendErrorKind::Stopped), "{error}");
    assert_eq!((error.attempts, sent(&served, "PUT")), (0, 0));
}

#[tokio::test]
async fn request_after_its_deadline_is_not_sent() {
    let served = serve(tenant(&[]), Options::default());
    let never = never_stopped();
    let connections = Arc::new(Connections::default());
    // The connection is already open.
    let before = Client::new(settings(60, never.clone(), 4), Arc::clone(&connections));
    before.send(&request(&served, "GET", None)).await.unwrap();
    let client = Client::new(settings(0, never, 4), connections);
    let error = client.send(&request(&served, "PUT", None)).await.unwrap_err();
    assert!(matches!(error.kind, SendErrorKind::RunTimeout), "{error}");
    assert_eq!((error.attempts, error.may_have_acted, sent(&served, "PUT")), (0, false, 0));
}

/// The renewal of a token takes up to a minute. The service may ask for a pause meanwhile.
#[tokio::test]
async fn request_waiting_for_token_honors_retry_after() {
    let fault = answer_get("", 0, 429, &[("Retry-After", "900")], "{}");
    let served = serve(tenant(&[]), Options { faults: vec![fault], ..Options::default() });
    let never = never_stopped();
    let settings = settings(60, never, 4);
    let slow = Slow(Arc::clone(&settings.meter));
    let client = Client::new(settings, Arc::default());
    let (write, read) = (request(&served, "PUT", Some(&slow)), request(&served, "GET", None));
    let (written, _) = join(client.send(&write), client.send(&read)).await;
    // The pause ends after the deadline.
    let error = written.unwrap_err();
    assert!(matches!(error.kind, SendErrorKind::PauseBeyondTimeout(_)), "{error}");
    assert_eq!((error.attempts, sent(&served, "GET"), sent(&served, "PUT")), (0, 1, 0));
}
