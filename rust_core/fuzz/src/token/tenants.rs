//! Two tenants, and which key is whose.

use argus_core::token::{FoundKey, KeySource, SigningKey, TokenType, base64url};
use argus_samples::{ISSUER, OTHER_ISSUER, OTHER_TENANT, TENANT};
use serde_json::{Map, Value};

use super::reading::parts;
use crate::forge::{KEYS, sign};

/// The tenants.
pub(super) const IDS: [&str; 2] = [TENANT, OTHER_TENANT];

/// A key under its name.
pub(super) struct Named {
    pub(super) key: &'static SigningKey,
    pub(super) tenant_id: &'static str,
    pub(super) is_revoked: bool,
}

/// The key of a name, whoever's it is.
pub(super) fn named(kid: &str) -> Option<&'static Named> {
    static RING: std::sync::LazyLock<[Named; 4]> = std::sync::LazyLock::new(|| {
        let of = |key, tenant_id, is_revoked| Named {
            key,
            tenant_id,
            is_revoked,
        };
        [
            of(&KEYS.rsa, TENANT, false),
            of(&KEYS.ed25519, TENANT, false),
            of(&KEYS.pulled, TENANT, true),
            of(&KEYS.other, OTHER_TENANT, false),
        ]
    });
    RING.iter().find(|named| named.key.kid() == kid)
}

/// A key that a tenant's tokens can be signed with now.
pub(super) fn key_of(tenant_id: &str) -> &'static SigningKey {
    if tenant_id == TENANT {
        &KEYS.ed25519
    } else {
        &KEYS.other
    }
}

/// The tenant of an issuer.
pub(super) fn of_issuer(issuer: &str) -> Option<&'static str> {
    match issuer {
        ISSUER => Some(TENANT),
        OTHER_ISSUER => Some(OTHER_TENANT),
        _ => None,
    }
}

fn other(tenant_id: &str) -> (&'static str, &'static str) {
    if tenant_id == TENANT {
        (OTHER_TENANT, OTHER_ISSUER)
    } else {
        (TENANT, ISSUER)
    }
}

/// An accepted token that says it was the other tenant's, signed with the key it was signed with before.
pub(super) fn moved(token: &str, tenant_id: &str) -> String {
    let [header, payload] = parts(token);
    let (_, issuer) = other(tenant_id);
    let mut payload: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
    if payload["aud"] == payload["iss"] {
        payload.insert("aud".to_owned(), issuer.into());
    }
    payload.insert("iss".to_owned(), issuer.into());
    payload.remove("tid");
    let kid = super::reading::header(token)["kid"].clone();
    let key = named(kid.as_str().unwrap()).unwrap().key;
    sign(key, &header, Value::from(payload).to_string().as_bytes())
}

/// Header and payload of a token, with a signature of the other tenant's key that is as long as its own key's.
pub(super) fn signed_by_another(input: &str, tenant_id: &str) -> String {
    let (other, _) = other(tenant_id);
    let mut signature = key_of(other).sign(input.as_bytes()).unwrap();
    let kid = super::reading::header(input)["kid"].clone();
    let own = named(kid.as_str().unwrap()).unwrap().key;
    signature.resize(own.public().signature_len(), 0);
    format!("{input}.{}", base64url::encode(&signature))
}

/// Every key is good for both types of token.
pub(super) struct Tenants;

impl KeySource for Tenants {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        of_issuer(issuer)
    }

    fn key(&self, tenant_id: &str, _token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        assert!(IDS.contains(&tenant_id), "a tenant that was never named");
        let found = named(kid).filter(|named| named.tenant_id == tenant_id)?;
        Some(FoundKey {
            key: found.key.public(),
            is_revoked: found.is_revoked,
        })
    }
}
