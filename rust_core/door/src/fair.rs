//! Fairness among connections: whoever has much to say is heard in turns, and is answered in few pieces.
//!
//! HTTP/2 decodes all that is there before it looks up: a connection that sends without end would hold a thread for as
//! long, and a few of them all threads, which would not even see that somebody else has written.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep};

use crate::abuse::Conduct;
use crate::heads::Heads;
use crate::turn::Turn;

/// A stream that is read in turns, and written when the answers that are ready have been gathered.
#[derive(Debug)]
pub(crate) struct Fair<S> {
    stream: S,
    turn: Arc<Turn>,
    conduct: Arc<Conduct>,
    heads: Option<Heads>,
    resting: Option<Pin<Box<Sleep>>>,
    has_gathered: bool,
}

impl<S> Fair<S> {
    /// Has a stream read in turns, whose beginnings are told by whoever polls the connection, and not while it has to rest
    /// for its conduct; of HTTP/2 its header lists are watched.
    pub(crate) const fn new(
        stream: S,
        turn: Arc<Turn>,
        conduct: Arc<Conduct>,
        heads: Option<Heads>,
    ) -> Self {
        Self {
            stream,
            turn,
            conduct,
            heads,
            resting: None,
            has_gathered: false,
        }
    }

    /// Ready when it need not rest.
    fn poll_rested(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(rest) = self.conduct.rest() {
            self.resting = Some(Box::pin(sleep(rest)));
        }
        if let Some(resting) = &mut self.resting {
            ready!(resting.as_mut().poll(context));
            self.resting = None;
        }
        Poll::Ready(())
    }

    /// Whether what is to be written may wait for the answers to other requests, whose tasks can run now: each write is a
    /// call of the system, which costs more than most answers. It waits once, for no longer than that.
    fn gathers(&mut self, context: &mut Context<'_>) -> bool {
        if self.has_gathered || !self.turn.has_unanswered() {
            return false;
        }
        self.has_gathered = true;
        give_way(context);
        true
    }
}

/// Asks to be polled again after all that can run now, and after a look at who else has written or can be written to: a
/// plain wake-up would come before that.
pub(crate) fn give_way(context: &mut Context<'_>) {
    // Asked once, this waits for nothing but that.
    let _ = pin!(yield_now()).poll(context);
}

impl<S: AsyncRead + Unpin> AsyncRead for Fair<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turn.is_over(Instant::now()) {
            give_way(context);
            return Poll::Pending;
        }
        ready!(self.poll_rested(context));
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(heads) = &mut self.heads {
            heads.see(buffer.filled().get(before..).unwrap_or_default());
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Fair<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.gathers(context) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.has_gathered = false;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    /// No: then small messages are put together with what leads and follows them, instead of being written each by
    /// itself.
    fn is_write_vectored(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    /// Longer than any turn.
    const LONG: Duration = Duration::from_secs(5);

    fn reading(turn: &Arc<Turn>) -> Fair<&'static [u8]> {
        Fair::new(&[7; 64], Arc::clone(turn), Conduct::new(100), None)
    }

    /// How many bytes come at once, of ten.
    fn poll_ten(
        fair: &mut Fair<&[u8]>,
        context: &mut Context<'_>,
    ) -> Poll<Result<usize, io::Error>> {
        let mut space = [0; 10];
        let mut buffer = ReadBuf::new(&mut space);
        let polled = Pin::new(fair).poll_read(context, &mut buffer);
        polled.map(|read| read.map(|()| buffer.filled().len()))
    }

    #[tokio::test]
    async fn nothing_is_read_while_requests_wait_however_often_it_is_asked() {
        let turn = Turn::new();
        let mut fair = reading(&turn);
        turn.begin(Instant::now() + LONG);
        poll_fn(|context| {
            assert!(poll_ten(&mut fair, context).is_ready());
            let waiting: Vec<_> = (0..100).filter_map(|_| turn.request()).collect();
            assert!(!waiting.is_empty());
            assert!(poll_ten(&mut fair, context).is_pending());
            assert!(poll_ten(&mut fair, context).is_pending());
            drop(waiting);
            assert!(poll_ten(&mut fair, context).is_ready());
            Poll::Ready(())
        })
        .await;
    }

    /// Asks to be run again, a few times.
    async fn work(is_done: Arc<AtomicBool>) {
        let mut rounds = 0;
        poll_fn(|context| {
            rounds += 1;
            context.waker().wake_by_ref();
            if rounds > 5 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        is_done.store(true, Ordering::Relaxed);
    }

    #[tokio::test]
    async fn what_is_written_waits_once_for_answers_that_are_to_come() {
        let turn = Turn::new();
        let mut fair = Fair::new(Vec::new(), Arc::clone(&turn), Conduct::new(100), None);
        assert_eq!(write(&mut fair, b"a").await, 1, "nobody else waits");
        let unanswered = turn.unanswered();
        assert_eq!(write(&mut fair, b"b").await, 2, "somebody does");
        assert_eq!(write(&mut fair, b"c").await, 2, "and still does");
        drop(unanswered);
        assert_eq!(write(&mut fair, b"d").await, 1);
        assert_eq!(fair.stream, b"abcd");
    }

    /// Writes and flushes; how often it had to be asked.
    async fn write(fair: &mut Fair<Vec<u8>>, part: &[u8]) -> usize {
        let mut asked = 0;
        poll_fn(|context| {
            asked += 1;
            Pin::new(&mut *fair).poll_write(context, part)
        })
        .await
        .unwrap();
        poll_fn(|context| Pin::new(&mut *fair).poll_flush(context))
            .await
            .unwrap();
        asked
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_read_for_a_moment_after_something_costly() {
        let conduct = Conduct::new(100);
        let mut fair = Fair::new(&[7; 64][..], Turn::new(), Arc::clone(&conduct), None);
        let begun = tokio::time::Instant::now();
        for cost in [false, true, false] {
            if cost {
                conduct.costly();
            }
            poll_fn(|context| {
                fair.turn.begin(Instant::now() + LONG);
                poll_ten(&mut fair, context)
            })
            .await
            .unwrap();
        }
        assert_eq!(conduct.rest(), None);
        let took = begun.elapsed();
        assert!(took > Duration::from_millis(90), "{took:?}");
        assert!(took < Duration::from_millis(150), "{took:?}");
    }

    #[tokio::test]
    async fn who_has_had_a_turn_goes_on_after_all_that_others_can_do() {
        let turn = Turn::new();
        let mut fair = reading(&turn);
        let is_done = Arc::new(AtomicBool::new(false));
        let mut asked = 0;
        let reads = poll_fn(move |context| {
            asked += 1;
            if asked == 1 {
                tokio::spawn(work(Arc::clone(&is_done)));
            } else {
                assert!(is_done.load(Ordering::Relaxed));
                turn.begin(Instant::now() + LONG);
            }
            poll_ten(&mut fair, context)
        });
        assert_eq!(tokio::spawn(reads).await.unwrap().unwrap(), 10);
    }
}
