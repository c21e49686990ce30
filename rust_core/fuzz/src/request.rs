//! The decoders of requests: the four hot RPCs, proofs for flows, the metadata `authorization`, what tokens are made of.
//!
//! The first byte says which; the rest are the bytes that came. Behind it is a whole engine, and no Redis. Laws:
//!
//! * nothing panics (an `INTERNAL` answer is a caught panic), and nothing takes more than [`memory`] says;
//! * without Redis nothing is ever good: an outage is not an answer;
//! * a good token is `UNAVAILABLE` then, never `UNAUTHENTICATED`, whatever else the request asks;
//! * a request written anew is the same request, and no bytes but a request are taken for one;
//! * no token stands in an answer that refuses it, nor in what is written down.

mod world;

use argus_engine::proto::access::HOT_METHODS;
use argus_engine::proto::v1::{
    BatchVerifyAccessTokensRequest, BatchVerifyAccessTokensResponse, IntrospectTokenRequest,
    IntrospectTokenResponse, RefreshTokenRequest, VerifyAccessTokenRequest,
};
use prost::Message;
use tonic_types::Status;

use crate::Outcome;
use crate::memory::within;
use world::{Tokens, WORLD};

const OK: u8 = 0;
const REFUSED: u8 = 1;
const NEEDS_FLOW: u8 = 2;

const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// Text that a good token is put in the place of.
const PLACE: &str = "@";

/// Most bytes that answering a request of so many bytes may hold.
#[must_use]
pub const fn memory(request: usize) -> usize {
    (1 << 20) + 48 * request
}

/// Checks the laws for some bytes.
pub fn check(data: &[u8]) -> Outcome {
    let Some((kind, bytes)) = data.split_first() else {
        return Outcome::Refused;
    };
    let tokens = WORLD.tokens();
    let is_request = match kind % 8 {
        0 => call::<VerifyAccessTokenRequest>(0, bytes, &tokens),
        1 => call::<BatchVerifyAccessTokensRequest>(1, bytes, &tokens),
        2 => call::<RefreshTokenRequest>(2, bytes, &tokens),
        3 => call::<IntrospectTokenRequest>(3, bytes, &tokens),
        4 => proof(bytes),
        5 => authorization(bytes, &tokens),
        6 => issue(bytes),
        _ => claims(bytes),
    };
    nothing_secret_is_kept(&tokens);
    Outcome::of(is_request)
}

/// A request that good tokens can be put into.
trait Fill: Message + Default + PartialEq + Clone + std::fmt::Debug {
    /// Puts good tokens in the marked places.
    ///
    /// Answers whether nothing but the state of the session is left to be looked at: then the outage of Redis is the
    /// only true answer.
    fn fill(&mut self, tokens: &Tokens) -> bool;
}

impl Fill for VerifyAccessTokenRequest {
    fn fill(&mut self, tokens: &Tokens) -> bool {
        let is_filled = put(&mut self.access_token, &tokens.access);
        is_filled
            && self.proof.is_none()
            && (self.resource.is_empty() || self.resource == world::RESOURCE)
    }
}

impl Fill for BatchVerifyAccessTokensRequest {
    fn fill(&mut self, tokens: &Tokens) -> bool {
        for request in &mut self.requests {
            request.fill(tokens);
        }
        false
    }
}

impl Fill for RefreshTokenRequest {
    fn fill(&mut self, tokens: &Tokens) -> bool {
        let is_filled = put(&mut self.refresh_token, &tokens.refresh);
        is_filled && self.proof.is_none() && self.scope.is_empty() && self.resource.is_empty()
    }
}

impl Fill for IntrospectTokenRequest {
    fn fill(&mut self, tokens: &Tokens) -> bool {
        put(&mut self.token, &tokens.access)
    }
}

fn put(place: &mut String, token: &str) -> bool {
    let is_place = place == PLACE;
    if is_place {
        token.clone_into(place);
    }
    is_place
}

