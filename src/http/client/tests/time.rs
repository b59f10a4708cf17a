//! The time that one request may take, and hosts that answered before and then are silent.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Starts a server that answers each request with the status line and headers that `answer` returns for its path, or
/// not at all. Returns its URL.
async fn serve(answer: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                // Each request is one packet.
                while let Ok(read @ 1..) = stream.read(&mut request).await {
                    let head = String::from_utf8_lossy(&request[..read]).into_owned();
                    if let Some(answer) = answer(head.split(' ').nth(1).unwrap()) {
                        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    url
}

async fn send(client: &Client, url: &str, path: &str) -> Result<Answer, SendError> {
    client.send(&request(Method::GET, &format!("{url}{path}"), RetryBudget::UntilDeadline)).await
}

#[tokio::test(start_paused = true)]
async fn request_that_always_fails_ends_within_45_s() {
    let url = serve(|_| Some("500 Internal Server Error")).await;
    let client = client(Connections::default(), 200);
    let began = Instant::now();
    let answer = send(&client, &url, "/a").await.unwrap();
    assert_eq!(answer.status, 500);
    assert!((5..=8).contains(&answer.attempts), "{}", answer.attempts);
    assert!(began.elapsed() <= Duration::from_secs(45), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn request_that_hangs_ends_after_45_s_and_holds_up_no_other() {
    let url = serve(|path| (path != "/hangs").then_some("200 OK")).await;
    let client = client(Connections::default(), 200);
    let began = Instant::now();
    let hangs = async {
        let error = send(&client, &url, "/hangs").await.unwrap_err();
        assert_eq!(error.to_string(), "no answer within 45 s (tried 2 times)");
        began.elapsed().as_secs()
    };
    let others = async {
        let others = join_all((0..40).map(|_| send(&client, &url, "/other"))).await;
        assert!(others.iter().all(|answer| answer.as_ref().unwrap().status == 200));
        began.elapsed().as_secs()
    };
    assert_eq!(tokio::join!(hangs, others), (45, 0));
    assert!(!client.host(&url.parse().unwrap()).is_failing());
}

/// The first request is answered before the others are sent, or meanwhile.
#[tokio::test(start_paused = true)]
async fn host_that_answered_once_fails_all_requests_within_60_s() {
    for is_first in [true, false] {
        let url = serve(|path| (path == "/first").then_some("200 OK")).await;
        let client = client(Connections::default(), 200);
        let hanging = format!("{url}/hangs");
        let (error, took) = if is_first {
            assert_eq!(send(&client, &url, "/first").await.unwrap().status, 200);
            get_all(&client, &hanging, 198).await
        } else {
            tokio::join!(get_all(&client, &hanging, 198), send(&client, &url, "/first")).0
        };
        assert_eq!(error.reason, FailureReason::NoAnswer(Duration::from_secs(30)));
        assert!((59..=61).contains(&took.as_secs()), "{is_first}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honored_beyond_45_s_once() {
    let busy = "503 Service Unavailable\r\nRetry-After: 100";
    let url = serve(move |_| Some(busy)).await;
    let client = client(Connections::default(), 200);
    let began = Instant::now();
    let answer = send(&client, &url, "/busy").await.unwrap();
    assert_eq!((answer.status, answer.attempts, began.elapsed().as_secs()), (503, 2, 100));
}

/// Otherwise a service that always fails would be asked at the rate limit until the end of the run.
#[tokio::test(start_paused = true)]
async fn retry_after_a_long_wait_for_the_rate_limit_is_the_last() {
    let url = serve(|_| Some("500 Internal Server Error")).await;
    let client = client(Connections::default(), 2);
    let began = Instant::now();
    let answer = send(&client, &url, "/a").await.unwrap();
    assert_eq!((answer.status, answer.attempts, began.elapsed().as_secs()), (500, 3, 60));
}

#[tokio::test(start_paused = true)]
async fn throttled_attempts_do_not_use_the_time_of_a_request() {
    let requests = std::sync::atomic::AtomicU32::new(0);
    let url = serve(move |_| match requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0..10 => Some("429 Too Many Requests\r\nRetry-After: 20"),
        _ => Some("200 OK"),
    })
    .await;
    let client = client(Connections::default(), 200);
    let began = Instant::now();
    let answer = send(&client, &url, "/busy").await.unwrap();
    assert_eq!((answer.status, answer.attempts, began.elapsed().as_secs()), (200, 11, 200));
}
