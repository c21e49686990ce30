//! An engine with one tenant and without Redis, and tokens that it takes for good.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use argus_core::ids::Keyspace;
use argus_core::token::SigningKey;
use argus_engine::proto::access::HOT_METHODS;
use argus_engine::proto::internal::{
    ClientSnapshot, IssueClientTokenInput, IssueRequest, KeySnapshot, PolicySnapshot, Snapshot,
    SnapshotKeyUse, TenantSnapshot,
};
use argus_engine::proto::v1::TokenSet;
use argus_engine::{Clock, Engine, Incoming, Options};
use prost::Message;

use crate::forge::{ED25519, KEYS, RSA};

pub(super) const TENANT: &str = "acme";
pub(super) const RESOURCE: &str = "https://api.test";
const USER: &str = "u-1";
const CLIENT: &str = "web";
const BUCKET_KEY: [u8; 32] = [9; 32];
const SCOPE: &str =
    "tokens.verify tokens.refresh tokens.introspect tokens.refresh_for_clients context.assert";

/// Tokens are made anew so often: they live for minutes, fuzzing goes on for hours.
const FRESH: Duration = Duration::from_secs(60);

/// Good tokens.
pub(super) struct Tokens {
    /// Of a session.
    pub(super) access: String,
    /// Of the same session.
    pub(super) refresh: String,
    /// Of the caller.
    pub(super) client: String,
}

/// The engine, and the tokens of this minute.
pub(super) struct World {
    pub(super) engine: Engine,
    clock: Clock,
    tokens: Mutex<Option<(Instant, Arc<Tokens>)>>,
}

/// The one of this process.
pub(super) static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let clock = Clock::new(0);
        let engine = Engine::open(Options {
            redis_url: None,
            redis_timeout: Duration::from_secs(1),
            redis_ca_pem: None,
            lease: None,
            effect_capacity: 1000,
            clock: clock.clone(),
        })
        .unwrap();
        engine.load(&snapshot().encode_to_vec()).unwrap();
        Self {
            engine,
            clock,
            tokens: Mutex::new(None),
        }
    }

    /// Tokens that are good now.
    pub(super) fn tokens(&self) -> Arc<Tokens> {
        let mut kept = self.tokens.lock().unwrap();
        if let Some((made, tokens)) = kept.as_ref()
            && made.elapsed() < FRESH
        {
            return Arc::clone(tokens);
        }
        let tokens = Arc::new(self.make());
        *kept = Some((Instant::now(), Arc::clone(&tokens)));
        tokens
    }

    fn make(&self) -> Tokens {
        let now = u32::try_from(self.clock.now()).unwrap();
        let client = IssueClientTokenInput {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            scope: SCOPE.to_owned(),
            resource: String::new(),
            now,
        };
        let client = self.engine.issue_client_token(&client.encode_to_vec());
        let session = self.engine.issue(&session(now).encode_to_vec()).unwrap();
        let session = TokenSet::decode(session.as_slice()).unwrap();
        Tokens {
            access: session.access_token,
            refresh: session.refresh_token,
            client: TokenSet::decode(client.unwrap().as_slice())
                .unwrap()
                .access_token,
        }
    }

    /// Answers a call of the client.
    pub(super) fn answer(&self, path: &str, request: &[u8], tokens: &Tokens) -> (u8, Vec<u8>) {
        assert!(HOT_METHODS.iter().any(|method| method.path == path));
        self.engine.answer(Incoming {
            path,
            request,
            authorization: Some(&format!("Bearer {}", tokens.client)),
            request_id: "r",
            call_id: "c",
            deadline_ms: 10_000,
            postgresql_answers: true,
        })
    }
}

fn session(now: u32) -> IssueRequest {
    let keyspace = Keyspace::new(&BUCKET_KEY).unwrap();
    IssueRequest {
        tenant_id: TENANT.to_owned(),
        user_id: USER.to_owned(),
        client_id: CLIENT.to_owned(),
        session_id: keyspace.session_id(TENANT, USER, [0; 16]).to_string(),
        family: 1,
        generation: 1,
        made: now,
        acr: 3,
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
    let tenant = TenantSnapshot {
        id: TENANT.to_owned(),
        issuer: format!("https://argus.test/t/{TENANT}"),
        keys: vec![
            key(&KEYS.rsa, SnapshotKeyUse::Access, RSA),
            key(&KEYS.ed25519, SnapshotKeyUse::Refresh, &ED25519),
            KeySnapshot {
                kid: "0".to_owned(),
                r#use: SnapshotKeyUse::RefreshId.into(),
                algorithm: "HS256".to_owned(),
                private_key: vec![3; 32],
                signs: true,
                revoked: false,
            },
        ],
        clients: vec![ClientSnapshot {
            id: CLIENT.to_owned(),
            scopes: SCOPE.split(' ').map(str::to_owned).collect(),
            resource: RESOURCE.to_owned(),
            policy_revision: 1,
            ..ClientSnapshot::default()
        }],
        policies: vec![PolicySnapshot {
            revision: 1,
            idle: 3600,
            absolute: 86_400,
            access: 300,
            grace: 30,
            deadline: 10,
            refresh_is_activity: true,
            ..PolicySnapshot::default()
        }],
        is_system: false,
        not_before: 0,
    };
    Snapshot {
        version: 1,
        bucket_key: BUCKET_KEY.to_vec(),
        tenants: vec![tenant],
    }
}

fn key(pair: &SigningKey, usage: SnapshotKeyUse, private_key: &[u8]) -> KeySnapshot {
    KeySnapshot {
        kid: pair.kid().to_owned(),
        r#use: usage.into(),
        algorithm: pair.algorithm().name().to_owned(),
        private_key: private_key.to_vec(),
        signs: true,
        revoked: false,
    }
}
