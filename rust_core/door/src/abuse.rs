//! How a connection conducts itself: what it gives up and what it sends that is too large, as a rate, because honest
//! callers do both now and then.
//!
//! HTTP/2 libraries answer a burst of resets by themselves; resets with some space between them pass, and each has cost
//! a request (CVE-2023-44487). They answer header lists that are too large by themselves, too, however many there are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Counts what one connection does that costs more than it should.
#[derive(Debug)]
pub(crate) struct Conduct {
    most: u32,
    second: Mutex<(Instant, u32)>,
    too_much: Notify,
    /// Whether something costly has come since it was asked last.
    has_cost: AtomicBool,
}

impl Conduct {
    /// So many header lists that are wide are let through within a second.
    pub(crate) const WIDE_HEADS: u32 = 4;

    const REST: Duration = Duration::from_millis(100);

    /// Of a connection that may give up so many calls a second.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            second: Mutex::new((Instant::now(), 0)),
            too_much: Notify::new(),
            has_cost: AtomicBool::new(false),
        })
    }

    /// Comes back when it was too much within a second.
    pub(crate) async fn too_much(&self) {
        self.too_much.notified().await;
    }

    /// A call that begins; it counts as given up unless it is told that it is over.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        UnderWay(Some(Arc::clone(self)))
    }

    /// A header list was wide: it counts as many calls.
    pub(crate) fn wide_head(&self) {
        self.costly();
        self.count(Instant::now(), (self.most / Self::WIDE_HEADS).max(1));
    }

    /// Something has come that cost much and was for nothing.
    pub(crate) fn costly(&self) {
        self.has_cost.store(true, Ordering::Relaxed);
    }

    /// How long nothing more is to be read, if something costly has come since this was asked last: else those that send
    /// nothing but that would take all processors, by as many connections as they like.
    pub(crate) fn rest(&self) -> Option<Duration> {
        self.has_cost
            .swap(false, Ordering::Relaxed)
            .then_some(Self::REST)
    }

    fn count(&self, now: Instant, weight: u32) {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(second.0) >= Duration::from_secs(1) {
            *second = (now, 0);
        }
        second.1 = second.1.saturating_add(weight);
        if second.1 > self.most {
            self.too_much.notify_one();
        }
    }

    #[cfg(test)]
    pub(crate) fn is_too_much(&self) -> bool {
        let second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        second.1 > self.most
    }
}

/// A call of a connection.
#[derive(Debug)]
pub(crate) struct UnderWay(Option<Arc<Conduct>>);

impl UnderWay {
    /// One that is nobody's.
    pub(crate) const fn nobodys() -> Self {
        Self(None)
    }

    /// What came of the call was for nothing, and is more than most.
    pub(crate) fn costly(&self) {
        if let Some(conduct) = &self.0 {
            conduct.costly();
        }
    }

    /// The call was answered whole.
    pub(crate) fn over(&mut self) {
        self.0 = None;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(conduct) = self.0.take() {
            conduct.count(Instant::now(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_too_much_within_a_second_is_not_within_two() {
        let conduct = Conduct::new(10);
        let begun = Instant::now();
        for number in 0..40 {
            conduct.count(begun + number * SECOND / 10, 1);
            assert!(!conduct.is_too_much());
        }
        conduct.count(begun + 4 * SECOND, 11);
        assert!(conduct.is_too_much());
    }

    #[test]
    fn who_has_cost_much_is_not_read_for_a_moment() {
        let conduct = Conduct::new(1000);
        conduct.count(Instant::now(), 1);
        assert_eq!(conduct.rest(), None);
        conduct.wide_head();
        conduct.costly();
        assert_eq!(conduct.rest(), Some(Conduct::REST));
        assert_eq!(conduct.rest(), None, "once");
    }

    #[test]
    fn calls_that_are_over_are_not_given_up() {
        let conduct = Conduct::new(1);
        for _ in 0..9 {
            conduct.begin().over();
        }
        assert!(!conduct.is_too_much());
        drop((conduct.begin(), conduct.begin()));
        assert!(conduct.is_too_much());
    }
}
