//! What one tracking connection has said: which keys changed, and until when it was known to say everything.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use redis::{PushInfo, PushKind, Value};

use super::answers::SessionKeys;

/// How long the node's word that it has told every change counts.
pub(crate) const FRESH_MS: i64 = 250;

/// Never yet, as a time.
const NEVER: i64 = i64::MIN / 2;
/// Never again, as a time.
const LOST: i64 = i64::MAX;

/// Epochs of keys, and the last time that the connection was seen to work.
///
/// Keys share epochs by their hash: a change of one makes entries of a few others be read anew, and no epoch ever has to
/// be made or forgotten.
pub(crate) struct Ledger {
    epochs: Box<[AtomicU32]>,
    hasher: RandomState,
    confirmed_ms: AtomicI64,
    ahead_ms: AtomicI64,
}

/// The epochs that the keys of a session had. What was read after that is good for as long as they last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks([(u32, u32); 4]);

impl Ledger {
    /// Of a connection that has said nothing yet; with at least so many epochs.
    pub(crate) fn new(epochs: usize) -> Self {
        let count = epochs.next_power_of_two();
        Self {
            epochs: (0..count).map(|_| AtomicU32::new(0)).collect(),
            hasher: RandomState::new(),
            confirmed_ms: AtomicI64::new(NEVER),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Takes what the node says unasked. Called by the connection itself, in the order in which everything came, so that
    /// an answer that came later is used later.
    pub(crate) fn take(&self, told: PushInfo) {
        match told.kind {
            PushKind::Invalidate => match told.data.into_iter().next() {
                Some(Value::Array(keys)) => keys.iter().for_each(|key| self.change(key)),
                // All keys: the store was emptied.
                _ => self.lose(),
            },
            PushKind::Disconnection => self.lose(),
            _ => {}
        }
    }

    fn change(&self, key: &Value) {
        match key {
            Value::BulkString(key) => self.start_epoch(self.place(key)),
            _ => self.lose(),
        }
    }

    fn start_epoch(&self, place: u32) {
        if let Some(epoch) = self.epochs.get(place as usize) {
            epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Nothing that was read counts any more, for good.
    pub(crate) fn lose(&self) {
        self.confirmed_ms.store(LOST, Ordering::Release);
        for epoch in &self.epochs {
            epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether it was lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.confirmed_ms() == LOST
    }

    /// The node has answered a question that was asked then, so what it had to tell before is known; its clock is so far
    /// ahead.
    pub(crate) fn confirm(&self, asked_ms: i64, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Release);
        // Lost is lost, whatever answer was under way.
        let confirm = |before: i64| (before != LOST).then_some(asked_ms);
        let _ = self
            .confirmed_ms
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, confirm);
    }

    /// Up to when everything that the node had to tell is known, by the clock that nobody sets.
    pub(crate) fn confirmed_ms(&self) -> i64 {
        self.confirmed_ms.load(Ordering::Acquire)
    }

    /// The node's time at a time of ours.
    pub(crate) fn node_ms(&self, steady_ms: i64) -> i64 {
        steady_ms.saturating_add(self.ahead_ms.load(Ordering::Acquire))
    }

    /// The epochs of a session's keys: to be taken before they are read.
    pub(crate) fn marks(&self, keys: &SessionKeys) -> Marks {
        let keys = [&keys.session, &keys.user, &keys.tenant, &keys.client];
        Marks(keys.map(|key| {
            let place = self.place(key);
            (place, self.epoch(place))
        }))
    }

    /// Whether no key of them has changed since.
    pub(crate) fn holds(&self, marks: &Marks) -> bool {
        let is_same = |(place, epoch): &(u32, u32)| self.epoch(*place) == *epoch;
        marks.0.iter().all(is_same)
    }

    fn epoch(&self, place: u32) -> u32 {
        let epoch = self.epochs.get(place as usize);
        epoch.map_or(0, |epoch| epoch.load(Ordering::Acquire))
    }

    fn place(&self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        u32::try_from(hash % self.epochs.len() as u64).unwrap_or_default()
    }
}

/// Whether what was known to be good then still counts. A time that is yet to come is that of a clock that was set back.
pub(crate) const fn is_fresh(confirmed_ms: i64, now_ms: i64) -> bool {
    let age = now_ms.saturating_sub(confirmed_ms);
    0 <= age && age < FRESH_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(session: &str) -> SessionKeys {
        SessionKeys {
            session: session.into(),
            user: b"user".to_vec(),
            tenant: b"tenant".to_vec(),
            client: b"client".to_vec(),
        }
    }

    fn changed(keys: &[&str]) -> PushInfo {
        let keys = keys
            .iter()
            .map(|key| Value::BulkString(key.as_bytes().to_vec()));
        PushInfo {
            kind: PushKind::Invalidate,
            data: vec![Value::Array(keys.collect())],
        }
    }

    #[test]
    fn a_change_between_the_question_and_its_answer_makes_the_answer_old() {
        let ledger = Ledger::new(1 << 16);
        let (one, other) = (ledger.marks(&keys("one")), ledger.marks(&keys("other")));
        ledger.take(changed(&["one"]));
        assert!(!ledger.holds(&one));
        assert!(ledger.holds(&ledger.marks(&keys("one"))));
        // Unless the two share an epoch, by chance.
        assert!(ledger.holds(&other) || other == one);
        ledger.take(changed(&["x", "tenant"]));
        assert!(!ledger.holds(&other));
    }

    #[test]
    fn an_emptied_store_and_a_cut_connection_end_everything_for_good() {
        for kind in [PushKind::Invalidate, PushKind::Disconnection] {
            let ledger = Ledger::new(16);
            ledger.confirm(1000, 0);
            let marks = ledger.marks(&keys("one"));
            let data = vec![Value::Nil];
            ledger.take(PushInfo { kind, data });
            assert!(ledger.is_lost() && !ledger.holds(&marks));
            ledger.confirm(2000, 0);
            assert!(ledger.is_lost() && !is_fresh(ledger.confirmed_ms(), 2000));
        }
    }

    #[test]
    fn a_confirmation_counts_from_the_question_and_not_for_long() {
        let ledger = Ledger::new(16);
        assert!(!is_fresh(ledger.confirmed_ms(), 0));
        ledger.confirm(1000, 500);
        assert!(is_fresh(ledger.confirmed_ms(), 1000 + FRESH_MS - 1));
        assert!(!is_fresh(ledger.confirmed_ms(), 1000 + FRESH_MS));
        assert!(!is_fresh(ledger.confirmed_ms(), 999));
        assert_eq!(ledger.node_ms(1001), 1501);
    }
}
