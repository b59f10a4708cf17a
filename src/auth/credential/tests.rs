//! Renewals, in virtual time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use tokio::time::{advance, sleep, timeout};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Takes its time for each token, and gives one or a reason.
#[derive(Debug, Default)]
struct Slow {
    asked: Arc<AtomicUsize>,
    takes: Duration,
    gives: Mutex<VecDeque<Result<Duration, &'static str>>>,
}

impl Issuer for Slow {
    fn token(&self) -> BoxFuture<'_, Result<Token, SignInError>> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            if number > 0 {
                sleep(self.takes).await;
            }
            let given = self.gives.lock().unwrap().pop_front().unwrap_or(Err("nobody answers"));
            let life = given.map_err(SignInError::new)?;
            Ok(Token::new(&number.to_string(), Some(SystemTime::now() + life)).unwrap())
        })
    }
}

/// A credential whose first token lives for an hour, and a count of how often one was asked for.
async fn credential(
    takes: Duration,
    later: &[Result<Duration, &'static str>],
) -> (Credential, Arc<AtomicUsize>) {
    let gives = [&[Ok(HOUR)], later].concat().into();
    let slow = Slow { takes, gives: Mutex::new(gives), ..Slow::default() };
    let asked = Arc::clone(&slow.asked);
    (Credential::issued_by(slow, Kind::AzureCli).await.unwrap(), asked)
}

async fn number(credential: &Credential) -> Result<String, String> {
    let header = credential.header().await.map_err(|error| error.to_string())?;
    Ok(header.to_str().unwrap().trim_start_matches("Bearer ").to_owned())
}

/// What somebody gets who does not wait at all.
async fn at_once(credential: &Credential) -> Option<Result<String, String>> {
    timeout(Duration::ZERO, number(credential)).await.ok()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_took_long_and_failed_is_not_tried_again_at_once() {
    let (credential, asked) = credential(seconds(60), &[Err("no"), Ok(HOUR)]).await;
    advance(HOUR - seconds(200)).await;
    assert_eq!(number(&credential).await.unwrap(), "0");
    for _ in 0..10 {
        assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    advance(PATIENCE).await;
    assert_eq!(number(&credential).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_another_token_while_the_old_one_serves() {
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
async fn after_the_end_one_renewal_is_for_all_who_wait_even_where_it_fails() {
    let (credential, asked) = credential(seconds(60), &[Err("no"), Ok(HOUR)]).await;
    advance(HOUR + seconds(1)).await;
    let began = Instant::now();
    for answer in join_all((0..16).map(|_| number(&credential))).await {
        assert_eq!(answer.unwrap_err(), "the access token expired and cannot be renewed: no");
    }
    assert_eq!(began.elapsed(), seconds(60));
    assert!(at_once(&credential).await.unwrap().is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    advance(PATIENCE).await;
    for answer in join_all((0..16).map(|_| number(&credential))).await {
        assert_eq!(answer.unwrap(), "2");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_failed_is_tried_once_more_when_the_token_expires() {
    let (credential, _) = credential(seconds(1), &[Err("no"), Ok(HOUR)]).await;
    advance(HOUR - seconds(10)).await;
    assert_eq!(number(&credential).await.unwrap(), "0");
    advance(seconds(10)).await;
    assert_eq!(number(&credential).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_nobody_waits_for_any_more_is_begun_by_the_next() {
    let (credential, asked) = credential(seconds(60), &[Ok(HOUR)]).await;
    advance(HOUR + seconds(1)).await;
    assert!(timeout(seconds(10), number(&credential)).await.is_err());
    assert_eq!(number(&credential).await.unwrap(), "2");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_out_with_a_refused_token_while_another_is_asked_for() {
    let (credential, asked) = credential(seconds(2), &[Ok(HOUR)]).await;
    let refused = credential.header().await.unwrap();
    let other = async {
        sleep(seconds(1)).await;
        assert_eq!(at_once(&credential).await, None);
        assert_eq!(number(&credential).await.unwrap(), "1");
    };
    let renewed = credential.renewed(&refused);
    let (first, second, ()) = tokio::join!(renewed, credential.renewed(&refused), other);
    assert!(first && second);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    // It took the place of a refused one: if it is refused too, another will be.
    let refused = credential.header().await.unwrap();
    assert!(!credential.renewed(&refused).await);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_used_on_where_there_is_no_other() {
    let (credential, asked) = credential(seconds(2), &[Err("no")]).await;
    let refused = credential.header().await.unwrap();
    assert!(timeout(seconds(1), credential.renewed(&refused)).await.is_err());
    assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
    assert!(!credential.renewed(&refused).await);
    assert!(!credential.renewed(&refused).await);
    assert_eq!(at_once(&credential).await.unwrap().unwrap(), "0");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}
