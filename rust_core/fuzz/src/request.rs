//! The decoders of requests: the four hot RPCs, proofs for flows, the metadata `authorization`, what tokens are made of.
//!
//! The first byte says which; the rest are the bytes that came. Behind it is a whole engine, and no Redis. Laws:
//!
//! * nothing panics (an `INTERNAL` answer is a caught panic), and nothing takes more than [`memory`] says;
//! * without Redis nothing is ever good: an outage is not an answer;
//! * a good token is `UNAVAILABLE` then, never `UNAUTHENTICATED`, whatever else the request asks;
//! * a token of another tenant, or under a pulled key, is refused for what it is even then, but that the user of a pulled
//!   refresh token is told to prove itself again; neither lets anybody in;
//! * a request written anew is the same request, and no bytes but a request are taken for one;
//! * no token stands in an answer that refuses it, nor in what is written down.

mod fill;
mod world;

use argus_engine::proto::access::HOT_METHODS;
use argus_engine::proto::internal::{Caller, TokenClaims};
use argus_engine::proto::v1::{
    BatchVerifyAccessTokensRequest, BatchVerifyAccessTokensResponse, ErrorReason,
    IntrospectTokenRequest, IntrospectTokenResponse, RefreshTokenRequest, VerifyAccessTokenRequest,
};
use argus_samples::TENANT;
use prost::Message;
use tonic_types::Status;

use crate::Outcome;
use crate::memory::within;
use fill::{Awaited, Fill};
use world::{Purse, WORLD, Whose, engine};

const OK: u8 = 0;
const REFUSED: u8 = 1;
const NEEDS_FLOW: u8 = 2;

const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

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
    let purse = WORLD.purse();
    let is_request = match kind % 8 {
        0 => call::<VerifyAccessTokenRequest>(0, bytes, &purse),
        1 => call::<BatchVerifyAccessTokensRequest>(1, bytes, &purse),
        2 => call::<RefreshTokenRequest>(2, bytes, &purse),
        3 => call::<IntrospectTokenRequest>(3, bytes, &purse),
        4 => proof(bytes),
        5 => authorization(bytes, &purse),
        6 => issue(bytes),
        _ => claims(bytes, &purse),
    };
    nothing_secret_is_kept(&purse);
    Outcome::of(is_request)
}

fn call<R: Fill>(method: usize, bytes: &[u8], purse: &Purse) -> bool {
    let path = HOT_METHODS[method].path;
    let answer = |bytes: &[u8]| within(memory(bytes.len()), || WORLD.answer(path, bytes, purse));
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
    let awaited = filled.fill(purse);
    if filled == request {
        return true;
    }
    let (kind, content) = answer(&filled.encode_to_vec());
    check_answer(method, kind, &content);
    for token in purse.all() {
        assert!(
            !contains(&content, token),
            "a token in the answer that refuses it"
        );
    }
    for (place, awaited) in awaited.into_iter().enumerate() {
        check_token(
            awaited,
            method,
            kind,
            verdict(method, kind, &content, place),
        );
    }
    true
}

/// Code and reason that a token in a place was refused with.
fn verdict(method: usize, kind: u8, content: &[u8], place: usize) -> Option<(i32, bool)> {
    if kind == REFUSED {
        let code = Status::decode(content).unwrap().code;
        let step_up = ErrorReason::StepUpRequired.as_str_name();
        let name = step_up.trim_start_matches("ERROR_REASON_");
        return Some((code, contains(content, name)));
    }
    let is_batch = kind == OK && method == 1;
    let response = is_batch.then(|| BatchVerifyAccessTokensResponse::decode(content).unwrap());
    let result = response?.results.into_iter().nth(place).unwrap();
    let is_step_up = result.reason == i32::from(ErrorReason::StepUpRequired);
    Some((result.code, is_step_up))
}

