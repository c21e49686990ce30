//! Requests that go on unchanged.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, RETRY_AFTER, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;

use crate::abuse::UnderWay;
use crate::body::{Body, Passed};
use crate::connection::Line;
use crate::framing::PREFIX;
use crate::identity::is_own;
use crate::route::Shared;
use crate::sent::{BEGINNING, Missing, Sent};
use crate::status::{REQUEST_ID, refusal, unanswered};
use crate::upstream::BEHIND;

/// Waits for the beginning of a request, and has a server behind the door answer it.
pub(crate) async fn begin(
    shared: &Shared,
    line: &Line,
    request: Request<Incoming>,
    is_grpc: bool,
    under_way: UnderWay,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let patience = shared.limits.request;
    match Sent::begin(body, is_grpc, BEGINNING, usize::MAX, patience, line).await {
        Ok(sent) => pass(shared, Request::from_parts(head, sent), is_grpc, under_way).await,
        Err(missing) => {
            let id = head.headers.get(REQUEST_ID);
            late(shared, &missing, is_grpc, id, under_way)
        }
    }
}

/// Has a server behind the door answer.
pub(crate) async fn pass(
    shared: &Shared,
    request: Request<Sent>,
    is_grpc: bool,
    under_way: UnderWay,
) -> Response<Body> {
    let passed = try_pass(shared, request, is_grpc, under_way).await;
    passed.unwrap_or_else(|unable| unable)
}

/// The same; an error is what the door says where nobody behind it does.
pub(crate) async fn try_pass(
    shared: &Shared,
    request: Request<Sent>,
    is_grpc: bool,
    mut under_way: UnderWay,
) -> Result<Response<Body>, Response<Body>> {
    let id = request.headers().get(REQUEST_ID).cloned();
    let most = shared.limits.message + PREFIX;
    if is_grpc && request.body().is_without_message(most) && asks_once(request.uri().path()) {
        // grpcio answers it never. It counts as given up.
        return Err(refusal(argus_engine::request_missing(), id.as_ref()));
    }
    let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
        under_way.over();
        shared.figures.shed.add();
        return Err(unable(is_grpc, argus_engine::overloaded(), id.as_ref()));
    };
    let progress = request.body().progress();
    let Some(request) = onward(request, is_grpc) else {
        under_way.over();
        return Err(plain(StatusCode::BAD_REQUEST));
    };
    shared.figures.passed.add();
    // On the heap: else hot calls and answers that nobody reads would take up the space for it, too.
    let sent = if is_grpc {
        Box::pin(shared.upstream.grpc(request)).await
    } else {
        Box::pin(shared.upstream.http(request)).await
    };
    let response = match sent {
        Ok(response) => response,
        Err(_) if progress.is_late() => {
            return Err(late(
                shared,
                &Missing::Late,
                is_grpc,
                id.as_ref(),
                under_way,
            ));
        }
        Err(why) => {
            under_way.over();
            return Err(unable(is_grpc, unanswered(&why), id.as_ref()));
        }
    };
    progress.taken_up();
    // It was for those that wait for a server: what lasts longer is the server's to bound.
    drop(place);
    let (mut head, body) = response.into_parts();
    if !is_grpc {
        strip(&mut head.headers);
    }
    head.version = Version::default();
    let body = Passed::body(body, is_grpc, under_way);
    Ok(Response::from_parts(head, body))
}

/// Whether a method takes one message, as all of Argus's own and health checks do; reflection takes a stream.
fn asks_once(path: &str) -> bool {
    ["/argus.", "/grpc.health."]
        .iter()
        .any(|own| path.starts_with(own))
}

/// The request as the server behind the door gets it: in the form of its protocol, without what is between neighbours.
fn onward(request: Request<Sent>, is_grpc: bool) -> Option<Request<Sent>> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().cloned();
    if !is_grpc {
        strip(&mut head.headers);
        if let Some(authority) = &authority
            && !head.headers.contains_key(HOST)
        {
            let host = HeaderValue::try_from(authority.as_str()).ok()?;
            head.headers.insert(HOST, host);
        }
    }
    let path = head.uri.path_and_query().cloned();
    head.uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(match authority {
            Some(authority) if is_grpc => authority,
            _ => Authority::from_static(BEHIND),
        })
        .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
        .build()
        .ok()?;
    head.version = if is_grpc {
        Version::HTTP_2
    } else {
        Version::HTTP_11
    };
    Some(Request::from_parts(head, body))
}

/// Takes out what holds for one connection alone (RFC 9110, section 7.6.1).
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // What the door says is for the server behind it, whatever the caller calls its neighbour's.
        .filter(|name| !is_own(name))
        .collect();
    let always = [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    for name in named.iter().chain(&always) {
        headers.remove(name);
    }
}

fn unable(is_grpc: bool, status: Vec<u8>, id: Option<&HeaderValue>) -> Response<Body> {
    if is_grpc {
        return refusal(status, id);
    }
    away()
}

/// What a reader of HTTP is told where nobody behind the door answers.
pub(crate) fn away() -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
    let soon = HeaderValue::from_static("1");
    response.headers_mut().insert(RETRY_AFTER, soon);
    response
}

/// What a request is told that has not come; whoever gave it up does not read it, and has it counted.
pub(crate) fn late(
    shared: &Shared,
    missing: &Missing,
    is_grpc: bool,
    id: Option<&HeaderValue>,
    mut under_way: UnderWay,
) -> Response<Body> {
    match missing {
        Missing::Gone => {}
        Missing::Late => {
            under_way.over();
            shared.figures.late.add();
        }
        Missing::NoRoom => {
            under_way.over();
            shared.figures.shed.add();
            return unable(is_grpc, argus_engine::overloaded(), id);
        }
    }
    if is_grpc {
        return refusal(argus_engine::deadline_exceeded(), id);
    }
    plain(StatusCode::REQUEST_TIMEOUT)
}

/// A refusal of an HTTP request, in words.
pub(crate) fn plain(status: StatusCode) -> Response<Body> {
    let text = match status {
        StatusCode::BAD_REQUEST => "the request cannot be understood\n",
        StatusCode::REQUEST_TIMEOUT => "the request did not come in time; try again\n",
        _ => "argus is away; try again\n",
    };
    let mut response = Response::new(Body::Whole {
        data: Some(Bytes::from_static(text.as_bytes())),
        trailers: None,
    });
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_neighbours_goes_and_what_the_door_says_stays() {
        let mut headers = HeaderMap::new();
        let named = HeaderValue::from_static("x-hop, X-Argus-Door-Peer, te, close");
        headers.insert(CONNECTION, named);
        for name in ["x-hop", "x-argus-door-peer", "te", "keep-alive", "x-kept"] {
            headers.insert(name, HeaderValue::from_static("a"));
        }
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-argus-door-peer", "x-kept"]);
    }
}
