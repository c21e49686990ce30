//! Errors as gRPC tells them.

use h2::Reason;
use http::{HeaderMap, HeaderValue, Response};
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::Status as Details;

use crate::body::Body;
use crate::upstream::Unanswered;

/// Name of the header that carries the id of a request.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// An answer without a message: an encoded `google.rpc.Status`, which the engine has made.
pub(crate) fn refusal(encoded: Vec<u8>, request_id: Option<&HeaderValue>) -> Response<Body> {
    let mut response = grpc(encoded).into_http::<Body>();
    if let Some(id) = request_id {
        response.headers_mut().insert(REQUEST_ID, id.clone());
    }
    response
}

/// What a call is told that a server behind the door has not answered, as gRPC maps the reasons of HTTP/2: an encoded
/// `google.rpc.Status`.
pub(crate) fn unanswered(why: &Unanswered) -> Vec<u8> {
    match why {
        Unanswered::Reset(Reason::ENHANCE_YOUR_CALM) => argus_engine::overloaded(),
        Unanswered::Reset(Reason::CANCEL) => Details {
            code: Code::Cancelled.into(),
            message: "the server has cancelled the call".to_owned(),
            details: Vec::new(),
        }
        .encode_to_vec(),
        Unanswered::Away | Unanswered::Reset(_) => argus_engine::unavailable("argus"),
    }
}

/// What a call is told whose message is too long, in gRPC's own words: an encoded `google.rpc.Status`.
pub(crate) fn too_long(bytes: usize, most: usize) -> Vec<u8> {
    let message = format!("SERVER: Received message larger than max ({bytes} vs. {most})");
    let code = Code::ResourceExhausted.into();
    let details = Vec::new();
    Details {
        code,
        message,
        details,
    }
    .encode_to_vec()
}

/// The trailers of a call that broke off after its answer had begun.
pub(crate) fn broken(error: &hyper::Error) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let status = grpc(unanswered(&Unanswered::from(error)));
    // Without a place for its details a status has nothing that would not fit.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert("grpc-status", HeaderValue::from_static("14"));
    }
    trailers
}

fn grpc(encoded: Vec<u8>) -> Status {
    let Ok(status) = Details::decode(encoded.as_slice()) else {
        return Status::new(Code::Internal, "");
    };
    if status.details.is_empty() {
        return Status::new(Code::from_i32(status.code), status.message);
    }
    Status::with_details(Code::from_i32(status.code), status.message, encoded.into())
}
