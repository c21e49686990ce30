//! Bodies of answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::abuse::UnderWay;
use crate::status;

/// What an answer consists of.
#[derive(Debug, Default)]
pub(crate) enum Body {
    /// Nothing but its head.
    #[default]
    Empty,
    /// What was made here.
    Whole {
        /// The message.
        data: Option<Bytes>,
        /// What follows it.
        trailers: Option<HeaderMap>,
    },
    /// What is passed on as it comes.
    Passed(Box<Passed>),
}

/// The answer of a server behind the door.
#[derive(Debug)]
pub(crate) struct Passed {
    inner: Incoming,
    is_grpc: bool,
    under_way: UnderWay,
    is_over: bool,
}

impl Passed {
    /// Passes a body on; of gRPC one that breaks off ends in a status.
    pub(crate) fn body(inner: Incoming, is_grpc: bool, under_way: UnderWay) -> Body {
        let mut passed = Self {
            is_over: inner.is_end_stream(),
            inner,
            is_grpc,
            under_way,
        };
        if passed.is_over {
            passed.under_way.over();
        }
        Body::Passed(Box::new(passed))
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let frame = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) if self.is_grpc => {
                Some(Ok(Frame::trailers(status::broken(&error))))
            }
            Poll::Ready(frame) => frame,
        };
        let ends = frame
            .as_ref()
            .is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if ends || self.inner.is_end_stream() {
            self.is_over = true;
            self.under_way.over();
        }
        Poll::Ready(frame)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole { data, trailers } => {
                let frame = data
                    .take()
                    .map(Frame::data)
                    .or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            Self::Passed(passed) => passed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole { data, trailers } => data.is_none() && trailers.is_none(),
            Self::Passed(passed) => passed.is_over || passed.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            // With a length of its own an answer would have no room for trailers in HTTP/1.1, and gRPC sends none.
            Self::Whole { .. } => SizeHint::default(),
            Self::Passed(passed) if passed.is_grpc => SizeHint::default(),
            Self::Passed(passed) => passed.inner.size_hint(),
        }
    }
}
