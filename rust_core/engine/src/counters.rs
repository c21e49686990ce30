//! Counts since the start, for the metrics endpoint.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A count: its name and its labels, all from small fixed sets.
type Key = (&'static str, &'static [&'static str], Vec<&'static str>);

/// Counts by name and labels.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: Mutex<BTreeMap<Key, u64>>,
}

impl Counters {
    /// A hot call ended: `OK`, a reason, or the need of a flow.
    pub(crate) fn call(&self, method: &'static str, outcome: &'static str) {
        self.add("calls", &["method", "outcome"], vec![method, outcome]);
    }

    /// An effect was dropped because the queue was full.
    pub(crate) fn dropped_effect(&self) {
        self.add("effects_dropped", &[], Vec::new());
    }

    /// Redis refused or did not answer.
    pub(crate) fn redis_failure(&self, kind: &'static str) {
        self.add("redis_failures", &["kind"], vec![kind]);
    }

    /// All counts, by `name{label=value,…}`.
    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(key, count)| (text(key), *count))
            .collect()
    }

    fn add(&self, name: &'static str, labels: &'static [&'static str], values: Vec<&'static str>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((name, labels, values)).or_default() += 1;
    }
}

fn text((name, labels, values): &Key) -> String {
    if labels.is_empty() {
        return (*name).to_owned();
    }
    let pairs: Vec<String> = labels
        .iter()
        .zip(values)
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    format!("{name}{{{}}}", pairs.join(","))
}
