//! What is to be done.

use std::time::Duration;

use crate::LoadError;

/// Highest rate of an open loop: beyond it the clock of the client is too coarse.
const HIGHEST_RATE: f64 = 200_000.0;

/// When the next call is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As soon as one of so many has been answered.
    Closed {
        /// Calls in flight.
        in_flight: usize,
    },
    /// So many a second, whatever comes back.
    Open {
        /// Calls a second.
        rate: f64,
    },
}

/// A run.
#[derive(Clone)]
pub struct Plan {
    /// Host and port; without TLS.
    pub address: String,
    /// Full name of the method: `/package.Service/Method`.
    pub method: String,
    /// Encoded requests, in turn: call n sends number n, from the beginning again after the last.
    pub requests: Vec<Vec<u8>>,
    /// Calls in all.
    pub calls: usize,
    /// Metadata `authorization` of each call; empty: none.
    pub authorization: String,
    /// When the next call is made.
    pub pace: Pace,
    /// Connections, used in turn.
    pub connections: usize,
    /// Deadline of each call, which the server is told.
    pub deadline: Duration,
}

impl Plan {
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let fault = if self.requests.is_empty() {
            "there is no request to send"
        } else if self.connections == 0 {
            "there must be a connection"
        } else if self.deadline.is_zero() {
            "the deadline must be later than now"
        } else {
            match self.pace {
                Pace::Closed { in_flight: 0 } => "there must be a call in flight",
                Pace::Open { rate } if !(rate > 0.0 && rate <= HIGHEST_RATE) => {
                    "the rate must be above 0 and at most 200 000 calls a second"
                }
                _ => return Ok(()),
            }
        };
        Err(LoadError::Plan(fault))
    }
}
