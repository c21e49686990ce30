//! The turn of a connection: how long it is read at a time, and how many requests are begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// So long a connection may be read in one turn.
const TURN: Duration = Duration::from_micros(250);
/// So many requests are begun in one turn; a single read may bring hundreds.
const REQUESTS: usize = 32;

/// The turn of a connection, which whoever polls it begins.
#[derive(Debug)]
pub(crate) struct Turn {
    base: Instant,
    /// Nanoseconds after `base`.
    end: AtomicI64,
    /// Requests that may still begin in this turn.
    left: AtomicUsize,
    /// Requests that wait for another.
    waiting: AtomicUsize,
    /// Of those, how many are told to begin, and have not yet.
    called: AtomicUsize,
    /// Requests whose answer has not begun.
    unanswered: AtomicUsize,
    starts: Semaphore,
}

impl Turn {
    /// None yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            base: Instant::now(),
            end: AtomicI64::new(0),
            left: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            called: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            starts: Semaphore::new(0),
        })
    }

    /// A new one begins: requests that wait come first, once those before them have begun.
    pub(crate) fn begin(&self, now: Instant) {
        let end = self.nanoseconds(now) + nanoseconds(TURN);
        self.end.store(end, Ordering::Relaxed);
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting == 0 {
            self.left.store(REQUESTS, Ordering::Relaxed);
        } else if self.called.load(Ordering::Relaxed) == 0 {
            let begun = waiting.min(REQUESTS);
            self.called.store(begun, Ordering::Relaxed);
            self.starts.add_permits(begun);
        }
    }

    /// A request has come; what it has to wait for, if anything.
    pub(crate) fn request(self: &Arc<Self>) -> Option<Waiting> {
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            // Nobody else does: a connection is polled by one thread at a time.
            self.left.store(left - 1, Ordering::Relaxed);
            return None;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Some(Waiting(Arc::clone(self)))
    }

    /// A request counts as unanswered until this is dropped.
    pub(crate) fn unanswered(self: &Arc<Self>) -> Unanswered {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        Unanswered(Arc::clone(self))
    }

    /// Whether there are answers to come.
    pub(crate) fn has_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) > 0
    }

    /// Whether its time is over.
    pub(crate) fn is_used_up(&self, now: Instant) -> bool {
        self.nanoseconds(now) >= self.end.load(Ordering::Relaxed)
    }

    /// Whether it is somebody else's turn.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 || self.is_used_up(now)
    }

    fn nanoseconds(&self, now: Instant) -> i64 {
        nanoseconds(now.duration_since(self.base))
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// A request whose answer has not begun.
#[derive(Debug)]
pub(crate) struct Unanswered(Arc<Turn>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.unanswered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that waits for a turn.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Turn>);

impl Waiting {
    /// Comes back when it is its turn, or there are no more.
    pub(crate) async fn over(self) {
        if let Ok(start) = self.0.starts.acquire().await {
            start.forget();
            self.0.called.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The turns of a connection, while there is one; then nobody waits for them.
#[derive(Debug)]
pub(crate) struct Turns(pub(crate) Arc<Turn>);

impl Drop for Turns {
    fn drop(&mut self) {
        self.0.starts.close();
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    /// So many requests that have come in one turn, and are begun as they may be.
    fn come(turn: &Arc<Turn>, requests: usize) -> JoinSet<()> {
        turn.begin(Instant::now());
        let started = (0..requests).map(|_| turn.request()).collect::<Vec<_>>();
        let mut begun = JoinSet::new();
        for waiting in started {
            begun.spawn(async move {
                if let Some(waiting) = waiting {
                    waiting.over().await;
                }
            });
        }
        begun
    }

    async fn begun_in(requests: &mut JoinSet<()>) -> usize {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let mut begun = 0;
        while requests.try_join_next().is_some() {
            begun += 1;
        }
        begun
    }

    #[test]
    fn a_turn_lasts_its_time() {
        let turn = Turn::new();
        let now = Instant::now();
        turn.begin(now);
        assert!(!turn.is_over(now));
        assert!(turn.is_over(now + TURN));
        turn.begin(now + TURN);
        assert!(!turn.is_over(now + TURN));
    }

    #[tokio::test]
    async fn requests_are_begun_by_turns_and_nothing_is_read_while_some_wait() {
        let turn = Turn::new();
        let mut requests = come(&turn, 2 * REQUESTS + 1);
        assert_eq!(begun_in(&mut requests).await, REQUESTS);
        let now = Instant::now();
        turn.begin(now);
        // Once more before they have run, which brings no more of them.
        turn.begin(now);
        assert_eq!(begun_in(&mut requests).await, REQUESTS);
        assert!(turn.is_over(now));
        turn.begin(now);
        assert_eq!(begun_in(&mut requests).await, 1);
        assert!(!turn.is_over(now));
    }

    #[tokio::test]
    async fn requests_that_are_given_up_take_nobodys_turn() {
        let turn = Turn::new();
        let mut requests = come(&turn, REQUESTS + 5);
        assert_eq!(begun_in(&mut requests).await, REQUESTS);
        turn.begin(Instant::now());
        requests.shutdown().await;
        let mut others = come(&turn, REQUESTS);
        assert_eq!(begun_in(&mut others).await, REQUESTS);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_connection_that_has_ended() {
        let turn = Turn::new();
        let mut requests = come(&turn, REQUESTS + 5);
        drop(Turns(turn));
        assert_eq!(begun_in(&mut requests).await, REQUESTS + 5);
    }
}
