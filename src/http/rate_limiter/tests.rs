use std::cell::{Cell, RefCell};

use futures_util::future::join_all;
use tokio::time::sleep;

use super::*;

fn rate(requests: u32, seconds: u64) -> Rate {
    Rate { requests: NonZeroU32::new(requests).unwrap(), per: Duration::from_secs(seconds) }
}

fn count(requests: u32) -> NonZeroU32 {
    NonZeroU32::new(requests).unwrap()
}

/// Acquires a permit and marks its requests as sent.
async fn sent(limiter: &RateLimiter, most: u32, deadline: Instant) -> Result<RatePermit<'_>, LimitError> {
    let mut room = limiter.acquire(count(most), deadline).await?;
    room.sent = room.requests;
    Ok(room)
}

async fn times(limiter: &RateLimiter, requests: usize) -> Vec<u64> {
    let start = Instant::now();
    let deadline = start + Duration::from_secs(3600);
    let mut times = Vec::new();
    for _ in 0..requests {
        sent(limiter, 1, deadline).await.unwrap();
        times.push(start.elapsed().as_secs());
    }
    times
}

#[tokio::test(start_paused = true)]
async fn window_never_exceeds_the_rate() {
    assert_eq!(times(&RateLimiter::new(rate(3, 10)), 7).await, [0, 0, 0, 10, 10, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn request_counts_until_one_window_after_its_response() {
    let limiter = RateLimiter::new(rate(1, 10));
    let deadline = Instant::now() + Duration::from_secs(3600);
    let room = sent(&limiter, 1, deadline).await.unwrap();
    let answered = async {
        sleep(Duration::from_secs(3)).await;
        drop(room);
    };
    tokio::join!(answered, async { assert_eq!(times(&limiter, 1).await, [13]) });
}

#[tokio::test(start_paused = true)]
async fn permit_for_several_requests_is_limited_by_the_rate() {
    let limiter = RateLimiter::new(rate(50, 10));
    let deadline = Instant::now() + Duration::from_secs(3600);
    let mut granted = Vec::new();
    for _ in 0..4 {
        granted.push(sent(&limiter, 20, deadline).await.unwrap().requests);
    }
    assert_eq!(granted, [20, 20, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn unsent_requests_do_not_count_and_a_rejected_batch_counts_once() {
    let limiter = RateLimiter::new(rate(20, 10));
    let deadline = Instant::now() + Duration::from_secs(3600);
    drop(limiter.acquire(count(20), deadline).await.unwrap());
    let mut refused = sent(&limiter, 20, deadline).await.unwrap();
    refused.sent = 1;
    drop(refused);
    assert_eq!(sent(&limiter, 20, deadline).await.unwrap().requests, 19);
}

#[tokio::test(start_paused = true)]
async fn pause_delays_all_requests_until_the_longest_one_ends() {
    let limiter = RateLimiter::new(rate(9, 10));
    assert!(limiter.record_throttling(0, Duration::from_secs(7), true));
    assert!(!limiter.record_throttling(0, Duration::from_secs(3), true));
    assert_eq!(times(&limiter, 1).await, [7]);
}

#[tokio::test(start_paused = true)]
async fn request_that_cannot_be_admitted_in_time_fails_at_once() {
    let limiter = RateLimiter::new(rate(1, 60));
    let deadline = Instant::now() + Duration::from_secs(30);
    drop(sent(&limiter, 1, deadline).await.unwrap());
    assert_eq!(sent(&limiter, 1, deadline).await.unwrap_err(), LimitError::RateExceeded);
    limiter.record_throttling(1, Duration::MAX, true);
    let late = sent(&limiter, 1, deadline).await.unwrap_err();
    assert!(matches!(late, LimitError::Paused { requested: true, .. }));
}

/// A service with one limit for all apps, which rejects requests beyond it with a `Retry-After` of whole
/// seconds, as Graph does.
struct Service {
    rate: Rate,
    admitted: RefCell<VecDeque<Instant>>,
    refused: Cell<u32>,
    not_before: Cell<Instant>,
}

impl Service {
    fn new(rate: Rate) -> Self {
        let not_before = Cell::new(Instant::now());
        Self { rate, admitted: RefCell::default(), refused: Cell::new(0), not_before }
    }

    /// Accepts a request, or returns its `Retry-After`.
    fn ask(&self) -> Result<(), Duration> {
        let (now, mut admitted) = (Instant::now(), self.admitted.borrow_mut());
        while admitted.front().is_some_and(|at| *at + self.rate.per <= now) {
            admitted.pop_front();
        }
        match admitted.front() {
            Some(oldest) if admitted.len() >= self.rate.requests.get() as usize => {
                let wait = *oldest + self.rate.per - now;
                Err(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
            }
            _ => {
                admitted.push_back(now);
                Ok(())
            }
        }
    }

    /// Another app, which sends requests at regular intervals.
    async fn another(&self, share: Rate) {
        loop {
            _ = self.ask();
            sleep(share.per / share.requests.get()).await;
        }
    }

    /// A run of `requests` in batches of 20, with 16 in flight of 50 ms each.
    async fn run(&self, limiter: &RateLimiter, requests: u32) {
        let left = tokio::sync::Mutex::new(requests);
        let deadline = Instant::now() + Duration::from_secs(3600);
        join_all((0..16).map(async |_| {
            loop {
                let mut queue = left.lock().await;
                let Some(most) = NonZeroU32::new((*queue).min(20)) else { break };
                let room = sent(limiter, most.get(), deadline).await.unwrap();
                *queue -= room.requests;
                drop(queue);
                assert!(Instant::now() >= self.not_before.get(), "sent during a pause");
                let refusals: Vec<_> = (0..room.requests).filter_map(|_| self.ask().err()).collect();
                sleep(Duration::from_millis(50)).await;
                drop(room);
                if let Some(pause) = refusals.iter().max() {
                    let refused = u32::try_from(refusals.len()).unwrap();
                    self.refused.set(self.refused.get() + refused);
                    limiter.record_throttling(refused, *pause, true);
                    self.not_before.set(self.not_before.get().max(Instant::now() + *pause));
                    *left.lock().await += refused;
                }
            }
        }))
        .await;
    }
}

/// Another app uses a share of 300 requests per window. The rest is unknown until the first 429, so the
/// longer the run, the smaller the share of throttled requests.
#[tokio::test(start_paused = true)]
async fn limit_shared_with_another_app_is_found_with_few_429s() {
    for (others, per, requests) in
        [(110, 6, 1_000), (150, 6, 2_000), (200, 6, 4_000), (150, 60, 2_000), (200, 60, 4_000)]
    {
        let service = Service::new(rate(300, per));
        let limiter = RateLimiter::new(rate(200, per));
        // The other app has been running for one window. `biased` makes it first at equal times, so that the
        // result does not depend on chance.
        tokio::select! {
            biased;
            () = service.another(rate(others, per)) => {}
            () = sleep(Duration::from_secs(per)) => {}
        }
        let started = Instant::now();
        tokio::select! {
            biased;
            () = service.another(rate(others, per)) => {}
            () = service.run(&limiter, requests) => {}
        }
        let spans = (requests - 1) / (300 - others);
        let least = Duration::from_secs(per) * spans;
        let (took, refused) = (started.elapsed(), service.refused.get());
        assert!(took.as_secs_f64() <= least.as_secs_f64() * 1.1, "{others}/{per}: {took:?} of {least:?}");
        assert!(f64::from(refused) < f64::from(requests + refused) * 0.05, "{others}/{per}: {refused}");
    }
}

/// A 429 that is unrelated to the limit costs little.
#[tokio::test(start_paused = true)]
async fn single_429_costs_little_time() {
    let service = Service::new(rate(1_000, 60));
    let limiter = RateLimiter::new(rate(200, 60));
    limiter.record_throttling(1, Duration::from_secs(1), true);
    let started = Instant::now();
    service.run(&limiter, 200).await;
    assert_eq!(service.refused.get(), 0);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn rate_from_text_is_requests_per_seconds() {
    let per = Duration::from_secs(60);
    assert_eq!("200/60".parse(), Ok(Rate { requests: NonZeroU32::new(200).unwrap(), per }));
    for bad in ["", "200", "/60", "200/", "0/60", "200/0", "200/60/2", "-1/60", "a/b"] {
        assert_eq!(bad.parse::<Rate>(), Err(InvalidRate), "{bad:?}");
    }
}
