//! What a door counts, for metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argus_engine::proto::HotMethod;
use argus_engine::proto::access::HOT_METHODS;
use prost::Message as _;
use tonic_types::{RpcStatusExt as _, Status};

/// Upper bounds of the histogram of times, in seconds; the last bucket has none.
pub const BUCKETS: [f64; 15] = [
    0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of a door.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    opened: Count,
    closed: Count,
    /// Connections that have not said in time what they speak.
    pub(crate) mute: Count,
    /// Connections that were closed because they gave up too many calls, or sent too many wide header lists.
    pub(crate) cut: Count,
    /// Requests that went on to a server behind the door.
    pub(crate) passed: Count,
    /// Requests for which there was no place.
    pub(crate) shed: Count,
    /// Requests that did not come in time.
    pub(crate) late: Count,
    hot: [Hot; HOT_METHODS.len()],
}

/// The counts of one hot method.
#[derive(Debug, Default)]
struct Hot {
    good: Count,
    refused: Mutex<BTreeMap<(i32, String), u64>>,
    nanoseconds: AtomicU64,
    within: [Count; BUCKETS.len() + 1],
}

/// A connection that is counted as open.
#[derive(Debug)]
pub(crate) struct Open(Arc<Figures>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed.add();
    }
}

/// What a door has counted since it was opened.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// Connections that are open now.
    pub connections: u64,
    /// Connections that have not said in time what they speak.
    pub mute: u64,
    /// Connections that were closed because they gave up too many calls, or sent too many wide header lists.
    pub cut: u64,
    /// Requests that went on to a server behind the door.
    pub passed: u64,
    /// Requests for which there was no place.
    pub shed: u64,
    /// Requests that did not come in time.
    pub late: u64,
    /// Hot calls that were answered in place.
    pub handled: Vec<Handled>,
    /// How long that took.
    pub timed: Vec<Timed>,
}

/// Hot calls that were answered alike.
#[derive(Debug, Clone)]
pub struct Handled {
    /// Path of the method.
    pub method: &'static str,
    /// gRPC code.
    pub code: i32,
    /// Reason of a refusal; empty for good answers.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Times of a hot method.
#[derive(Debug, Clone)]
pub struct Timed {
    /// Path of the method.
    pub method: &'static str,
    /// All of them together, in seconds.
    pub seconds: f64,
    /// How many took as long as each of [`BUCKETS`] at most, but longer than the one before; last those beyond.
    pub within: Vec<u64>,
}

impl Figures {
    /// A connection that counts as open until it is dropped.
    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.opened.add();
        Open(Arc::clone(self))
    }

    /// A hot call was answered well.
    pub(crate) fn answered(&self, method: &HotMethod, took: Duration) {
        if let Some(hot) = self.hot(method) {
            hot.good.add();
            hot.time(took);
        }
    }

    /// A hot call was refused, with an encoded `google.rpc.Status`.
    pub(crate) fn refused(&self, method: &HotMethod, took: Duration, status: &[u8]) {
        let Some(hot) = self.hot(method) else {
            return;
        };
        hot.time(took);
        let status = Status::decode(status).unwrap_or_default();
        let reason = status.get_details_error_info();
        let reason = reason.map(|info| info.reason).unwrap_or_default();
        let mut refused = hot.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry((status.code, reason)).or_default() += 1;
    }

    fn hot(&self, method: &HotMethod) -> Option<&Hot> {
        let mut known = HOT_METHODS.iter();
        let place = known.position(|one| one.path == method.path)?;
        self.hot.get(place)
    }

    /// What was counted.
    pub(crate) fn counted(&self) -> Counted {
        let named = || HOT_METHODS.iter().map(|one| one.path).zip(&self.hot);
        Counted {
            connections: self.opened.get().saturating_sub(self.closed.get()),
            mute: self.mute.get(),
            cut: self.cut.get(),
            passed: self.passed.get(),
            shed: self.shed.get(),
            late: self.late.get(),
            handled: named().flat_map(|(path, hot)| hot.handled(path)).collect(),
            timed: named().map(|(path, hot)| hot.timed(path)).collect(),
        }
    }
}

impl Hot {
    fn time(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = BUCKETS.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.within.get(place) {
            bucket.add();
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn handled(&self, method: &'static str) -> Vec<Handled> {
        let good = Handled {
            method,
            code: 0,
            reason: String::new(),
            count: self.good.get(),
        };
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refused.iter().map(|((code, reason), count)| Handled {
            method,
            code: *code,
            reason: reason.clone(),
            count: *count,
        });
        std::iter::once(good).chain(refused).collect()
    }

    fn timed(&self, method: &'static str) -> Timed {
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        Timed {
            method,
            seconds: Duration::from_nanos(nanoseconds).as_secs_f64(),
            within: self.within.iter().map(Count::get).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_method_code_and_reason() {
        let figures = Figures::default();
        let [first, second, ..] = HOT_METHODS;
        figures.answered(&first, Duration::from_micros(200));
        figures.answered(&first, Duration::from_micros(201));
        figures.refused(
            &second,
            Duration::from_secs(11),
            &argus_engine::overloaded(),
        );
        let counted = figures.counted();
        let told: Vec<_> = counted
            .handled
            .iter()
            .filter(|one| one.count > 0)
            .map(|one| (one.method, one.code, one.reason.as_str(), one.count))
            .collect();
        assert_eq!(
            told,
            [(first.path, 0, "", 2), (second.path, 8, "OVERLOADED", 1)]
        );
        assert_eq!(counted.timed[0].within[..3], [1, 1, 0]);
        assert_eq!(counted.timed[1].within.last(), Some(&1));
        assert!((counted.timed[0].seconds - 0.000_401).abs() < 1e-9);
    }

    #[test]
    fn connections_are_open_until_they_are_dropped() {
        let figures = Arc::new(Figures::default());
        let open = figures.open();
        assert_eq!(figures.counted().connections, 1);
        drop(open);
        assert_eq!(figures.counted().connections, 0);
    }
}
