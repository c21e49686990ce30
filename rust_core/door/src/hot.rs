//! Hot calls, answered in place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use argus_core::token::new_token_id;
use argus_engine::proto::HotMethod;
use argus_engine::{Answer, Engine, Incoming as Call, random};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use prost::Message as _;
use tokio::runtime::Handle;

use crate::abuse::UnderWay;
use crate::body::Body;
use crate::connection::Line;
use crate::framing::{PREFIX, plain_content as content};
use crate::identity::{CALL, NEED};
use crate::pass::{late, pass, try_pass};
use crate::route::Shared;
use crate::sent::Sent;
use crate::status::{REQUEST_ID, refusal, too_long};

/// Deadline of calls that say none.
const DEADLINE: Duration = Duration::from_secs(10);

/// Answers a hot call; what the engine can't do alone goes on with what it needs.
pub(crate) async fn hot(
    shared: &Shared,
    line: &Line,
    method: &'static HotMethod,
    request: Request<Incoming>,
    mut under_way: UnderWay,
) -> Response<Body> {
    let arrived = Instant::now();
    let (mut head, body) = request.into_parts();
    let request_id = request_id(&mut head.headers);
    let limit = shared.limits.message + PREFIX;
    let begun = Sent::begin(body, true, limit, limit, shared.limits.request, line);
    let mut sent = match begun.await {
        Ok(sent) => sent,
        Err(missing) => return late(shared, &missing, true, request_id.as_ref(), under_way),
    };
    if let Some(promised) = sent.promised().filter(|promised| *promised > limit) {
        // It counts as given up.
        under_way.costly();
        let status = too_long(promised - PREFIX, limit - PREFIX);
        return refusal(status, request_id.as_ref());
    }
    let message = sent.beginning();
    if content(&message).is_none() {
        line.peer.stamp(&mut head.headers);
        let request = Request::from_parts(head, sent);
        return pass(shared, request, true, under_way).await;
    }
    let question = Question {
        path: method.path,
        authorization: head.headers.get(AUTHORIZATION).cloned(),
        request_id: request_id.clone(),
        call_id: random().map(new_token_id).unwrap_or_default(),
        deadline: deadline(&head.headers).saturating_sub(arrived.elapsed()),
        message: message.clone(),
    };
    let call_id = question.call_id.clone();
    match Asking::new(&shared.engine, question).await {
        Some(Answer::Response(response)) => {
            shared.figures.answered(method, arrived.elapsed());
            under_way.over();
            good(&response, request_id)
        }
        Some(Answer::Refused(status)) => {
            shared.figures.refused(method, arrived.elapsed(), &status);
            under_way.over();
            refusal(status, request_id.as_ref())
        }
        Some(Answer::Flow(need)) => {
            let told = STANDARD_NO_PAD.encode(need.encode_to_vec());
            line.peer.stamp(&mut head.headers);
            for (name, text) in [(CALL, call_id), (NEED, told)] {
                if let Ok(value) = HeaderValue::try_from(text) {
                    head.headers.insert(name, value);
                }
            }
            let request = Request::from_parts(head, Sent::message(message));
            let passed = try_pass(shared, request, true, under_way).await;
            passed.unwrap_or_else(|unable| {
                shared.engine.keep(*need);
                unable
            })
        }
        None => {
            under_way.over();
            let id = request_id.as_ref().and_then(|id| id.to_str().ok());
            refusal(
                argus_engine::internal(id.unwrap_or_default()),
                request_id.as_ref(),
            )
        }
    }
}

/// What the engine is asked.
struct Question {
    path: &'static str,
    authorization: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    call_id: String,
    deadline: Duration,
    /// With its prefix.
    message: Bytes,
}

impl Question {
    fn call(&self) -> Call<'_> {
        fn text(value: Option<&HeaderValue>) -> Option<&str> {
            value.and_then(|value| value.to_str().ok())
        }
        Call {
            path: self.path,
            request: content(&self.message).unwrap_or_default(),
            authorization: text(self.authorization.as_ref()),
            request_id: text(self.request_id.as_ref()).unwrap_or_default(),
            call_id: &self.call_id,
            deadline_ms: self.deadline.as_millis().try_into().unwrap_or(i64::MAX),
            ..Call::default()
        }
    }
}

/// The engine at work; `None`: it has met a defect. It finishes what it has begun though the caller may have gone: Redis
/// may have decided, and that must be known.
struct Asking {
    engine: Arc<Engine>,
    /// Until it is done.
    answering: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
}

impl Asking {
    fn new(engine: &Arc<Engine>, question: Question) -> Self {
        let asked = Arc::clone(engine);
        Self {
            engine: Arc::clone(engine),
            answering: Some(Box::pin(async move {
                asked.answer_in_place(question.call()).await
            })),
        }
    }
}

impl Future for Asking {
    type Output = Option<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answering) = &mut self.answering else {
            return Poll::Ready(None);
        };
        let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
        if matches!(polled, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        self.answering = None;
        Poll::Ready(match polled {
            Ok(Poll::Ready(answer)) => Some(answer),
            _ => None,
        })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let (Some(answering), Ok(runtime)) = (self.answering.take(), Handle::try_current()) {
            let engine = Arc::clone(&self.engine);
            // Only now a task of its own: one for each call would cost more than many an answer.
            runtime.spawn(async move {
                if let Answer::Flow(need) = answering.await {
                    engine.keep(*need);
                }
            });
        }
    }
}

fn good(content: &[u8], request_id: Option<HeaderValue>) -> Response<Body> {
    let mut message = BytesMut::with_capacity(PREFIX + content.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    message.put_slice(content);
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if let Some(id) = request_id {
        trailers.insert(REQUEST_ID, id);
    }
    let mut response = Response::new(Body::Whole {
        data: Some(message.freeze()),
        trailers: Some(trailers),
    });
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// The id that the caller gave the request, or a new one, which goes on with it.
pub(crate) fn request_id(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let given = headers
        .get(REQUEST_ID)
        .filter(|value| is_request_id(value.as_bytes()));
    let id = match given {
        Some(given) => given.clone(),
        None => HeaderValue::try_from(new_token_id(random().ok()?)).ok()?,
    };
    headers.insert(REQUEST_ID, id.clone());
    Some(id)
}

/// A letter or digit, and up to 63 of those and `._:-`.
fn is_request_id(text: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.len() <= 64
        && text.iter().all(is_allowed)
}

/// What `grpc-timeout` says: up to eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Duration {
    let parse = |text: &str| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if number.is_empty() || number.len() > 8 || !number.bytes().all(|one| one.is_ascii_digit())
        {
            return None;
        }
        let number: u64 = number.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(number * 3600),
            "M" => Duration::from_secs(number * 60),
            "S" => Duration::from_secs(number),
            "m" => Duration::from_millis(number),
            "u" => Duration::from_micros(number),
            "n" => Duration::from_nanos(number),
            _ => return None,
        })
    };
    headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(parse)
        .unwrap_or(DEADLINE)
}
