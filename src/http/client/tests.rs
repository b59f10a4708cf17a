//! Requests to hosts that cannot be reached, in virtual time. Nothing leaves the machine.

mod http2;
mod time;

use std::io;
use std::net::TcpListener;

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::dns::{Name, Resolve, Resolving};
use tokio::time::{Instant, sleep};

use super::*;
use crate::http::failure::AttemptFailure;
use crate::http::retry::Policy;
use crate::http::warnings::Warnings;
use crate::http::{
    FailureReason, Proxies, Rate, ResolveError, Route, TrustStore, Unreachable, never_stopped,
};

/// A resolver that finds no name after the time that it takes.
struct NoNames(Duration);

impl Resolve for NoNames {
    fn resolve(&self, _: Name) -> Resolving {
        let takes = self.0;
        Box::pin(async move {
            sleep(takes).await;
            let source = io::Error::other("Name or service not known");
            Err(ResolveError { source }.into())
        })
    }
}

fn client(connections: Connections, requests: u32) -> Client {
    let settings = Settings {
        parallelism: NonZeroU32::new(16).unwrap(),
        rate: Rate { requests: NonZeroU32::new(requests).unwrap(), per: Duration::from_secs(60) },
        deadline: Instant::now() + Duration::from_secs(600),
        retry: Policy::default(),
        stop: never_stopped(),
        meter: Arc::default(),
    };
    Client::new(settings, Arc::new(connections))
}

fn request(method: Method, url: &str, budget: RetryBudget) -> Request<'static> {
    Request { retry_budget: budget, ..Request::new(method, url.parse().unwrap()) }
}

async fn get(client: &Client, url: &str) -> SendError {
    client.send(&request(Method::GET, url, RetryBudget::UntilDeadline)).await.unwrap_err()
}

/// Sends GET requests at the same time. Returns the one error of all of them and how long it took.
async fn get_all(client: &Client, url: &str, requests: usize) -> (Arc<Unreachable>, Duration) {
    let began = Instant::now();
    let errors = join_all((0..requests).map(|_| get(client, url))).await;
    let took = began.elapsed();
    let first = Arc::clone(errors[0].unreachable().unwrap());
    for error in &errors {
        assert!(Arc::ptr_eq(error.unreachable().unwrap(), &first), "{error}");
    }
    (first, took)
}

fn no_names(takes: u64) -> Connections {
    // A minimal system has no certificate authorities.
    let trust_store = TrustStore { file: Some("tests/certificates/pkcs8.pem".into()), folders: None };
    let connections = Connections::default().with_environment(Proxies::default(), trust_store);
    connections.with_resolver(Arc::new(NoNames(Duration::from_secs(takes))))
}

/// A listener whose connections are established by the system and never answered.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/beta", listener.local_addr().unwrap());
    (listener, url)
}

const NOWHERE: &str = "https://user:pw@graph.invalid:8443/beta?x=y";

