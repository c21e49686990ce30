//! What came of a run.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest time that is told apart, in nanoseconds: ten minutes.
const LONGEST_NS: u64 = 600_000_000_000;
/// A thousandth of a value is told apart.
const DIGITS: u8 = 3;

/// Times, told by their percentiles.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

impl Latency {
    /// No time yet; None if there is no memory for it.
    pub(crate) fn new() -> Option<Self> {
        Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
            .ok()
            .map(Self)
    }

    pub(crate) fn add(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(ns);
    }

    /// The time within which so many percent lie.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(percent / 100.0))
    }

    /// The longest.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

/// One call's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `google.rpc.Code`; 0 is OK.
    pub code: i32,
    /// The encoded response where the code is 0; else what the server said.
    pub content: Vec<u8>,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// From the first call to the last answer.
    pub took: Duration,
    /// One a call, in the order of the calls.
    pub answers: Vec<Answer>,
    /// Of every call that was answered; in an open loop from when it was due.
    pub latency: Latency,
    /// The same from when it was made.
    pub response: Latency,
    /// Open loop: how late calls were made. Where this is not small, the client was the limit.
    pub lateness: Latency,
    /// CPU time of the client's thread.
    pub client_cpu: Duration,
}
