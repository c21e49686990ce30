//! Calls that were answered before their caller had closed its half.
//!
//! The end may be on its way: one that arrives for a stream that was reset and forgotten would cost the caller its whole
//! connection. So the stream is kept until then, without a task of its own, whose wake-ups cost more than an answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// They are looked through when there are so many, and then again when there are twice as many as were left.
const FEW: usize = 16;

/// Those of one connection.
#[derive(Debug)]
pub(crate) struct Unclosed {
    patience: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bodies: Vec<(Instant, Incoming)>,
    enough: usize,
    is_watched: bool,
}

impl Unclosed {
    /// None yet; each is kept so long at most.
    pub(crate) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            patience,
            kept: Mutex::default(),
        })
    }

    /// Keeps what is left of a request until its caller has closed it, or goes on to talk, which nobody listens to.
    pub(crate) fn keep(self: &Arc<Self>, body: Incoming) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bodies.push((Instant::now(), body));
        if kept.bodies.len() >= kept.enough.max(FEW) {
            kept.look_through(self.patience);
        }
        if !kept.is_watched
            && let Ok(runtime) = Handle::try_current()
        {
            kept.is_watched = true;
            runtime.spawn(watch(Arc::downgrade(self), self.patience));
        }
    }
}

impl Kept {
    fn look_through(&mut self, patience: Duration) {
        self.bodies
            .retain_mut(|(since, body)| since.elapsed() < patience && is_open(body));
        self.enough = 2 * self.bodies.len();
    }
}

fn is_open(body: &mut Incoming) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *body).poll_frame(&mut context) {
            Poll::Pending => return true,
            Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
            Poll::Ready(_) => return false,
        }
    }
}

/// For connections on which nothing more is asked.
async fn watch(unclosed: Weak<Unclosed>, patience: Duration) {
    loop {
        sleep(patience).await;
        let Some(unclosed) = unclosed.upgrade() else {
            return;
        };
        let mut kept = unclosed.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.look_through(patience);
        if kept.bodies.is_empty() {
            kept.is_watched = false;
            return;
        }
    }
}
