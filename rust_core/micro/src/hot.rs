//! Hot calls through the whole engine, without Redis: all that a call costs but the store's part.

use std::sync::Arc;

use argus_engine::proto::access::VERIFY_ACCESS_TOKEN;
use argus_engine::proto::v1::VerifyAccessTokenRequest;
use argus_samples::TENANT;
use argus_samples::offline::Offline;
use prost::Message;

use crate::Work;

const REFUSED: u8 = 1;

pub(crate) fn works() -> Vec<Work> {
    let offline = Arc::new(Offline::open());
    let tokens = offline.tokens(TENANT);
    let bearer = format!("Bearer {}", tokens.client);
    let [good, garbage] = [tokens.access, "e30.e30.AA".to_owned()].map(|access_token| {
        VerifyAccessTokenRequest {
            access_token,
            ..VerifyAccessTokenRequest::default()
        }
        .encode_to_vec()
    });
    let call = |request: Vec<u8>| {
        let (offline, bearer) = (Arc::clone(&offline), bearer.clone());
        move || verify(&offline, &bearer, &request)
    };
    let (good, garbage) = (call(good), call(garbage));
    vec![
        Work::new("engine, authenticate a caller", move || {
            offline.caller(VERIFY_ACCESS_TOKEN.scope, &bearer)
        }),
        Work::new("engine, verify a good token without Redis", good),
        Work::new("engine, verify garbage", garbage),
    ]
}

fn verify(offline: &Offline, bearer: &str, request: &[u8]) -> Vec<u8> {
    let (kind, content) = offline.answer(VERIFY_ACCESS_TOKEN.path, request, bearer);
    assert_eq!(kind, REFUSED);
    // Or the queue of audit events would fill, and then cost less.
    offline.engine.discard_effects(1);
    content
}
