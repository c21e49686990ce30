//! A client that makes `DPoP` proofs, good ones and bad ones.

use argus_core::token::base64url;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Map, Value, json};

pub(crate) const NOW: u32 = 1_800_000_000;
pub(crate) const METHOD: &str = "POST";
pub(crate) const URI: &str = "https://server.example.com/token";
pub(crate) const ACCESS_TOKEN: &str = "an access token";

/// A P-256 key, and the header and claims of its next proof.
pub(crate) struct Client {
    key: EcdsaKeyPair,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        let (x, y) = (
            base64url::encode(&point[1..33]),
            base64url::encode(&point[33..]),
        );
        let header = json!({
            "typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y},
        });
        let claims = json!({
            "jti": "-BwC3ESc6acc2lTc", "htm": METHOD, "htu": URI, "iat": NOW,
            "ath": base64url::encode(
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ACCESS_TOKEN.as_bytes()).as_ref(),
            ),
        });
        Self {
            key,
            header: header.as_object().unwrap().clone(),
            claims: claims.as_object().unwrap().clone(),
        }
    }

    /// A signed proof of any header and claims.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let input = format!(
            "{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(claims.as_bytes())
        );
        let signature = self
            .key
            .sign(&SystemRandom::new(), input.as_bytes())
            .unwrap();
        format!("{input}.{}", base64url::encode(signature.as_ref()))
    }

    /// A proof; members of header and claims are set, or left out where they are null.
    pub(crate) fn proof(&self, header: &Value, claims: &Value) -> String {
        let changed = |base: &Map<String, Value>, changes: &Value| {
            let mut members = base.clone();
            for (name, value) in changes.as_object().unwrap() {
                members.insert(name.clone(), value.clone());
                if value.is_null() {
                    members.remove(name);
                }
            }
            Value::Object(members).to_string()
        };
        self.sign(
            &changed(&self.header, header),
            &changed(&self.claims, claims),
        )
    }

    /// Its public key with members changed as in [`Self::proof`].
    pub(crate) fn jwk(&self, changes: &Value) -> Value {
        let mut jwk = self.header["jwk"].as_object().unwrap().clone();
        for (name, value) in changes.as_object().unwrap() {
            jwk.insert(name.clone(), value.clone());
            if value.is_null() {
                jwk.remove(name);
            }
        }
        Value::Object(jwk)
    }
}