#[tokio::test(start_paused = true)]
async fn unresolved_name_fails_all_requests_with_one_error_within_20_s() {
    for requests in [1, 198, 2000] {
        let client = client(no_names(0), 200);
        let (error, took) = get_all(&client, NOWHERE, requests).await;
        let text = "cannot reach graph.invalid:8443: name not resolved: Name or service not known";
        assert_eq!(error.to_string(), text);
        assert!(took <= Duration::from_secs(20), "{requests}: {took:?}");
        assert!(took >= Duration::from_secs(5), "{requests}: {took:?}");
        assert_eq!(client.limits.settings.meter.figures().requests, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn swallowed_packets_fail_all_requests_within_20_s() {
    for requests in [1, 198, 2000] {
        let (error, took) = get_all(&client(no_names(3600), 200), NOWHERE, requests).await;
        assert_eq!(error.reason, FailureReason::ConnectTimeout(Duration::from_secs(9)));
        assert!(took <= Duration::from_secs(20), "{requests}: {took:?}");
        assert!(took >= Duration::from_secs(18), "{requests}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silent_host_fails_all_requests_within_60_s() {
    for requests in [1, 198, 2000] {
        let (_listener, url) = silent();
        let (error, took) = get_all(&client(Connections::default(), 200), &url, requests).await;
        assert_eq!(error.reason, FailureReason::NoAnswer(Duration::from_secs(30)));
        assert_eq!(took.as_secs(), 60, "{requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_connection_does_not_use_the_rate_limit() {
    let (error, took) = get_all(&client(no_names(0), 1), NOWHERE, 198).await;
    assert!(matches!(error.reason, FailureReason::NameNotResolved(_)), "{error}");
    assert!(took <= Duration::from_secs(20), "{took:?}");
}

/// The first requests, which were sent, use up the rate limit of the second attempt.
#[tokio::test(start_paused = true)]
async fn silent_host_fails_all_requests_even_if_the_rate_limit_has_no_room() {
    let (_listener, url) = silent();
    let (error, took) = get_all(&client(Connections::default(), 16), &url, 198).await;
    assert_eq!(error.reason, FailureReason::NoAnswer(Duration::from_secs(30)));
    assert_eq!(took.as_secs(), 65);
}

#[tokio::test(start_paused = true)]
async fn put_without_connection_is_not_sent() {
    let client = client(no_names(0), 200);
    let error = client.send(&request(Method::PUT, NOWHERE, RetryBudget::UntilDeadline)).await.unwrap_err();
    assert!(error.unreachable().is_some(), "{error}");
    assert_eq!((error.attempts, error.may_have_acted, error.client_request_id), (0, false, None));
}

#[tokio::test(start_paused = true)]
async fn put_to_silent_host_may_have_acted() {
    let (_listener, url) = silent();
    let client = client(Connections::default(), 200);
    let error = client.send(&request(Method::PUT, &url, RetryBudget::UntilDeadline)).await.unwrap_err();
    assert!(error.unreachable().is_some(), "{error}");
    assert_eq!((error.attempts, error.may_have_acted), (2, true));
}

#[tokio::test(start_paused = true)]
async fn request_with_a_deadline_fails_at_it_with_the_reason() {
    let client = client(no_names(0), 200);
    let began = Instant::now();
    let request = request(Method::GET, NOWHERE, RetryBudget::For(Duration::from_secs(3)));
    let error = client.send(&request).await.unwrap_err();
    assert!(error.unreachable().is_some(), "{error}");
    assert!(began.elapsed() <= Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn request_after_the_host_was_given_up_fails_at_once_and_later_probes_once() {
    let client = client(no_names(9), 200);
    get_all(&client, NOWHERE, 3).await;
    let (_, took) = get_all(&client, NOWHERE, 198).await;
    assert_eq!(took, Duration::ZERO);
    sleep(Duration::from_secs(5)).await;
    let (_, took) = get_all(&client, NOWHERE, 198).await;
    assert_eq!(took.as_secs(), 9);
}

/// The first attempts are refused, and the last one is not answered.
#[tokio::test(start_paused = true)]
async fn outage_whose_reason_changes_fails_all_requests_with_one_error_within_20_s() {
    for requests in [1, 198] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}/beta", socket.local_addr().unwrap());
        let silent = async {
            // A bound socket that does not listen refuses connections.
            sleep(Duration::from_secs(2)).await;
            let listener = socket.listen(256).unwrap();
            sleep(Duration::from_secs(60)).await;
            drop(listener);
        };
        let client = client(Connections::default(), 200);
        let ((error, took), ()) = tokio::join!(get_all(&client, &url, requests), silent);
        assert_eq!(error.reason, FailureReason::Refused);
        assert_eq!(took.as_secs(), 20, "{requests}");
    }
}

/// A stale connection is replaced at once, but a host that is down is not asked in a loop.
#[tokio::test(start_paused = true)]
async fn refused_connection_is_repeated_once_without_a_pause() {
    let began = Instant::now();
    let host = Host::new(&NOWHERE.parse().unwrap(), Route::Direct, Warnings::default());
    let mut pauses = Vec::new();
    let mut probe = None;
    for _ in 0..3 {
        let refused = AttemptFailure::transient(FailureReason::Refused);
        host.record_failure(refused, Instant::now(), probe, &Policy::default());
        let failed_at = Instant::now();
        probe = host.admit(began + Duration::from_secs(20), false).await.unwrap();
        pauses.push(failed_at.elapsed().as_secs_f64());
    }
    assert_eq!(pauses[0], 0.0);
    assert!((1.0..=2.0).contains(&pauses[1]) && (2.0..=4.0).contains(&pauses[2]), "{pauses:?}");
}

/// Refuses the first connections and answers the others.
async fn comes_back(after: Duration) -> (String, tokio::task::JoinHandle<()>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/beta", socket.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        // A bound socket that does not listen refuses connections.
        sleep(after).await;
        let listener = socket.listen(256).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                while let Ok(()) = stream.readable().await {
                    match stream.try_read(&mut request) {
                        Ok(0) => break,
                        Ok(_) => _ = stream.try_write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
                        Err(_) => {}
                    }
                }
            });
        }
    });
    (url, serving)
}

#[tokio::test]
async fn host_that_comes_back_answers_all_requests() {
    let (url, serving) = comes_back(Duration::from_millis(700)).await;
    let client = client(Connections::default(), 1000);
    let gets =
        (0..198).map(async |_| client.send(&request(Method::GET, &url, RetryBudget::UntilDeadline)).await);
    for answer in join_all(gets).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(client.limits.settings.meter.figures().requests, 198);
    serving.abort();
}

/// What a last read-back after an outage needs.
#[tokio::test]
async fn final_attempts_reach_a_host_that_was_given_up_and_came_back() {
    let (url, serving) = comes_back(Duration::from_millis(500)).await;
    let client = client(Connections::default(), 1000);
    let brief = request(Method::GET, &url, RetryBudget::For(Duration::ZERO));
    assert!(client.send(&brief).await.is_err());
    let host = client.host(&url.parse().unwrap());
    host.record_failure(
        AttemptFailure { reason: FailureReason::Refused, is_permanent: true },
        Instant::now(),
        None,
        &Policy::default(),
    );
    sleep(Duration::from_millis(600)).await;
    let refused = client.send(&request(Method::GET, &url, RetryBudget::UntilDeadline)).await.unwrap_err();
    assert!(refused.unreachable().is_some(), "{refused}");
    let last =
        (0..20).map(async |_| client.send(&request(Method::GET, &url, RetryBudget::final_attempt())).await);
    for answer in join_all(last).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    serving.abort();
}
