//! Hot calls through the whole engine, without Redis: all that a call costs but the store's part.

use std::sync::Arc;
use std::time::Duration;

use argus_core::ids::Keyspace;
use argus_core::token::SigningKey;
use argus_engine::proto::access::VERIFY_ACCESS_TOKEN;
use argus_engine::proto::internal::{
    ClientSnapshot, IssueClientTokenInput, IssueRequest, KeySnapshot, PolicySnapshot, Snapshot,
    SnapshotKeyUse, TenantSnapshot,
};
use argus_engine::proto::v1::{TokenSet, VerifyAccessTokenRequest};
use argus_engine::{Clock, Engine, Incoming, Options};
use prost::Message;

use crate::{RSA, Work, ed25519};

const TENANT: &str = "acme";
const CLIENT: &str = "web";
const SCOPE: &str = "tokens.verify";
const RESOURCE: &str = "https://api.example";
const BUCKET_KEY: [u8; 32] = [9; 32];
const REFUSED: u8 = 1;

pub(crate) fn works() -> Vec<Work> {
    let engine = Arc::new(engine());
    let now = u32::try_from(Clock::new(0).now()).unwrap();
    let client = IssueClientTokenInput {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        scope: SCOPE.to_owned(),
        resource: String::new(),
        now,
    };
    let client = tokens(&engine.issue_client_token(&client.encode_to_vec()).unwrap());
    let bearer = format!("Bearer {}", client.access_token);
    let session = tokens(&engine.issue(&session(now).encode_to_vec()).unwrap());
    let [good, garbage] = [session.access_token, "e30.e30.AA".to_owned()].map(|access_token| {
        VerifyAccessTokenRequest {
            access_token,
            ..VerifyAccessTokenRequest::default()
        }
        .encode_to_vec()
    });
    let call = |request: Vec<u8>| {
        let (engine, bearer) = (Arc::clone(&engine), bearer.clone());
        move || verify(&engine, &bearer, &request)
    };
    let (good, garbage) = (call(good), call(garbage));
    vec![
        Work::new("engine, authenticate a caller", move || {
            engine.authenticate(Some(&bearer), SCOPE, false, "")
        }),
        Work::new("engine, verify a good token without Redis", good),
        Work::new("engine, verify garbage", garbage),
    ]
}

fn verify(engine: &Engine, bearer: &str, request: &[u8]) -> Vec<u8> {
    let (kind, content) = engine.answer(Incoming {
        path: VERIFY_ACCESS_TOKEN.path,
        request,
        authorization: Some(bearer),
        request_id: "r",
        call_id: "c",
        deadline_ms: 10_000,
        postgresql_answers: true,
    });
    assert_eq!(kind, REFUSED);
    // Or the queue of audit events would fill, and then cost less.
    engine.discard_effects(1);
    content
}

fn tokens(encoded: &[u8]) -> TokenSet {
    TokenSet::decode(encoded).unwrap()
}

fn engine() -> Engine {
    let engine = Engine::open(Options {
        redis_url: None,
        redis_timeout: Duration::from_secs(1),
        redis_ca_pem: None,
        lease: None,
        effect_capacity: 1000,
        clock: Clock::new(0),
    })
    .unwrap();
    engine.load(&snapshot().encode_to_vec()).unwrap();
    engine
}

fn session(now: u32) -> IssueRequest {
    let keyspace = Keyspace::new(&BUCKET_KEY).unwrap();
    IssueRequest {
        tenant_id: TENANT.to_owned(),
        user_id: "u-1".to_owned(),
        client_id: CLIENT.to_owned(),
        session_id: keyspace.session_id(TENANT, "u-1", [0; 16]).to_string(),
        family: 1,
        generation: 1,
        made: now,
        acr: 1,
        amr: vec!["pwd".to_owned()],
        auth_time: now,
        scope: "things.read".to_owned(),
        resources: vec![RESOURCE.to_owned()],
        absolute_deadline: now + 86_400,
        policy_revision: 1,
        now,
        ..IssueRequest::default()
    }
}

fn snapshot() -> Snapshot {
    let key = |usage: SnapshotKeyUse, private_key: &[u8]| {
        let pair = SigningKey::from_pkcs8(private_key).unwrap();
        KeySnapshot {
            kid: pair.kid().to_owned(),
            r#use: usage.into(),
            algorithm: pair.algorithm().name().to_owned(),
            private_key: private_key.to_vec(),
            signs: true,
            revoked: false,
        }
    };
    let computed_ids = KeySnapshot {
        kid: "0".to_owned(),
        r#use: SnapshotKeyUse::RefreshId.into(),
        algorithm: "HS256".to_owned(),
        private_key: vec![3; 32],
        signs: true,
        revoked: false,
    };
    let tenant = TenantSnapshot {
        id: TENANT.to_owned(),
        issuer: format!("https://argus.example/t/{TENANT}"),
        keys: vec![
            key(SnapshotKeyUse::Access, RSA),
            key(SnapshotKeyUse::Refresh, &ed25519()),
            computed_ids,
        ],
        clients: vec![ClientSnapshot {
            id: CLIENT.to_owned(),
            scopes: vec![SCOPE.to_owned()],
            resource: RESOURCE.to_owned(),
            policy_revision: 1,
            ..ClientSnapshot::default()
        }],
        policies: vec![PolicySnapshot {
            revision: 1,
            idle: 3600,
            absolute: 86_400,
            access: 300,
            ..PolicySnapshot::default()
        }],
        ..TenantSnapshot::default()
    };
    Snapshot {
        version: 1,
        bucket_key: BUCKET_KEY.to_vec(),
        tenants: vec![tenant],
    }
}
