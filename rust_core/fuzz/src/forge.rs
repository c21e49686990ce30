//! Keys that the targets sign with, so that what lies behind a signature is reached, too.
//!
//! They are the same in every run: bytes that broke a law break it again.

use std::sync::LazyLock;

use argus_core::token::{SigningKey, base64url};
use argus_samples::{RSA, ed25519};

/// The keys, parsed.
pub struct Keys {
    /// RS256.
    pub rsa: SigningKey,
    /// `EdDSA`.
    pub ed25519: SigningKey,
    /// `EdDSA`; was pulled in an emergency.
    pub pulled: SigningKey,
    /// `EdDSA`; of another tenant.
    pub other: SigningKey,
}

/// The keys of the targets.
pub static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rsa: SigningKey::from_pkcs8(RSA).unwrap(),
    ed25519: SigningKey::from_pkcs8(&ed25519(7)).unwrap(),
    pulled: SigningKey::from_pkcs8(&ed25519(8)).unwrap(),
    other: SigningKey::from_pkcs8(&ed25519(9)).unwrap(),
});

/// A correctly signed token of any header and payload.
pub fn sign(key: &SigningKey, header: &[u8], payload: &[u8]) -> String {
    let input = format!(
        "{}.{}",
        base64url::encode(header),
        base64url::encode(payload)
    );
    let signature = base64url::encode(&key.sign(input.as_bytes()).unwrap());
    format!("{input}.{signature}")
}

/// Header and payload of a token that is to be made: two texts with one line end between them.
pub fn halves(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == b'\n')?;
    Some((&data[..at], &data[at + 1..]))
}

/// A token with one bit of its signature changed; which one, the token itself says.
pub fn with_another_signature(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = base64url::decode(signature).unwrap();
    let at = token.len() % (bytes.len() * 8);
    bytes[at / 8] ^= 1 << (at % 8);
    format!("{input}.{}", base64url::encode(&bytes))
}
