//! An engine with two tenants and without Redis, and tokens that it takes for good, or did before a key was pulled.

use std::time::Duration;

use argus_core::ids::Keyspace;
use argus_core::token::SigningKey;
use argus_engine::proto::internal::{
    ClientSnapshot, IssueClientTokenInput, IssueRequest, KeySnapshot, PolicySnapshot, Snapshot,
    SnapshotKeyUse, TenantSnapshot,
};
use argus_engine::proto::v1::TokenSet;
use argus_engine::{Caches, Clock, Engine, Incoming, Options, QuotaOptions};
use prost::Message;

use crate::{ISSUER, OTHER_ISSUER, OTHER_TENANT, RESOURCE, RSA, TENANT, ed25519};

/// The client that calls and that the session is of.
pub const CLIENT: &str = "web";

/// Its scopes.
const SCOPE: &str =
    "tokens.verify tokens.refresh tokens.introspect tokens.refresh_for_clients context.assert";

const USER: &str = "u-1";
const BUCKET_KEY: [u8; 32] = [9; 32];

/// The engine.
pub struct Offline {
    /// It.
    pub engine: Engine,
    clock: Clock,
}

/// Good tokens.
pub struct Tokens {
    /// Of a session.
    pub access: String,
    /// Of the same session.
    pub refresh: String,
    /// Of the client, to call with.
    pub client: String,
}

impl Offline {
    /// Opens one that was told that the keys of [`Self::before_the_pull`] were pulled.
    #[must_use]
    pub fn open() -> Self {
        Self::with(&snapshot(true))
    }

    /// Opens one that signs the tokens of [`TENANT`] with keys that are pulled later.
    #[must_use]
    pub fn before_the_pull() -> Self {
        Self::with(&snapshot(false))
    }

    fn with(snapshot: &Snapshot) -> Self {
        let clock = Clock::new(0);
        let engine = Engine::open(Options {
            redis_url: None,
            redis_timeout: Duration::from_secs(1),
            redis_ca_pem: None,
            lease: None,
            effect_capacity: 1000,
            quotas: QuotaOptions::default(),
            caches: Caches::default(),
            clock: clock.clone(),
        })
        .unwrap();
        engine.load(&snapshot.encode_to_vec()).unwrap();
        Self { engine, clock }
    }

    /// Makes tokens of a tenant that are good now.
    #[must_use]
    pub fn tokens(&self, tenant_id: &str) -> Tokens {
        let now = u32::try_from(self.clock.now()).unwrap();
        let client = IssueClientTokenInput {
            tenant_id: tenant_id.to_owned(),
            client_id: CLIENT.to_owned(),
            scope: SCOPE.to_owned(),
            now,
            ..IssueClientTokenInput::default()
        };
        let client = self.engine.issue_client_token(&client.encode_to_vec());
        let session = self.engine.issue(&session(tenant_id, now).encode_to_vec());
        let [client, session] =
            [client, session].map(|made| TokenSet::decode(made.unwrap().as_slice()).unwrap());
        Tokens {
            access: session.access_token,
            refresh: session.refresh_token,
            client: client.access_token,
        }
    }

    /// Answers a call with this metadata `authorization`.
    #[must_use]
    pub fn answer(&self, path: &str, request: &[u8], authorization: &str) -> (u8, Vec<u8>) {
        self.engine.answer(Incoming {
            path,
            request,
            authorization: Some(authorization),
            request_id: "r",
            call_id: "c",
            deadline_ms: 10_000,
            postgresql_answers: true,
            snapshot_confirmed: true,
            context_judged: false,
            rules_judged: false,
            is_repeat: true,
            scope: "",
        })
    }

    /// Who calls a method of this scope with this metadata `authorization`.
    #[must_use]
    pub fn caller(&self, scope: &str, authorization: &str) -> (u8, Vec<u8>) {
        let incoming = Incoming {
            authorization: Some(authorization),
            snapshot_confirmed: true,
            ..Incoming::default()
        };
        self.engine.authenticate(incoming, scope, false)
    }
}

/// A session of a tenant that is to be issued at a second.
#[must_use]
pub fn session(tenant_id: &str, now: u32) -> IssueRequest {
    let keyspace = Keyspace::new(&BUCKET_KEY).unwrap();
    IssueRequest {
        tenant_id: tenant_id.to_owned(),
        user_id: USER.to_owned(),
        client_id: CLIENT.to_owned(),
        session_id: keyspace.session_id(tenant_id, USER, [0; 16]).to_string(),
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

fn snapshot(is_pulled: bool) -> Snapshot {
    let ring = |access: &[u8], refresh: &[u8]| {
        [
            key(SnapshotKeyUse::Access, access),
            key(SnapshotKeyUse::Refresh, refresh),
        ]
    };
    let present = ring(RSA, &ed25519(7)).map(|key| KeySnapshot {
        signs: is_pulled,
        ..key
    });
    let earlier = ring(&ed25519(8), &ed25519(9)).map(|key| KeySnapshot {
        signs: !is_pulled,
        revoked: is_pulled,
        ..key
    });
    let others = ring(&ed25519(10), &ed25519(11));
    Snapshot {
        version: 1,
        bucket_key: BUCKET_KEY.to_vec(),
        tenants: vec![
            tenant(TENANT, ISSUER, [present, earlier].concat(), 3),
            tenant(OTHER_TENANT, OTHER_ISSUER, others.to_vec(), 4),
        ],
    }
}

fn tenant(id: &str, issuer: &str, keys: Vec<KeySnapshot>, ids: u8) -> TenantSnapshot {
    let computed_ids = KeySnapshot {
        kid: "0".to_owned(),
        r#use: SnapshotKeyUse::RefreshId.into(),
        algorithm: "HS256".to_owned(),
        private_key: vec![ids; 32],
        signs: true,
        ..KeySnapshot::default()
    };
    TenantSnapshot {
        id: id.to_owned(),
        issuer: issuer.to_owned(),
        keys: [keys, vec![computed_ids]].concat(),
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
        ..TenantSnapshot::default()
    }
}

fn key(usage: SnapshotKeyUse, private_key: &[u8]) -> KeySnapshot {
    let pair = SigningKey::from_pkcs8(private_key).unwrap();
    KeySnapshot {
        kid: pair.kid().to_owned(),
        r#use: usage.into(),
        algorithm: pair.algorithm().name().to_owned(),
        private_key: private_key.to_vec(),
        signs: true,
        ..KeySnapshot::default()
    }
}
