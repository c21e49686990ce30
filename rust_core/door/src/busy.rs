//! Connections that use up their turns take them one after the other: only so many of them are about to run as there are
//! threads. Whoever says little waits for the end of a turn, and not for those of all that have much to say.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

use crate::fair::give_way;

/// Whether a connection is a busy one, and its place among those.
#[derive(Debug)]
pub(crate) struct Busy {
    places: PollSemaphore,
    place: Option<OwnedSemaphorePermit>,
    /// Whether its last turn was.
    is_used_up: bool,
    has_waited: bool,
}

impl Busy {
    /// A connection that has not run yet; all of them share `places`.
    pub(crate) const fn new(places: PollSemaphore) -> Self {
        Self {
            places,
            place: None,
            is_used_up: false,
            has_waited: false,
        }
    }

    /// As many places as there are threads to run on.
    pub(crate) fn places() -> Arc<Semaphore> {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        Arc::new(Semaphore::new(threads))
    }

    /// Ready when the connection may have a turn.
    pub(crate) fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_used_up || self.place.is_some() {
            return Poll::Ready(());
        }
        let polled = self.places.poll_acquire(context);
        self.has_waited |= polled.is_pending();
        self.place = ready!(polled);
        if self.has_waited {
            // Who gave up the place has woken this one: it would come before others that wait.
            self.has_waited = false;
            give_way(context);
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// It had a turn, and used it up or did not.
    pub(crate) fn had_turn(&mut self, is_used_up: bool) {
        self.place = None;
        self.is_used_up = is_used_up;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn connections<const N: usize>(places: usize) -> [Busy; N] {
        let places = Arc::new(Semaphore::new(places));
        std::array::from_fn(|_| Busy::new(PollSemaphore::new(Arc::clone(&places))))
    }

    #[tokio::test]
    async fn who_says_little_waits_for_nobody() {
        let [mut busy, mut other] = connections(1);
        busy.had_turn(true);
        poll_fn(|context| {
            assert!(busy.poll_turn(context).is_ready());
            assert!(other.poll_turn(context).is_ready());
            other.had_turn(false);
            assert!(other.poll_turn(context).is_ready());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn of_the_busy_ones_each_has_a_turn_and_then_the_others() {
        let mut three: [Busy; 3] = connections(1);
        for one in &mut three {
            one.had_turn(true);
        }
        let mut order = Vec::new();
        poll_fn(|context| {
            for (number, one) in three.iter_mut().enumerate() {
                if one.poll_turn(context).is_ready() {
                    order.push(number);
                    one.had_turn(true);
                }
            }
            if order.len() < 9 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        order.sort_unstable();
        assert_eq!(order, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    }

    #[tokio::test]
    async fn a_place_that_was_waited_for_comes_after_others_that_can_run() {
        let [mut first, mut second] = connections(1);
        first.had_turn(true);
        second.had_turn(true);
        poll_fn(|context| {
            assert!(first.poll_turn(context).is_ready());
            assert!(second.poll_turn(context).is_pending());
            first.had_turn(true);
            assert!(second.poll_turn(context).is_pending(), "it gives way");
            assert!(first.poll_turn(context).is_pending(), "the place is taken");
            assert!(second.poll_turn(context).is_ready());
            Poll::Ready(())
        })
        .await;
    }
}
