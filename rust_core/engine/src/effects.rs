//! What must reach `PostgreSQL` later: lower bounds, activity, audit events. Python drains the queue in batches.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::proto::internal::Effect;
use crate::tally::Tally;

/// The queue of effects, oldest first.
#[derive(Debug)]
pub(crate) struct EffectQueue {
    waiting: Mutex<Waiting>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    effects: VecDeque<Effect>,
    tally: Tally,
}

impl Waiting {
    fn queued(&self, now_ms: i64) -> (usize, i64) {
        let oldest = self.effects.front();
        let age = oldest.map_or(0, |oldest| now_ms - oldest.time_ms);
        (self.effects.len(), age.max(0))
    }
}

impl EffectQueue {
    /// A queue that holds so many effects.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting::default()),
            capacity,
        }
    }

    /// Adds an effect, or counts it where so many like it came before ([`Tally`]); false if it was dropped because the
    /// queue is full. Bounds are never dropped: rotation stops while the queue is full, so they are at most as many as
    /// there are calls under way.
    pub(crate) fn push(&self, effect: Effect) -> bool {
        let mut waiting = self.lock();
        if effect.family == 0 && !waiting.tally.tells(&effect) {
            return true;
        }
        let fits = waiting.effects.len() < self.capacity || effect.family != 0;
        if fits {
            waiting.effects.push_back(effect);
        }
        fits
    }

    /// Adds the counts of the minutes that are over.
    pub(crate) fn tell_counts(&self, now_ms: i64) {
        let mut waiting = self.lock();
        let counts = waiting.tally.close(now_ms);
        waiting.effects.extend(counts);
    }

    /// Whether what a rotation must write would be written soon: the queue has room and its oldest effect has not
    /// waited for longer than a grace.
    pub(crate) fn is_flowing(&self, now_ms: i64, grace_seconds: u32) -> bool {
        let (queued, age_ms) = self.lock().queued(now_ms);
        queued < self.capacity && age_ms <= i64::from(grace_seconds) * 1000
    }

    /// How many effects wait, and for how long the oldest has; the counts of the minutes that are over are among them.
    pub(crate) fn queued(&self, now_ms: i64) -> (usize, i64) {
        self.tell_counts(now_ms);
        self.lock().queued(now_ms)
    }

    /// The oldest, which stay: while they are being written they are still waiting.
    pub(crate) fn peek(&self, limit: usize) -> Vec<Effect> {
        self.lock().effects.iter().take(limit).cloned().collect()
    }

    /// Forgets the oldest, which have been written.
    pub(crate) fn discard(&self, count: usize) {
        let effects = &mut self.lock().effects;
        let count = count.min(effects.len());
        effects.drain(..count);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(time_ms: i64, family: u32) -> Effect {
        Effect {
            time_ms,
            family,
            ..Effect::default()
        }
    }

    #[test]
    fn a_full_queue_drops_events_but_no_bounds_and_stops_rotation() {
        let queue = EffectQueue::new(1);
        assert!(queue.is_flowing(0, 30));
        assert!(queue.push(effect(0, 1)));
        assert!(!queue.is_flowing(0, 30));
        assert!(!queue.push(effect(0, 0)));
        assert!(queue.push(effect(0, 1)));
        assert_eq!(queue.queued(0).0, 2);
    }

    #[test]
    fn a_queue_that_waits_longer_than_a_grace_stops_rotation() {
        let queue = EffectQueue::new(10);
        assert!(queue.push(effect(1_000, 1)));
        assert!(queue.is_flowing(31_000, 30));
        assert!(!queue.is_flowing(31_001, 30));
    }

    #[test]
    fn a_batch_that_is_being_written_still_waits() {
        let queue = EffectQueue::new(10);
        for time_ms in 1..=3 {
            assert!(queue.push(effect(time_ms, 1)));
        }
        assert_eq!(queue.peek(2).len(), 2);
        assert!(queue.push(effect(4, 1)));
        assert_eq!(queue.queued(11), (4, 10));
        queue.discard(2);
        let times: Vec<i64> = queue.peek(10).iter().map(|effect| effect.time_ms).collect();
        assert_eq!(times, [3, 4]);
        queue.discard(10);
        assert_eq!(queue.queued(11), (0, 0));
    }
}
