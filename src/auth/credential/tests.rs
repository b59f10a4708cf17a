//! Renewals in virtual time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::time::{advance, sleep, timeout};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A source that takes a while and returns prepared tokens or errors.
#[derive(Debug, Default)]
struct Slow {
    asked: Arc<AtomicUsize>,
    takes: Duration,
    gives: Mutex<VecDeque<Result<Duration, &'static str>>>,
}

impl TokenSource for Slow {
    fn token(&self) -> BoxFuture<'_, Result<Token, SignInError>> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            if number > 0 {
                sleep(self.takes).await;
            }
            let given = self.gives.lock().unwrap().pop_front().unwrap_or(Err("no answer"));
            let life = given.map_err(|text| SignInError::from_service(text.into()))?;
            Ok(Token::new(&number.to_string(), Some(SystemTime::now() + life)).unwrap())
        })
    }
}

/// Returns a credential whose first token is valid for an hour, and the number of requested tokens.
async fn credential(
    takes: Duration,
    later: &[Result<Duration, &'static str>],
) -> (Credential, Arc<AtomicUsize>) {
    let gives = [&[Ok(HOUR)], later].concat().into();
    let slow = Slow { takes, gives: Mutex::new(gives), ..Slow::default() };
    let asked = Arc::clone(&slow.asked);
    (Credential::from_source(slow, Kind::AzureCli).await.unwrap(), asked)
}

async fn number(credential: &Credential) -> Result<String, String> {
    let header = credential.header().await.map_err(|error| error.to_string())?;
    Ok(header.to_str().unwrap().trim_start_matches("Bearer ").to_owned())
}

/// Returns the token if it is available without waiting.
async fn at_once(credential: &Credential) -> Option<Result<String, String>> {
    timeout(Duration::ZERO, number(credential)).await.ok()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn failed_slow_renewal_is_not_retried_at_once() {
    let (credential, asked) = credential(seconds(60), &[Err("no"), Ok(HOUR)]).await;
    advance(HOUR - seconds(200)).await;
    assert_eq!(number(&credential).await.unwrap(), "0");
    for _ in 0..10 {
        assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    advance(RETRY_INTERVAL).await;
    assert_eq!(number(&credential).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn requests_use_the_valid_token_during_a_renewal() {
    let (credential, asked) = credential(seconds(60), &[Ok(HOUR)]).await;
    advance(HOUR - seconds(200)).await;
    let others = async {
        sleep(seconds(1)).await;
        for _ in 0..10 {
            assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
        }
        sleep(seconds(60)).await;
        assert_eq!(at_once(&credential).await.unwrap().unwrap(), "1");
    };
    let (renewed, ()) = tokio::join!(number(&credential), others);
    assert_eq!(renewed.unwrap(), "1");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn expired_token_is_renewed_once_for_all_waiting_requests_even_if_it_fails() {
    let (credential, asked) = credential(seconds(60), &[Err("no"), Ok(HOUR)]).await;
    advance(HOUR + seconds(1)).await;
    let began = Instant::now();
    for answer in join_all((0..16).map(|_| number(&credential))).await {
        assert_eq!(
            answer.unwrap_err(),
            "the access token expired or was rejected, and cannot be renewed: no"
        );
    }
    assert_eq!(began.elapsed(), seconds(60));
    assert!(at_once(&credential).await.unwrap().is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    advance(RETRY_INTERVAL).await;
    for answer in join_all((0..16).map(|_| number(&credential))).await {
        assert_eq!(answer.unwrap(), "2");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn failed_renewal_is_retried_when_the_token_expires() {
    let (credential, _) = credential(seconds(1), &[Err("no"), Ok(HOUR)]).await;
    advance(HOUR - seconds(10)).await;
    assert_eq!(number(&credential).await.unwrap(), "0");
    advance(seconds(10)).await;
    assert_eq!(number(&credential).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn renewal_is_not_retried_after_the_login_is_over() {
    let over = "AADSTS700024: Client assertion is not within its valid time range.";
    let (credential, asked) = credential(seconds(1), &[Err(over)]).await;
    advance(HOUR - seconds(200)).await;
    for _ in 0..5 {
        assert_eq!(number(&credential).await.unwrap(), "0");
        advance(RETRY_INTERVAL).await;
    }
    advance(HOUR).await;
    for _ in 0..5 {
        assert!(credential.header().await.unwrap_err().is_login_over);
        advance(RETRY_INTERVAL).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_not_used_again_after_the_login_is_over() {
    let over = "AADSTS700024: Client assertion is not within its valid time range.";
    for before_rejection in [Duration::ZERO, HOUR - seconds(200)] {
        let (credential, asked) = credential(seconds(1), &[Err(over)]).await;
        advance(before_rejection).await;
        let rejected = credential.header().await.unwrap();
        for _ in 0..5 {
            assert!(credential.renewed(&rejected).await.unwrap_err().is_login_over);
            assert!(credential.header().await.unwrap_err().is_login_over);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_renewal_is_restarted_by_the_next_request() {
    let (credential, asked) = credential(seconds(60), &[Ok(HOUR)]).await;
    advance(HOUR + seconds(1)).await;
    assert!(timeout(seconds(10), number(&credential)).await.is_err());
    assert_eq!(number(&credential).await.unwrap(), "2");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_not_used_while_a_new_one_is_requested() {
    let (credential, asked) = credential(seconds(2), &[Ok(HOUR)]).await;
    let refused = credential.header().await.unwrap();
    let other = async {
        sleep(seconds(1)).await;
        assert_eq!(at_once(&credential).await, None);
        assert_eq!(number(&credential).await.unwrap(), "1");
    };
    let renewed = credential.renewed(&refused);
    let (first, second, ()) = tokio::join!(renewed, credential.renewed(&refused), other);
    assert_eq!((first, second), (Ok(true), Ok(true)));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // It replaced a rejected token, so it is not replaced again.
    let refused = credential.header().await.unwrap();
    assert_eq!(credential.renewed(&refused).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_used_again_if_there_is_no_new_one() {
    let (credential, asked) = credential(seconds(2), &[Err("no")]).await;
    let refused = credential.header().await.unwrap();
    assert!(timeout(seconds(1), credential.renewed(&refused)).await.is_err());
    assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
    assert_eq!(credential.renewed(&refused).await, Ok(false));
    assert_eq!(credential.renewed(&refused).await, Ok(false));
    assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}
