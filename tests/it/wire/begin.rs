//! Requests that start after a stop or their deadline: they are not sent and not counted.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use flowbind::http::{
    Authorize, AuthorizeError, Client, Connections, Rate, Request, RetryBudget, SendErrorKind, Settings,
    Stop, new_client_request_id,
};
use flowbind::sandbox::{Effect, Fault, Options};
use futures_util::future::{BoxFuture, join, join_all};
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::support::{SandboxServer, serve, tenant};

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

/// Credential that returns a token after a delay.
#[derive(Debug)]
struct Slow;

impl Authorize for Slow {
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, AuthorizeError>> {
        Box::pin(async {
            sleep(Duration::from_millis(500)).await;
            Ok(HeaderValue::from_static("Bearer t"))
        })
    }

    fn renewed<'a>(&'a self, _: &'a HeaderValue) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }
}

/// Several tenants together exceed the limit of a process, so that some requests wait.
#[tokio::test]
async fn queued_request_after_stop_is_not_sent() {
    const MOST: usize = 3;
    let latency = Duration::from_secs(2);
    let served = serve(tenant(&[]), Options { latency, ..Options::default() });
    let (_alive, never) = watch::channel(false);
    let (tell, stop) = watch::channel(false);
    let connections = Arc::new(Connections::default().with_max_in_flight(MOST));
    let others = Client::new(settings(60, never, 4), Arc::clone(&connections));
    let client = Client::new(settings(60, stop, 4), connections);
    let reads: Vec<_> = (0..MOST).map(|_| request(&served, "GET", None)).collect();
    let write = request(&served, "PUT", None);
    let writing = async {
        let begun = Instant::now();
        while sent(&served, "GET") < MOST {
            assert!(begun.elapsed() < latency, "they are not in flight together");
            sleep(Duration::from_millis(10)).await;
        }
        let stopping = async {
            sleep(Duration::from_millis(50)).await;
            tell.send(true).unwrap();
        };
        join(client.send(&write), stopping).await.0
    };
    let (_, written) = join(join_all(reads.iter().map(|read| others.send(read))), writing).await;
    let error = written.unwrap_err();
    assert!(matches!(error.kind, SendErrorKind::Stopped), "{error}");
    assert_eq!((error.attempts, sent(&served, "PUT")), (0, 0));
}

#[tokio::test]
async fn request_after_its_deadline_is_not_sent() {
    let served = serve(tenant(&[]), Options::default());
    let (_alive, never) = watch::channel(false);
    let connections = Arc::new(Connections::default());
    // The connection is already open.
    let before = Client::new(settings(60, never.clone(), 4), Arc::clone(&connections));
    before.send(&request(&served, "GET", None)).await.unwrap();
    let client = Client::new(settings(0, never, 4), connections);
    let error = client.send(&request(&served, "PUT", None)).await.unwrap_err();
    assert!(matches!(error.kind, SendErrorKind::RunTimeout), "{error}");
    assert_eq!((error.attempts, error.may_have_acted, sent(&served, "PUT")), (0, false, 0));
}

/// The renewal of a token takes up to a minute.
#[tokio::test]
async fn request_waiting_for_token_honors_retry_after() {
    let pause = Duration::from_secs(2);
    let effect =
        Effect::Answer { status: 429, headers: vec![("Retry-After".into(), "2".into())], body: "{}".into() };
    let fault =
        Fault { method: Some("GET".into()), path_contains: String::new(), skip: 0, times: Some(1), effect };
    let served = serve(tenant(&[]), Options { faults: vec![fault], ..Options::default() });
    let (_alive, never) = watch::channel(false);
    let client = Client::new(settings(60, never, 4), Arc::default());
    let (write, read) = (request(&served, "PUT", Some(&Slow)), request(&served, "GET", None));
    let writing = async {
        let began = Instant::now();
        let written = client.send(&write).await;
        (written.unwrap().attempts, began.elapsed())
    };
    let ((attempts, took), _) = join(writing, client.send(&read)).await;
    assert_eq!((attempts, sent(&served, "PUT")), (1, 1));
    assert!(took >= pause, "{took:?}");
}
