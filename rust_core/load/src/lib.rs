//! Calls one unary gRPC method many times and says how long each call took.
//!
//! A *closed* loop keeps a number of calls in flight: each caller waits for its answer before it asks again, so a server
//! that stalls is asked less. An *open* loop asks at a steady rate whatever comes back, as users do, and counts each
//! call from the moment at which it was due: a stall is charged to every call that had to wait for it.
//!
//! The messages are bytes that somebody else has made, and the answers go back as bytes: a run costs the client as
//! little as can be, and what an answer says is judged after it.
//!
//! Beside it are the yardsticks that servers are held against: a server that does nothing ([`Echo`]), and the bare
//! signatures ([`signature_costs`]).

mod calls;
mod codec;
mod echo;
mod pace;
mod plan;
mod report;
mod signatures;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

pub use echo::Echo;
pub use plan::{Pace, Plan};
pub use report::{Answer, Latency, Report};
pub use signatures::{SignatureCosts, signature_costs};

/// Why a run came to nothing. Calls that fail don't end a run: they are answers.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(&'static str),
    /// Nobody listens at the address.
    #[error("{address} can't be reached: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the transport said.
        reason: String,
    },
    /// The system did not give what a run needs.
    #[error("the run could not go on: {0}")]
    System(String),
}

/// How far a run is, shared between it and whoever waits for it.
#[derive(Debug, Default)]
struct Progress {
    answered: AtomicUsize,
    is_stopped: AtomicBool,
}

impl Progress {
    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// A run under way, on a thread of its own. Dropping it stops the run.
pub struct Load {
    progress: Arc<Progress>,
    outcome: Receiver<Result<Report, LoadError>>,
}

impl Load {
    /// Starts a run.
    ///
    /// # Errors
    ///
    /// [`LoadError::Plan`], [`LoadError::System`].
    pub fn start(plan: Plan) -> Result<Self, LoadError> {
        plan.check()?;
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let (sender, outcome) = channel();
        thread::Builder::new()
            .name("argus-load".to_owned())
            .spawn(move || {
                // Nobody is left to tell where the receiver is gone.
                let _ = sender.send(calls::run(plan, &shared));
            })
            .map_err(|error| LoadError::System(error.to_string()))?;
        Ok(Self { progress, outcome })
    }

    /// Calls answered so far.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.progress.answered.load(Ordering::Relaxed)
    }

    /// Waits for the end of the run; None if it has not come by then. To be asked no more once it has.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> Option<Result<Report, LoadError>> {
        match self.outcome.recv_timeout(at_most) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(LoadError::System(
                "it has ended and was asked for already".to_owned(),
            ))),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.progress.is_stopped.store(true, Ordering::Relaxed);
    }
}
