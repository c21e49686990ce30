//! The primary lease: which Redis node counts, and until when this process knows it (rotation.md, section 3).
//!
//! A node that was replaced may go on answering whoever still reaches it. So nothing that a node says is used unless
//! its lineage was confirmed less than [`LIFE_MS`] before, and the node that takes its place serves nothing until
//! [`TAKEOVER_MS`] after it was registered, when every lease on the one before has run out.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use argus_core::record::Lineage;
use rustix::time::{ClockId, clock_gettime};

/// How long a confirmation counts.
pub const LIFE_MS: i64 = 5000;

/// How long a node that takes the place of another one waits: a tenth more than a lease may last, for clocks that do
/// not run alike.
pub const TAKEOVER_MS: i64 = 5500;

/// A clock that no adjustment of the time moves, and that goes on while the machine sleeps.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// What this process may believe, shared by both halves of Argus.
#[derive(Debug, Default)]
pub struct Lease {
    grant: ArcSwapOption<Grant>,
}

#[derive(Debug)]
struct Grant {
    lineage: Lineage,
    asked_ms: i64,
}

impl Lease {
    /// A lease on nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Now, by the clock of leases: to be read *before* the question whose answer is then granted.
    #[must_use]
    pub fn now_ms() -> i64 {
        let now = clock_gettime(CLOCK);
        now.tv_sec
            .saturating_mul(1000)
            .saturating_add(now.tv_nsec / 1_000_000)
    }

    /// The node of this lineage counts: so said the answer to a question that was asked at `asked_ms`.
    pub fn grant(&self, lineage: Lineage, asked_ms: i64) {
        self.grant
            .store(Some(Arc::new(Grant { lineage, asked_ms })));
    }

    /// No node counts any more, as far as this process knows.
    pub fn revoke(&self) {
        self.grant.store(None);
    }

    /// Whether what the node of this lineage has answered may be used now.
    #[must_use]
    pub fn allows(&self, lineage: Lineage) -> bool {
        self.allows_at(lineage, Self::now_ms())
    }

    /// Whether any node's answers may be used now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.age_ms().is_some_and(|age| age < LIFE_MS)
    }

    /// Time since the question that the last confirmation answered; `None`: there is none.
    #[must_use]
    pub fn age_ms(&self) -> Option<i64> {
        let grant = self.grant.load();
        grant.as_ref().map(|grant| Self::now_ms() - grant.asked_ms)
    }

    fn allows_at(&self, lineage: Lineage, now_ms: i64) -> bool {
        let grant = self.grant.load();
        grant
            .as_ref()
            .is_some_and(|grant| grant.lineage == lineage && now_ms - grant.asked_ms < LIFE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::{LIFE_MS, Lease, TAKEOVER_MS};

    const ONE: [u8; 8] = [1; 8];
    const OTHER: [u8; 8] = [2; 8];

    #[test]
    fn a_lease_counts_from_the_question_for_its_lineage_alone() {
        let lease = Lease::new();
        assert!(!lease.allows_at(ONE, 0));
        lease.grant(ONE, 1000);
        assert!(lease.allows_at(ONE, 1000 + LIFE_MS - 1));
        assert!(!lease.allows_at(ONE, 1000 + LIFE_MS));
        assert!(!lease.allows_at(OTHER, 1000));
        lease.grant(OTHER, 2000);
        assert!(!lease.allows_at(ONE, 2000));
        lease.revoke();
        assert!(!lease.allows_at(OTHER, 2000));
    }

    #[test]
    fn a_takeover_outlasts_every_lease_that_was_asked_for_before_it() {
        let (lease, replaced_at) = (Lease::new(), 10_000);
        lease.grant(ONE, replaced_at);
        assert!(!lease.allows_at(ONE, replaced_at + TAKEOVER_MS));
    }

    #[test]
    fn a_lease_of_now_is_held_and_an_old_one_is_not() {
        let lease = Lease::new();
        assert_eq!((lease.is_held(), lease.age_ms()), (false, None));
        lease.grant(ONE, Lease::now_ms());
        assert!(lease.is_held() && lease.allows(ONE));
        lease.grant(ONE, Lease::now_ms() - LIFE_MS);
        assert!(!lease.is_held() && !lease.allows(ONE));
    }
}