/// A token has become what it must.
fn check_token(awaited: Awaited, method: usize, kind: u8, verdict: Option<(i32, bool)>) {
    let Some((code, is_step_up)) = verdict else {
        // Introspection says of a bad token that it is not active; a flow is for what may be good.
        let is_told = kind == OK && method == 3;
        let is_right = match awaited {
            Awaited::Anything => true,
            Awaited::Outage => !is_told,
            Awaited::Refusal | Awaited::StepUp => is_told,
        };
        assert!(is_right, "{awaited:?} was awaited, {kind} was answered");
        return;
    };
    let is_right = match awaited {
        Awaited::Anything => true,
        Awaited::Outage => code == UNAVAILABLE && !is_step_up,
        Awaited::Refusal => code == UNAUTHENTICATED && !is_step_up,
        Awaited::StepUp => is_step_up,
    };
    // Its other fields are looked at first.
    assert!(
        is_right || code == INVALID_ARGUMENT,
        "{awaited:?} was awaited, {code} was answered"
    );
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
        engine().check_proof(bytes, TENANT, "client:web", None)
    });
    let (spent, _) = engine().check_proof(bytes, TENANT, "client:web", Some(b"one"));
    let away = 3;
    assert!(kind != away, "nothing was to be used up");
    // What a certificate proves can't be used up, so it needs no Redis.
    assert!(
        spent == kind || (kind == OK && spent == away),
        "{kind}, then {spent}"
    );
    kind == OK
}

fn authorization(bytes: &[u8], purse: &Purse) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let text = filled(text, |whose| &purse.of(whose).client);
    let (kind, content) = within(memory(text.len()), || WORLD.caller(&text));
    let (scheme, brought) = text.split_once(' ').unwrap_or_default();
    let found = Whose::ALL
        .into_iter()
        .find(|whose| purse.of(*whose).client == brought.trim());
    if kind == OK {
        let caller = Caller::decode(content.as_slice()).unwrap();
        let of = found.and_then(Whose::tenant_id);
        assert_eq!(of, Some(caller.tenant_id.as_str()), "who calls");
        assert!(scheme.eq_ignore_ascii_case("bearer"));
        return true;
    }
    let code = Status::decode(content.as_slice()).unwrap().code;
    assert!(
        [UNAUTHENTICATED, UNAVAILABLE].contains(&code),
        "code {code}"
    );
    if found == Some(Whose::Pulled) {
        assert_eq!(code, UNAUTHENTICATED, "a pulled key");
    }
    assert!(!purse.all().any(|token| contains(&content, token)));
    false
}

/// A text with a token in the first place of each mark.
fn filled<'a>(text: &str, token: impl Fn(Whose) -> &'a String) -> String {
    let put = |text: String, whose: Whose| text.replacen(whose.mark(), token(whose), 1);
    Whose::ALL.into_iter().fold(text.to_owned(), put)
}

fn issue(bytes: &[u8]) -> bool {
    let session = within(memory(bytes.len()), || engine().issue(bytes));
    let client = within(memory(bytes.len()), || engine().issue_client_token(bytes));
    session.is_ok() || client.is_ok()
}

/// What flows read: nobody's token but a good one, and a refresh token of the tenant whose key was pulled, of which
/// that is said.
fn claims(bytes: &[u8], purse: &Purse) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let access = filled(text, |whose| &purse.of(whose).access);
    let (kind, content) = within(memory(access.len()), || engine().read_token(&access, true));
    if kind == OK {
        let claims = TokenClaims::decode(content.as_slice()).unwrap();
        let found = Whose::ALL
            .into_iter()
            .find(|whose| purse.of(*whose).access == access);
        let of = found.and_then(Whose::tenant_id);
        assert_eq!(of, Some(claims.tenant_id.as_str()), "whose claims");
    } else {
        assert!(
            !content.is_empty() && content.is_ascii(),
            "a class has a name"
        );
    }
    let refresh = filled(text, |whose| &purse.of(whose).refresh);
    let (of_refresh, content) = within(memory(refresh.len()), || {
        engine().read_refresh_token(TENANT, &refresh, true)
    });
    if of_refresh == OK {
        let claims = TokenClaims::decode(content.as_slice()).unwrap();
        let whose = if claims.key_revoked {
            Whose::Pulled
        } else {
            Whose::Own
        };
        assert_eq!(purse.of(whose).refresh, refresh);
        assert_eq!(claims.tenant_id, TENANT);
    }
    kind == OK || of_refresh == OK
}

/// Takes what is to be written down out of the engine.
fn nothing_secret_is_kept(purse: &Purse) {
    let effects = engine().peek_effects(usize::MAX);
    engine().discard_effects(usize::MAX);
    for token in purse.all() {
        assert!(!contains(&effects, token), "a token is written down");
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
