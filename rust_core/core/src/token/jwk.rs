//! Public keys as JSON (RFC 7517) and their thumbprints (RFC 7638).

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::base64url;
use super::compact::text;
use super::json::{self, Object};
use super::keys::{Algorithm, KeyRefused, VerifyingKey};

/// The members of a JWK that make the key, in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicMembers {
    /// `kty` RSA.
    Rsa {
        /// Modulus.
        n: String,
        /// Exponent.
        e: String,
    },
    /// `kty` OKP, `crv` Ed25519.
    Ed25519 {
        /// Public key.
        x: String,
    },
    /// `kty` EC, `crv` P-256.
    P256 {
        /// First coordinate of the public point.
        x: String,
        /// Second coordinate.
        y: String,
    },
}

impl PublicMembers {
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        Self::Rsa {
            n: base64url::encode(modulus),
            e: base64url::encode(exponent),
        }
    }

    pub(super) fn ed25519(public_key: &[u8]) -> Self {
        Self::Ed25519 {
            x: base64url::encode(public_key),
        }
    }

    pub(super) fn p256(x: &[u8], y: &[u8]) -> Self {
        Self::P256 {
            x: base64url::encode(x),
            y: base64url::encode(y),
        }
    }

    /// RFC 7638 thumbprint with SHA-256.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // Members in the order of their names, no white space; base64url needs no escapes.
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Self::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
        };
        base64url::encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }

    pub(super) fn jwk(&self, algorithm: Algorithm, kid: &str) -> String {
        let alg = algorithm.name();
        match self {
            Self::Rsa { n, e } => json!({"kty": "RSA", "use": "sig", "alg": alg, "kid": kid, "n": n, "e": e}),
            Self::Ed25519 { x } => {
                json!({"kty": "OKP", "use": "sig", "alg": alg, "kid": kid, "crv": "Ed25519", "x": x})
            }
            Self::P256 { x, y } => {
                json!({"kty": "EC", "use": "sig", "alg": alg, "kid": kid, "crv": "P-256", "x": x, "y": y})
            }
        }
        .to_string()
    }
}

/// Reads a public JWK that verifies: RSA for RS256 or Ed25519 for `EdDSA`.
///
/// # Errors
///
/// [`KeyRefused`] for any other kind (symmetric ones above all), `use` other than `sig`, `key_ops` without `verify`, an
/// `alg` that is not the kind's, RSA below 2048 bits or with an even exponent.
pub fn verifying_key(jwk: &str) -> Result<VerifyingKey, KeyRefused> {
    let object = json::parse_object(jwk.as_bytes()).map_err(|_| KeyRefused::Malformed)?;
    read_verifying_key(&object)
}

/// What [`verifying_key`] does with a JWK that has been parsed.
pub(super) fn read_verifying_key(jwk: &Object) -> Result<VerifyingKey, KeyRefused> {
    let key = match text(jwk, "kty") {
        Some("RSA") => VerifyingKey::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
        Some("OKP") if text(jwk, "crv") == Some("Ed25519") => {
            VerifyingKey::ed25519(&bytes(jwk, "x")?)?
        }
        _ => return Err(KeyRefused::Unsupported),
    };
    let is_its_algorithm = |value: &Value| value == key.algorithm().name();
    if !is_for_verifying(jwk) || !jwk.get("alg").is_none_or(is_its_algorithm) {
        return Err(KeyRefused::Unsupported);
    }
    Ok(key)
}

/// Whether `use` and `key_ops`, where they are there, are those of a key that verifies.
pub(super) fn is_for_verifying(jwk: &Object) -> bool {
    let verifies = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    };
    verifies && jwk.get("use").is_none_or(|usage| usage == "sig")
}

/// A member that is bytes in base64url.
pub(super) fn bytes(object: &Object, name: &str) -> Result<Vec<u8>, KeyRefused> {
    text(object, name)
        .and_then(|text| base64url::decode(text).ok())
        .ok_or(KeyRefused::Malformed)
}
