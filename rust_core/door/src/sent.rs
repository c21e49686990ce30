//! Bodies of requests that go on.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep, timeout};

use crate::connection::Line;
use crate::framing::content_length;
use crate::room::{Held, Room};
use crate::unclosed::Unclosed;

/// So much of a request that goes on waits here before it takes a place.
pub(crate) const BEGINNING: usize = 64 * 1024;

/// Why a request has not come.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Its time is over.
    Late,
    /// Its caller has given it up.
    Gone,
    /// There is no room for what has come of it.
    NoRoom,
}

/// The body of a request on its way: its beginning, which is there, and the rest as it comes.
#[derive(Debug)]
pub(crate) struct Sent {
    is_grpc: bool,
    first: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    rest: Option<Rest>,
    held: Held,
}

/// What is still to come.
#[derive(Debug)]
struct Rest {
    /// There until it is dropped.
    body: Option<Incoming>,
    /// Bytes of the first gRPC message that have not come.
    owed: usize,
    progress: Progress,
    patience: Duration,
    silent_until: Option<Pin<Box<Sleep>>>,
    unclosed: Arc<Unclosed>,
}

/// How far a request has come, for both of its directions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

impl Progress {
    const TAKEN_UP: u8 = 1;
    const LATE: u8 = 2;

    /// The server behind the door has begun to answer: from now on it bounds how long it listens.
    pub(crate) fn taken_up(&self) {
        self.0.store(Self::TAKEN_UP, Ordering::Relaxed);
    }

    /// Whether the caller was silent for too long before that.
    pub(crate) fn is_late(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::LATE
    }

    /// The caller is silent; false: that is the server's affair.
    fn be_late(&self) -> bool {
        let (from, to) = (0, Self::LATE);
        let changed = self
            .0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        changed.is_ok()
    }
}

impl Sent {
    /// Of a request that has none.
    pub(crate) fn nothing() -> Self {
        Self {
            is_grpc: false,
            first: VecDeque::new(),
            trailers: None,
            rest: None,
            held: Held::default(),
        }
    }

    /// A gRPC message that is there, with its prefix.
    pub(crate) fn message(body: Bytes) -> Self {
        Self {
            is_grpc: true,
            first: VecDeque::from([body]),
            trailers: None,
            rest: None,
            held: Held::default(),
        }
    }

    /// Waits for the beginning: of gRPC the first message, of HTTP all, or `most` bytes; later silences are bounded,
    /// too. So whoever writes slowly takes nobody's place, and what has come of it has to find room. Of a message that says
    /// that it has more than `longest` bytes nothing more is waited for.
    ///
    /// # Errors
    ///
    /// [`Missing`]
    pub(crate) async fn begin(
        mut body: Incoming,
        is_grpc: bool,
        most: usize,
        longest: usize,
        patience: Duration,
        line: &Line,
    ) -> Result<Self, Missing> {
        let mut sent = Self {
            is_grpc,
            first: VecDeque::new(),
            trailers: None,
            rest: None,
            held: Held::default(),
        };
        let reading = timeout(
            patience,
            sent.read_beginning(&mut body, most, longest, &line.room),
        );
        let has_more = reading.await.map_err(|_| Missing::Late)??;
        if has_more {
            sent.rest = Some(Rest {
                body: Some(body),
                owed: sent.owed(),
                progress: Progress::default(),
                patience,
                silent_until: None,
                unclosed: Arc::clone(&line.unclosed),
            });
        }
        Ok(sent)
    }

    /// What has come so far, in one piece.
    pub(crate) fn beginning(&mut self) -> Bytes {
        if self.first.len() > 1 {
            let parts: Vec<Bytes> = self.first.drain(..).collect();
            self.first.push_back(parts.concat().into());
        }
        self.first.front().cloned().unwrap_or_default()
    }

    /// What is to be told how far it has come.
    pub(crate) fn progress(&self) -> Progress {
        self.rest
            .as_ref()
            .map(|rest| rest.progress.clone())
            .unwrap_or_default()
    }

