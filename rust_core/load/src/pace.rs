//! When calls are due.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{LoadError, Progress};

/// A call of an open loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// Its number.
    pub(crate) number: usize,
    /// When it is due.
    pub(crate) at: Instant,
}

/// Names calls as they become due, from a thread of its own: the timers of the runtime are a millisecond coarse.
pub(crate) fn metronome(
    calls: usize,
    rate: f64,
    progress: &Arc<Progress>,
) -> Result<UnboundedReceiver<Due>, LoadError> {
    let (sender, receiver) = unbounded_channel();
    let progress = Arc::clone(progress);
    thread::Builder::new()
        .name("argus-load-pace".to_owned())
        .spawn(move || {
            let begun = Instant::now();
            for number in 0..calls {
                let at = begun + offset(number, rate);
                thread::sleep(at.saturating_duration_since(Instant::now()));
                if progress.is_stopped() || sender.send(Due { number, at }).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| LoadError::System(error.to_string()))?;
    Ok(receiver)
}

/// How long after the first a call is due.
fn offset(number: usize, rate: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        reason = "runs are far shorter than 2^52 calls"
    )]
    Duration::from_secs_f64(number as f64 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_at_a_steady_rate() {
        assert_eq!(offset(0, 250.0), Duration::ZERO);
        assert_eq!(offset(1, 250.0), Duration::from_millis(4));
        assert_eq!(offset(500, 250.0), Duration::from_secs(2));
    }
}
