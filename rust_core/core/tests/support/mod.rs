//! What the tests of tokens share: a key source, and tokens made of any text.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod proofs;
pub(crate) mod world;

use std::collections::HashMap;

use argus_core::token::{
    Algorithm, FoundKey, KeySource, SigningKey, TokenType, VerifyingKey, base64url,
    generate_ed25519, keys,
};

/// One tenant with one issuer and its keys.
pub(crate) struct Tenant {
    pub(crate) id: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) keys: HashMap<(TokenType, String), (VerifyingKey, bool)>,
}

/// Tenants by issuer.
#[derive(Default)]
pub(crate) struct Tenants(pub(crate) Vec<Tenant>);

impl KeySource for Tenants {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|tenant| tenant.issuer == issuer)
            .map(|tenant| tenant.id)
    }

    fn key(&self, tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        let tenant = self.0.iter().find(|tenant| tenant.id == tenant_id)?;
        let (key, is_revoked) = tenant.keys.get(&(token_type, kid.to_owned()))?;
        Some(FoundKey {
            key,
            is_revoked: *is_revoked,
        })
    }
}

/// A fresh key of an algorithm.
pub(crate) fn new_key(algorithm: Algorithm) -> SigningKey {
    let der = match algorithm {
        Algorithm::Rs256 => keys::generate_rsa(keys::RsaSize::Bits2048),
        Algorithm::EdDsa => generate_ed25519(),
    };
    SigningKey::from_pkcs8(&der.unwrap()).unwrap()
}

/// The public half of a key, on its own.
pub(crate) fn public(key: &SigningKey) -> VerifyingKey {
    argus_core::token::jwk::verifying_key(&key.public_jwk()).unwrap()
}

/// A correctly signed token of any header and payload.
pub(crate) fn sign(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!(
        "{}.{}",
        base64url::encode(header.as_bytes()),
        base64url::encode(payload.as_bytes())
    );
    let signature = base64url::encode(&key.sign(input.as_bytes()).unwrap());
    format!("{input}.{signature}")
}