fn call<R: Fill>(method: usize, bytes: &[u8], tokens: &Tokens) -> bool {
    let path = HOT_METHODS[method].path;
    let answer = |bytes: &[u8]| within(memory(bytes.len()), || WORLD.answer(path, bytes, tokens));
    let (kind, content) = answer(bytes);
    check_answer(method, kind, &content);
    let Ok(request) = R::decode(bytes) else {
        let status = Status::decode(content.as_slice()).unwrap();
        assert_eq!(
            (kind, status.code),
            (REFUSED, INVALID_ARGUMENT),
            "no request was taken"
        );
        return false;
    };
    // Written anew; an enum's unknown number and a field's second value are the same in both.
    assert_eq!(
        R::decode(request.encode_to_vec().as_slice()).as_ref(),
        Ok(&request)
    );
    let mut filled = request.clone();
    let only_the_state_is_left = filled.fill(tokens);
    if filled == request {
        return true;
    }
    let (kind, content) = answer(&filled.encode_to_vec());
    check_answer(method, kind, &content);
    for token in [&tokens.access, &tokens.refresh] {
        assert!(
            !contains(&content, token),
            "a token in the answer that refuses it"
        );
    }
    if only_the_state_is_left {
        assert_ne!(kind, OK, "an outage was an answer");
    }
    if only_the_state_is_left && kind == REFUSED {
        let code = Status::decode(content.as_slice()).unwrap().code;
        assert!(
            [INVALID_ARGUMENT, UNAVAILABLE].contains(&code),
            "an outage was an answer: {code}"
        );
    }
    true
}

/// Without Redis no session and no token is good.
fn check_answer(method: usize, kind: u8, content: &[u8]) {
    match kind {
        OK if method == 1 => {
            let response = BatchVerifyAccessTokensResponse::decode(content).unwrap();
            for result in &response.results {
                assert!(
                    result.verified.is_none() && result.code != 0,
                    "good without Redis"
                );
                assert!(is_expected(result.code), "code {}", result.code);
            }
        }
        OK => {
            assert_eq!(method, 3, "good without Redis");
            let response = IntrospectTokenResponse::decode(content).unwrap();
            assert_eq!(
                response,
                IntrospectTokenResponse::default(),
                "told about, though refused"
            );
        }
        REFUSED => {
            let status = Status::decode(content).unwrap();
            assert!(
                is_expected(status.code),
                "{}: {}",
                status.code,
                status.message
            );
            assert!(!status.details.is_empty());
        }
        _ => assert_eq!(kind, NEEDS_FLOW),
    }
}

fn is_expected(code: i32) -> bool {
    [
        INVALID_ARGUMENT,
        DEADLINE_EXCEEDED,
        PERMISSION_DENIED,
        UNAVAILABLE,
        UNAUTHENTICATED,
    ]
    .contains(&code)
}

fn proof(bytes: &[u8]) -> bool {
    let (kind, _) = within(memory(bytes.len()), || {
        WORLD
            .engine
            .check_proof(bytes, world::TENANT, "client:web", None)
    });
    let (spent, _) = WORLD
        .engine
        .check_proof(bytes, world::TENANT, "client:web", Some(b"one"));
    let away = 3;
    assert!(kind != away, "nothing was to be used up");
    // What a certificate proves can't be used up, so it needs no Redis.
    assert!(
        spent == kind || (kind == OK && spent == away),
        "{kind}, then {spent}"
    );
    kind == OK
}

fn authorization(bytes: &[u8], tokens: &Tokens) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let text = text.replacen(PLACE, &tokens.client, 1);
    let (kind, content) = within(memory(text.len()), || {
        WORLD
            .engine
            .authenticate(Some(&text), "tokens.verify", false, "")
    });
    if kind == OK {
        assert!(text.contains(&tokens.client), "a caller without a token");
        let scheme = text.split(' ').next().unwrap();
        assert!(scheme.eq_ignore_ascii_case("bearer"));
        return true;
    }
    let code = Status::decode(content.as_slice()).unwrap().code;
    assert!(
        [UNAUTHENTICATED, UNAVAILABLE].contains(&code),
        "code {code}"
    );
    assert!(!contains(&content, &tokens.client));
    false
}

fn issue(bytes: &[u8]) -> bool {
    let session = within(memory(bytes.len()), || WORLD.engine.issue(bytes));
    let client = within(memory(bytes.len()), || {
        WORLD.engine.issue_client_token(bytes)
    });
    session.is_ok() || client.is_ok()
}

fn claims(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let (kind, content) = within(memory(text.len()), || WORLD.engine.read_token(text));
    let (of_refresh, _) = WORLD.engine.read_refresh_token(world::TENANT, text, "r");
    if kind != OK {
        assert!(
            !content.is_empty() && content.is_ascii(),
            "a class has a name"
        );
        assert_ne!(of_refresh, OK, "good for a refresh alone");
    }
    kind == OK
}

/// Takes what is to be written down out of the engine.
fn nothing_secret_is_kept(tokens: &Tokens) {
    let effects = WORLD.engine.peek_effects(usize::MAX);
    WORLD.engine.discard_effects(usize::MAX);
    for token in [&tokens.access, &tokens.refresh, &tokens.client] {
        assert!(!contains(&effects, token), "a token is written down");
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
