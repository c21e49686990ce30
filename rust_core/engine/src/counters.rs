//! Counts since the start, for the metrics endpoint.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use argus_core::rotation::{Adoption, Verdict};
use argus_core::token::FaultClass;

/// A count: its name, its labels and their values, all from small fixed sets. Values without a label are empty.
type Key = (&'static str, &'static [&'static str], [&'static str; 2]);

/// What somebody should be woken for: a counter and an audit event each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// A refresh token's signature is good and its computed id is not.
    KeyCompromiseSuspected,
    /// A refresh token is newer than its record, and the record was never rebuilt.
    GenerationUnexplained,
}

impl Alarm {
    /// Every alarm.
    const ALL: [Self; 2] = [Self::KeyCompromiseSuspected, Self::GenerationUnexplained];

    /// Type of its audit event.
    pub(crate) const fn event(self) -> &'static str {
        match self {
            Self::KeyCompromiseSuspected => "key.compromise_suspected",
            Self::GenerationUnexplained => "refresh.generation_unexplained",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::KeyCompromiseSuspected => "key_compromise_suspected",
            Self::GenerationUnexplained => "generation_unexplained",
        }
    }
}

/// Counts by name and labels.
#[derive(Debug)]
pub(crate) struct Counters {
    counts: Mutex<BTreeMap<Key, u64>>,
}

impl Counters {
    /// Counts of nothing yet. What alerts are written for is there from the start: a rate can't be taken of a series
    /// that begins with its first event.
    pub(crate) fn new() -> Self {
        let verdicts = Verdict::ALL.map(verdict_key);
        let adoptions = [Adoption::Explained, Adoption::Unexplained].map(adoption_key);
        let alarms = Alarm::ALL.map(alarm_key);
        let token_faults = FaultClass::ALL.map(|class| token_fault_key(class.name()));
        let caller_faults = FaultClass::ALL.map(|class| caller_fault_key(class.name()));
        let faults = token_faults.into_iter().chain(caller_faults);
        let keys = verdicts
            .into_iter()
            .chain(adoptions)
            .chain(alarms)
            .chain(faults);
        Self {
            counts: Mutex::new(keys.map(|key| (key, 0)).collect()),
        }
    }

    /// A hot call ended: `OK`, a reason, or the need of a flow.
    pub(crate) fn call(&self, method: &'static str, outcome: &'static str) {
        self.add(("calls", &["method", "outcome"], [method, outcome]));
    }

    /// A verdict on a refresh token. A call that had to be asked again after a rebuild counts each answer.
    pub(crate) fn verdict(&self, verdict: Verdict) {
        self.add(verdict_key(verdict));
    }

    /// The generation of a token that was newer than its record was taken over.
    pub(crate) fn adoption(&self, adoption: Adoption) {
        self.add(adoption_key(adoption));
    }

    /// Somebody should be woken.
    pub(crate) fn alarm(&self, alarm: Alarm) {
        self.add(alarm_key(alarm));
    }

    /// A presented token was refused for a fault of this class.
    pub(crate) fn token_fault(&self, class: &'static str) {
        self.add(token_fault_key(class));
    }

    /// A caller's token was refused for a fault of this class.
    pub(crate) fn caller_fault(&self, class: &'static str) {
        self.add(caller_fault_key(class));
    }

    /// An effect was dropped because the queue was full.
    pub(crate) fn dropped_effect(&self) {
        self.add(("effects_dropped", &[], ["", ""]));
    }

    /// Redis refused or did not answer.
    pub(crate) fn redis_failure(&self, kind: &'static str) {
        self.add(("redis_failures", &["kind"], [kind, ""]));
    }

    /// All counts, by `name{label=value,…}`.
    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(key, count)| (text(key), *count))
            .collect()
    }

    fn add(&self, key: Key) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key).or_default() += 1;
    }
}

fn verdict_key(verdict: Verdict) -> Key {
    ("rotation_verdicts", &["verdict"], [verdict.name(), ""])
}

fn adoption_key(adoption: Adoption) -> Key {
    let is_explained = adoption == Adoption::Explained;
    let explained = if is_explained { "true" } else { "false" };
    ("rotation_adoptions", &["explained"], [explained, ""])
}

fn alarm_key(alarm: Alarm) -> Key {
    ("alarms", &["kind"], [alarm.name(), ""])
}

fn token_fault_key(class: &'static str) -> Key {
    ("token_faults", &["class"], [class, ""])
}

fn caller_fault_key(class: &'static str) -> Key {
    ("caller_faults", &["class"], [class, ""])
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
