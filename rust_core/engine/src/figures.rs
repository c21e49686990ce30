//! What there is to tell about the caches and the queue of uses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::Shared;

/// Counts since the start, by `name{label=value}`.
pub(crate) fn counters(shared: &Shared) -> impl Iterator<Item = (String, u64)> {
    let (callers, signatures) = (&shared.callers, &shared.signatures);
    let tracking = &shared.store.tracking;
    let of = |name: &str, cache: &str, count: &AtomicU64| {
        (format!("cache_{name}{{cache={cache}}}"), get(count))
    };
    let plain = |name: &str, count: &AtomicU64| (name.to_owned(), get(count));
    [
        of("hits", "callers", &callers.hits),
        of("hits", "signatures", &signatures.hits),
        of("hits", "states", &tracking.hits),
        of("misses", "callers", &callers.misses),
        of("misses", "signatures", &signatures.misses),
        of("misses", "states", &tracking.misses),
        of("evictions", "callers", &callers.evicted),
        of("evictions", "signatures", &signatures.evicted),
        of("evictions", "states", &tracking.evicted),
        plain("tracking_losses", &tracking.losses),
        plain("activity_written", &shared.activity.written),
        plain("activity_batches", &shared.activity.batches),
    ]
    .into_iter()
}

/// Figures of now, by name.
pub(crate) fn gauges(shared: &Shared) -> BTreeMap<&'static str, i64> {
    let (callers, caller_bytes) = shared.callers.size();
    let (signatures, signature_bytes) = shared.signatures.size();
    let watch = shared.store.tracking.watch();
    let (states, state_bytes) = watch.as_ref().map_or((0, 0), |watch| watch.states.size());
    let age_ms = watch.map_or(-1, |watch| {
        shared.clock.steady_ms() - watch.ledger.confirmed_ms()
    });
    let (queued, oldest_ms) = shared.activity.queued();
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    BTreeMap::from([
        ("callers", count(callers)),
        ("caller_bytes", count(caller_bytes)),
        ("signatures", count(signatures)),
        ("signature_bytes", count(signature_bytes)),
        ("states", count(states)),
        ("state_bytes", count(state_bytes)),
        ("tracking_age_ms", age_ms.max(-1)),
        ("activity_queued", count(queued as u64)),
        ("activity_oldest_ms", oldest_ms),
        (
            "activity_longest_ms",
            count(get(&shared.activity.longest_ms)),
        ),
    ])
}

fn get(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