    /// Whether it is over, and no whole gRPC message has come. One that would be longer than `most` is refused by its
    /// prefix, which is enough.
    pub(crate) fn is_without_message(&self, most: usize) -> bool {
        let length = self.length();
        self.rest.is_none()
            && self
                .promised()
                .is_none_or(|promised| length < promised && promised <= most)
    }

    fn length(&self) -> usize {
        self.first.iter().map(Bytes::len).sum()
    }

    fn owed(&self) -> usize {
        if !self.is_grpc {
            return 0;
        }
        self.promised().unwrap_or(1).saturating_sub(self.length())
    }

    /// Whether there is more to come.
    async fn read_beginning(
        &mut self,
        body: &mut Incoming,
        most: usize,
        longest: usize,
        room: &Room,
    ) -> Result<bool, Missing> {
        let mut length = 0;
        while !body.is_end_stream() {
            let frame = match body.frame().await {
                None => return Ok(false),
                Some(frame) => frame.map_err(|_| Missing::Gone)?,
            };
            match frame.into_data() {
                Ok(data) => {
                    let more = data.len();
                    length += more;
                    self.first.push_back(data);
                    let is_enough = |promised| length >= promised || promised > longest;
                    if length >= most || self.is_grpc && self.promised().is_some_and(is_enough) {
                        return Ok(!body.is_end_stream());
                    }
                    if !body.is_end_stream() && !room.take(more, &mut self.held) {
                        return Err(Missing::NoRoom);
                    }
                }
                Err(frame) => {
                    self.trailers = frame.into_trailers().ok();
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }

    /// Bytes of the first gRPC message with its prefix, which says so.
    pub(crate) fn promised(&self) -> Option<usize> {
        content_length(self.first.iter().flat_map(|part| part.iter().copied()))
    }
}

impl Rest {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            self.silent_until = None;
            return Poll::Ready(self.counted(frame.map(|frame| frame.map_err(io::Error::other))));
        }
        loop {
            let patience = self.patience;
            let silent_until = self
                .silent_until
                .get_or_insert_with(|| Box::pin(sleep(patience)));
            if silent_until.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if self.progress.be_late() {
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
            self.silent_until = None;
        }
    }

    /// A call that ends within its first message breaks off: gRPC servers wait for the rest of it for ever.
    fn counted(
        &mut self,
        frame: Option<Result<Frame<Bytes>, io::Error>>,
    ) -> Option<Result<Frame<Bytes>, io::Error>> {
        let data = match &frame {
            Some(Ok(frame)) => frame.data_ref(),
            Some(Err(_)) => return frame,
            None => None,
        };
        match data {
            Some(data) => self.owed = self.owed.saturating_sub(data.len()),
            None if self.owed > 0 => return Some(Err(io::ErrorKind::UnexpectedEof.into())),
            None => {}
        }
        frame
    }

    fn is_over(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if !self.is_over()
            && let Some(body) = self.body.take()
        {
            self.unclosed.keep(body);
        }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(first) = self.first.pop_front() {
            if self.first.is_empty() {
                self.held = Held::default();
            }
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match &mut self.rest {
            Some(rest) => rest.poll(context),
            None => Poll::Ready(self.trailers.take().map(|found| Ok(Frame::trailers(found)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty()
            && self.trailers.is_none()
            && self
                .rest
                .as_ref()
                .is_none_or(|rest| rest.is_over() && rest.owed == 0)
    }

    fn size_hint(&self) -> SizeHint {
        // A length would become a header that the caller has not sent, and handlers see.
        if self.is_grpc {
            return SizeHint::default();
        }
        let first = u64::try_from(self.length()).unwrap_or(u64::MAX);
        match &self.rest {
            None => SizeHint::with_exact(first),
            Some(rest) => {
                let hint = rest.body.as_ref().map(HttpBody::size_hint);
                let hint = hint.unwrap_or_default();
                let mut whole = SizeHint::new();
                whole.set_lower(first.saturating_add(hint.lower()));
                if let Some(upper) = hint.upper() {
                    whole.set_upper(first.saturating_add(upper));
                }
                whole
            }
        }
    }
}
