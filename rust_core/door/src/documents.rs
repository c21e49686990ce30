//! Key sets and metadata of issuers: what everybody may read, and what is the same for everybody.
//!
//! Requests for one of them that come within a moment share an answer, and those that come while it is being made wait
//! for it: so thousands of readers cost the server behind the door no more than a few.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, GetAll, HeaderValue, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::abuse::UnderWay;
use crate::body::Body;
use crate::hot::request_id;
use crate::identity::is_own;
use crate::pass::{away, try_pass};
use crate::route::Shared;
use crate::sent::Sent;
use crate::status::REQUEST_ID;

/// What the paths of documents have (RFC 8615).
const WELL_KNOWN: &str = "/.well-known/";
/// So long an answer is shared: far less than what is published takes to get around anyway.
const MOMENT: Duration = Duration::from_millis(100);
/// The longest document that is shared.
const LONGEST: u64 = 64 * 1024;
/// The longest path of one.
const LONGEST_PATH: usize = 256;
/// So many documents at a time.
const MOST: u64 = 256;

type Slot = Arc<Mutex<Option<Arc<Document>>>>;

/// Documents that were answered a moment ago.
pub(crate) struct Documents(Cache<String, Slot>);

impl Documents {
    /// None yet.
    pub(crate) fn new() -> Self {
        let slots = Cache::builder().max_capacity(MOST);
        Self(slots.time_to_idle(Duration::from_secs(10)).build())
    }

    fn slot(&self, path: &str) -> Slot {
        self.0.get_with_by_ref(path, Slot::default)
    }
}

/// An answer.
struct Document {
    made: Instant,
    status: StatusCode,
    headers: HeaderMap,
    content: Bytes,
}

impl Document {
    fn answer(&self, known: &GetAll<'_, HeaderValue>) -> Response<Body> {
        let mut response = Response::new(Body::Empty);
        response.headers_mut().clone_from(&self.headers);
        if self.headers.get(ETAG).is_some_and(|tag| has(known, tag)) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            for name in [CONTENT_TYPE, CONTENT_LENGTH] {
                response.headers_mut().remove(name);
            }
            return response;
        }
        *response.status_mut() = self.status;
        *response.body_mut() = Body::Whole {
            data: Some(self.content.clone()),
            trailers: None,
        };
        response
    }
}

/// Weak comparison (RFC 9110, section 13.1.2).
fn has(known: &GetAll<'_, HeaderValue>, tag: &HeaderValue) -> bool {
    known
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|one| one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag.as_bytes())
}

/// Whether a request asks for a document, and for nothing that only the server behind the door knows.
pub(crate) fn is_one(request: &Request<Incoming>) -> bool {
    let uri = request.uri();
    request.method() == Method::GET
        && uri.path().contains(WELL_KNOWN)
        && uri.path().len() <= LONGEST_PATH
        && uri.query().is_none()
        && request.body().is_end_stream()
}

/// Answers a request for a document.
pub(crate) async fn answer(
    shared: &Shared,
    request: Request<Incoming>,
    mut under_way: UnderWay,
) -> Response<Body> {
    let (mut head, _) = request.into_parts();
    let id = request_id(&mut head.headers);
    let slot = shared.documents.slot(head.uri.path());
    let mut kept = slot.lock().await;
    let fresh = kept.as_ref().filter(|one| one.made.elapsed() < MOMENT);
    let document = match fresh.map(Arc::clone) {
        Some(document) => document,
        None => match ask(shared, &head).await {
            Ok(document) => Arc::clone(kept.insert(Arc::new(document))),
            Err(unshared) => {
                under_way.over();
                return unshared;
            }
        },
    };
    drop(kept);
    under_way.over();
    let mut response = document.answer(&head.headers.get_all(IF_NONE_MATCH));
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Has the server behind the door answer, which is told who asks and nothing else; an error is an answer that can't be
/// shared.
async fn ask(shared: &Shared, head: &Parts) -> Result<Document, Response<Body>> {
    let mut request = Request::new(Sent::nothing());
    if let Some(path) = head.uri.path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    for (name, value) in &head.headers {
        if is_own(name) || name == REQUEST_ID {
            request.headers_mut().append(name, value.clone());
        }
    }
    let response = try_pass(shared, request, false, UnderWay::nobodys()).await?;
    let length = response.body().size_hint().upper();
    if response.status().is_server_error() || length.is_none_or(|length| length > LONGEST) {
        return Err(response);
    }
    let (head, body) = response.into_parts();
    let content = body.collect().await.map_err(|_| away())?;
    Ok(Document {
        made: Instant::now(),
        status: head.status,
        headers: head.headers,
        content: content.to_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let has = |known: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(known));
            has(
                &headers.get_all(IF_NONE_MATCH),
                &HeaderValue::from_static("\"a\""),
            )
        };
        assert!(
            ["\"a\"", "W/\"a\"", "\"b\" , \"a\"", "*"]
                .into_iter()
                .all(has)
        );
        assert!(!["\"b\"", "a", "W/\"b\"", ""].into_iter().any(has));
    }
}
