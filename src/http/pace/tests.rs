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

/// Room for requests that are sent.
async fn sent(pace: &Pace, most: u32, deadline: Instant) -> Result<Room<'_>, TooLate> {
    let mut room = pace.room(count(most), deadline).await?;
    room.sent();
    Ok(room)
}

async fn times(pace: &Pace, requests: usize) -> Vec<u64> {
    let start = Instant::now();
    let deadline = start + Duration::from_secs(3600);
    let mut times = Vec::new();
    for _ in 0..requests {
        sent(pace, 1, deadline).await.unwrap();
        times.push(start.elapsed().as_secs());
    }
    times
}

#[tokio::test(start_paused = true)]
async fn no_span_holds_more_requests_than_the_rate() {
    assert_eq!(times(&Pace::new(rate(3, 10)), 7).await, [0, 0, 0, 10, 10, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_until_a_span_after_its_answer() {
    let pace = Pace::new(rate(1, 10));
    let deadline = Instant::now() + Duration::from_secs(3600);
    let room = sent(&pace, 1, deadline).await.unwrap();
    let answered = async {
        sleep(Duration::from_secs(3)).await;
        drop(room);
    };
    tokio::join!(answered, async { assert_eq!(times(&pace, 1).await, [13]) });
}

#[tokio::test(start_paused = true)]
async fn several_requests_get_the_room_there_is() {
    let pace = Pace::new(rate(50, 10));
    let deadline = Instant::now() + Duration::from_secs(3600);
    let mut granted = Vec::new();
    for _ in 0..4 {
        granted.push(sent(&pace, 20, deadline).await.unwrap().requests());
    }
    assert_eq!(granted, [20, 20, 10, 20]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_does_not_count_and_what_was_not_looked_into_counts_once() {
    let pace = Pace::new(rate(20, 10));
    let deadline = Instant::now() + Duration::from_secs(3600);
    drop(pace.room(count(20), deadline).await.unwrap());
    let mut refused = sent(&pace, 20, deadline).await.unwrap();
    refused.sent_as_one();
    drop(refused);
    assert_eq!(sent(&pace, 20, deadline).await.unwrap().requests(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everything_and_the_longest_counts() {
    let pace = Pace::new(rate(9, 10));
    assert!(pace.throttled(0, Duration::from_secs(7), true));
    assert!(!pace.throttled(0, Duration::from_secs(3), true));
    assert_eq!(times(&pace, 1).await, [7]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_go_out_in_time_is_told_at_once() {
    let pace = Pace::new(rate(1, 60));
    let deadline = Instant::now() + Duration::from_secs(30);
    drop(sent(&pace, 1, deadline).await.unwrap());
    assert_eq!(sent(&pace, 1, deadline).await.unwrap_err(), TooLate::Budget);
    pace.throttled(1, Duration::MAX, true);
    let late = sent(&pace, 1, deadline).await.unwrap_err();
    assert!(matches!(late, TooLate::Paused { asked: true, .. }));
}

/// A service that gives all apps together so many requests in a span, and turns others away with a
/// `Retry-After` of whole seconds, as Graph does.
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

    /// Takes a request, or says for how long it does not.
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

    /// Another app, which takes its share evenly.
    async fn another(&self, share: Rate) {
        loop {
            _ = self.ask();
            sleep(share.per / share.requests.get()).await;
        }
    }

    /// A run of so many requests, in batches of 20, 16 of them in flight, each 50 ms long.
    async fn run(&self, pace: &Pace, requests: u32) {
        let left = tokio::sync::Mutex::new(requests);
        let deadline = Instant::now() + Duration::from_secs(3600);
        join_all((0..16).map(async |_| {
            loop {
                let mut queue = left.lock().await;
                let Some(most) = NonZeroU32::new((*queue).min(20)) else { break };
                let room = sent(pace, most.get(), deadline).await.unwrap();
                *queue -= room.requests();
                drop(queue);
                assert!(Instant::now() >= self.not_before.get(), "sent while it was to wait");
                let refusals: Vec<_> = (0..room.requests()).filter_map(|_| self.ask().err()).collect();
                sleep(Duration::from_millis(50)).await;
                drop(room);
                if let Some(pause) = refusals.iter().max() {
                    let refused = u32::try_from(refusals.len()).unwrap();
                    self.refused.set(self.refused.get() + refused);
                    pace.throttled(refused, *pause, true);
                    self.not_before.set(self.not_before.get().max(Instant::now() + *pause));
                    *left.lock().await += refused;
                }
            }
        }))
        .await;
    }
}

/// Of 300 requests in a span, others take a share; the run learns what is left of them. Nobody can know
/// it before the first 429, so the longer the run, the smaller the part that is refused.
#[tokio::test(start_paused = true)]
async fn beside_others_little_is_refused_and_little_time_lost() {
    for (others, per, requests) in
        [(110, 6, 1_000), (150, 6, 2_000), (200, 6, 4_000), (150, 60, 2_000), (200, 60, 4_000)]
    {
        let service = Service::new(rate(300, per));
        let pace = Pace::new(rate(200, per));
        // They have been at it for a while. Where both ask at one moment they are first: else who is would
        // be a matter of chance.
        tokio::select! {
            biased;
            () = service.another(rate(others, per)) => {}
            () = sleep(Duration::from_secs(per)) => {}
        }
        let started = Instant::now();
        tokio::select! {
            biased;
            () = service.another(rate(others, per)) => {}
            () = service.run(&pace, requests) => {}
        }
        let spans = (requests - 1) / (300 - others);
        let least = Duration::from_secs(per) * spans;
        let (took, refused) = (started.elapsed(), service.refused.get());
        assert!(took.as_secs_f64() <= least.as_secs_f64() * 1.1, "{others}/{per}: {took:?} of {least:?}");
        assert!(f64::from(refused) < f64::from(requests + refused) * 0.05, "{others}/{per}: {refused}");
    }
}

/// A 429 that had nothing to do with the limit costs little.
#[tokio::test(start_paused = true)]
async fn a_single_refusal_is_soon_forgotten() {
    let service = Service::new(rate(1_000, 60));
    let pace = Pace::new(rate(200, 60));
    pace.throttled(1, Duration::from_secs(1), true);
    let started = Instant::now();
    service.run(&pace, 200).await;
    assert_eq!(service.refused.get(), 0);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}
