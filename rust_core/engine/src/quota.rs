//! Quotas: how many calls a second a process takes from one caller, and from all callers of one tenant together.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::caller::Caller;
use crate::status::Refusal;

/// Keys are hashes of names: two that fall together share a quota, which does not happen with 64 bits.
type Buckets =
    RateLimiter<u64, DashMapStateStore<u64>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// Calls a second; `None`: as many as come.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuotaOptions {
    /// Of one client.
    pub caller: Option<NonZeroU32>,
    /// Of all clients of one tenant.
    pub tenant: Option<NonZeroU32>,
}

/// What is left of every quota.
pub(crate) struct Quotas {
    callers: Option<Bucketed>,
    tenants: Option<Bucketed>,
    names: RandomState,
}

struct Bucketed {
    scope: &'static str,
    per_second: NonZeroU32,
    buckets: Buckets,
}

impl Quotas {
    /// Full ones.
    pub(crate) fn new(options: QuotaOptions) -> Self {
        Self {
            callers: options.caller.map(|most| Bucketed::new("caller", most)),
            tenants: options.tenant.map(|most| Bucketed::new("tenant", most)),
            names: RandomState::new(),
        }
    }

    /// Takes what a call costs: of a batch one for each of its items.
    pub(crate) fn take(&self, caller: &Caller, calls: usize) -> Result<(), Refusal> {
        let (tenant, client) = (&caller.tenant.id, &caller.client.id);
        if let Some(callers) = &self.callers {
            callers.take(self.names.hash_one((tenant, client)), calls)?;
        }
        if let Some(tenants) = &self.tenants {
            tenants.take(self.names.hash_one(tenant), calls)?;
        }
        Ok(())
    }
}

impl Bucketed {
    fn new(scope: &'static str, per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second);
        Self {
            scope,
            per_second,
            buckets: RateLimiter::dashmap_with_clock(quota, MonotonicClock),
        }
    }

    /// What costs more than a second gives costs all of it: else it would never pass.
    fn take(&self, key: u64, calls: usize) -> Result<(), Refusal> {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        let Some(calls) = NonZeroU32::new(calls).map(|calls| calls.min(self.per_second)) else {
            return Ok(());
        };
        match self.buckets.check_key_n(&key, calls) {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(early)) => {
                let wait = early.wait_time_from(MonotonicClock.now());
                // A client that comes back at once is turned away once more.
                let wait = wait.max(Duration::from_millis(1));
                Err(Refusal::quota_exceeded(
                    self.scope,
                    self.per_second.get(),
                    wait,
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(most: u32) -> Bucketed {
        Bucketed::new("caller", NonZeroU32::new(most).unwrap())
    }

    #[test]
    fn each_has_its_own_and_is_told_when_to_come_back() {
        let quota = quota(5);
        for _ in 0..5 {
            assert!(quota.take(1, 1).is_ok());
        }
        let refusal = quota.take(1, 1).unwrap_err();
        assert_eq!(
            refusal.metadata,
            [
                ("scope", "caller".to_owned()),
                ("perSecond", "5".to_owned())
            ]
        );
        assert!(quota.take(2, 1).is_ok(), "another one's is full");
    }

    #[test]
    fn a_batch_costs_what_its_items_cost_and_still_passes() {
        let quota = quota(10);
        assert!(quota.take(1, 6).is_ok());
        assert!(quota.take(1, 6).is_err(), "four are left");
        assert!(quota.take(1, 4).is_ok(), "a refusal takes nothing");
        assert!(quota.take(2, 100).is_ok(), "more than there can ever be");
        assert!(quota.take(2, 1).is_err());
    }
}
