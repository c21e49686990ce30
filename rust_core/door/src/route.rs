//! Which of the three a request is for: the engine, the gRPC server, the HTTP edge.

use std::convert::Infallible;
use std::sync::Arc;

use argus_engine::Engine;
use argus_engine::proto::HotMethod;
use argus_engine::proto::access::HOT_METHODS;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use crate::abuse::UnderWay;
use crate::body::Body;
use crate::connection::Line;
use crate::documents::{self, Documents};
use crate::figures::Figures;
use crate::hot::hot;
use crate::limits::Limits;
use crate::pass::{begin, plain};
use crate::turn::Waiting;
use crate::upstream::Upstream;

/// What all connections of a door share.
pub(crate) struct Shared {
    /// Answers the hot calls.
    pub(crate) engine: Arc<Engine>,
    /// What is behind the door.
    pub(crate) upstream: Upstream,
    /// Documents that were answered a moment ago.
    pub(crate) documents: Documents,
    /// Places for calls that wait for a server behind the door.
    pub(crate) places: Arc<Semaphore>,
    /// Room for requests that have begun.
    pub(crate) waiting: Arc<Semaphore>,
    /// Places for connections that use up their turns.
    pub(crate) busy: Arc<Semaphore>,
    /// Bounds.
    pub(crate) limits: Limits,
    /// What is counted.
    pub(crate) figures: Arc<Figures>,
}

/// Answers one request of a connection, once it is its turn.
pub(crate) async fn route(
    shared: Arc<Shared>,
    line: Arc<Line>,
    mut request: Request<Incoming>,
    mut under_way: UnderWay,
    waiting: Option<Waiting>,
) -> Result<Response<Body>, Infallible> {
    if let Some(waiting) = waiting {
        waiting.over().await;
    }
    let is_grpc = shared.limits.grpc && is_grpc(&request);
    if is_grpc
        && let Some(method) = hot_method(&request)
        && is_plain(&request)
    {
        return Ok(hot(&shared, &line, method, request, under_way).await);
    }
    if !has_host(&request) {
        under_way.over();
        return Ok(plain(StatusCode::BAD_REQUEST));
    }
    line.peer.stamp(request.headers_mut());
    if documents::is_one(&request) {
        return Ok(documents::answer(&shared, request, under_way).await);
    }
    Ok(begin(&shared, &line, request, is_grpc, under_way).await)
}

/// HTTP/1.1 says its host, once (RFC 9112, section 3.2): links and cookies are made for it.
fn has_host(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let hosts = (hosts.next(), hosts.next());
    request.version() != Version::HTTP_11 || matches!(hosts, (Some(_), None))
}

/// Over HTTP/2 gRPC is known by its content type, whatever its codec; its method is always the same.
fn is_grpc(request: &Request<Incoming>) -> bool {
    request.version() == Version::HTTP_2
        && request.method() == Method::POST
        && request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

fn hot_method(request: &Request<Incoming>) -> Option<&'static HotMethod> {
    let path = request.uri().path();
    HOT_METHODS.iter().find(|method| method.path == path)
}

/// Protobuf without compression: anything else the gRPC server knows better.
fn is_plain(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let is_proto = headers.get(CONTENT_TYPE).is_some_and(|value| {
        value == HeaderValue::from_static("application/grpc")
            || value == HeaderValue::from_static("application/grpc+proto")
    });
    let is_identity = headers
        .get("grpc-encoding")
        .is_none_or(|value| value == HeaderValue::from_static("identity"));
    is_proto && is_identity
}
