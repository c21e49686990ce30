//! Uses of sessions that wait to be written to Redis, in batches.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::call::Shared;
use crate::clock::Clock;
use crate::proto::internal::Effect;
use crate::store::{SessionKeys, StoreError};

/// How long a use waits for others. Nobody waits for it.
const LINGER: Duration = Duration::from_millis(20);
/// Time from a batch that Redis did not take to the next try.
const RETRY: Duration = Duration::from_millis(250);
/// Most uses of a batch.
const BATCH: usize = 256;

/// A use of a session.
#[derive(Debug)]
pub(crate) struct Use {
    /// Keys of the session.
    pub(crate) keys: SessionKeys,
    /// When it was last used, by Redis's clock. Seconds since 1970.
    pub(crate) active: AtomicU32,
    /// Its longest gap between two uses, in seconds.
    pub(crate) idle: u32,
    /// Its longest life, in seconds.
    pub(crate) absolute: u32,
    /// When its token says that it was in use; 0: it does not.
    pub(crate) seen: u32,
    /// What then must reach `PostgreSQL`.
    pub(crate) effect: Effect,
}

/// What waits: each session once, oldest first.
#[derive(Debug)]
pub(crate) struct ActivityQueue {
    waiting: Mutex<Waiting>,
    capacity: usize,
    arrived: Notify,
    /// One batch at a time.
    turn: tokio::sync::Mutex<()>,
    clock: Clock,
    /// Uses written in batches.
    pub(crate) written: AtomicU64,
    /// Batches.
    pub(crate) batches: AtomicU64,
    /// Longest time that a use has waited. Milliseconds.
    pub(crate) longest_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    order: VecDeque<(i64, Arc<Use>)>,
    by_session: HashMap<Vec<u8>, Arc<Use>>,
}

impl ActivityQueue {
    /// A queue that holds so many sessions; 0: none, so that every use is written in place.
    pub(crate) fn new(capacity: usize, clock: Clock) -> Self {
        Self {
            waiting: Mutex::default(),
            capacity,
            arrived: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            clock,
            written: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            longest_ms: AtomicU64::new(0),
        }
    }

    /// Adds a use; false where the queue is full: then it is to be written in place.
    pub(crate) fn push(
        &self,
        keys: SessionKeys,
        active: u32,
        make: impl FnOnce(SessionKeys, u32) -> Use,
    ) -> bool {
        let mut waiting = self.lock();
        if let Some(known) = waiting.by_session.get(&keys.session) {
            known.active.fetch_max(active, Ordering::Relaxed);
            return true;
        }
        if waiting.order.len() >= self.capacity {
            return false;
        }
        let one = Arc::new(make(keys, active));
        waiting
            .by_session
            .insert(one.keys.session.clone(), Arc::clone(&one));
        waiting.order.push_back((self.clock.steady_ms(), one));
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// How many sessions wait, and for how many milliseconds the first has.
    pub(crate) fn queued(&self) -> (usize, i64) {
        let waiting = self.lock();
        let oldest = waiting.order.front();
        let age = oldest.map_or(0, |(since, _)| self.clock.steady_ms() - since);
        (waiting.order.len(), age.max(0))
    }

    /// The first, which stay: while they are being written they are still waiting. With each, when it was used.
    fn peek(&self) -> Vec<(Arc<Use>, u32)> {
        let waiting = self.lock();
        let some = waiting.order.iter().take(BATCH);
        some.map(|(_, one)| (Arc::clone(one), one.active.load(Ordering::Relaxed)))
            .collect()
    }

    /// Forgets the first, which were written; one that was used again meanwhile waits on.
    fn discard(&self, written: &[(Arc<Use>, u32)]) {
        let now_ms = self.clock.steady_ms();
        let mut waiting = self.lock();
        for (_, active) in written {
            let Some((since, one)) = waiting.order.pop_front() else {
                break;
            };
            let waited = u64::try_from(now_ms - since).unwrap_or_default();
            self.longest_ms.fetch_max(waited, Ordering::Relaxed);
            if one.active.load(Ordering::Relaxed) > *active {
                waiting.order.push_back((now_ms, one));
            } else {
                waiting.by_session.remove(&one.keys.session);
            }
        }
        drop(waiting);
        self.written
            .fetch_add(written.len() as u64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes for as long as the engine lives. What Redis does not take now waits on: nothing is dropped.
pub(crate) async fn write_on(shared: Arc<Shared>) {
    loop {
        shared.activity.arrived.notified().await;
        sleep(LINGER).await;
        while write_all(&shared).await.is_err() {
            sleep(RETRY).await;
        }
    }
}

/// Writes all that waits.
///
/// # Errors
///
/// Redis does not take it now; it waits on.
pub(crate) async fn write_all(shared: &Shared) -> Result<(), StoreError> {
    let _turn = shared.activity.turn.lock().await;
    loop {
        let batch = shared.activity.peek();
        if batch.is_empty() {
            return Ok(());
        }
        let touched = shared.store.touch_all(&batch).await;
        if let Err(StoreError::Away(kind)) = &touched {
            shared.counters.redis_failure(kind);
        }
        for ((one, active), touched) in batch.iter().zip(touched?) {
            // As after a use that was written in place: what has ended meanwhile has not been used.
            if touched.status < TOUCHED_ENDED {
                let known = one.effect.idle_deadline;
                shared.push(Effect {
                    last_active: *active,
                    idle_deadline: touched.idle_deadline().unwrap_or(known),
                    ..one.effect.clone()
                });
            }
        }
        shared.activity.discard(&batch);
    }
}

/// From this status of the function `touch` on the session was found to be over.
const TOUCHED_ENDED: i64 = 2;
