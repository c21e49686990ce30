//! The computed ids of refresh tokens.
//!
//! A refresh token is a pure function of session, family and generation: whatever a store forgets, the next generation
//! is always the same token, so a lost write makes no fork. The key is apart from the signing keys.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};

use super::base64url;
use crate::ids::SessionId;

/// Bytes of the key.
pub const REFRESH_ID_KEY_LEN: usize = 32;

const TOKEN_ID_LEN: usize = 16;

/// The key of computed ids is not 32 bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of refresh token ids must be 32 bytes")]
pub struct RefreshIdKeyRefused;

/// One key of computed ids; a family keeps its key for life.
#[derive(Clone)]
pub struct RefreshIdKey {
    number: u8,
    key: hmac::Key,
}

impl RefreshIdKey {
    /// A key of 32 random bytes and its number, the claim `jk`.
    ///
    /// # Errors
    ///
    /// [`RefreshIdKeyRefused`] for another length.
    pub fn new(number: u8, key: &[u8]) -> Result<Self, RefreshIdKeyRefused> {
        if key.len() != REFRESH_ID_KEY_LEN {
            return Err(RefreshIdKeyRefused);
        }
        Ok(Self {
            number,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        })
    }

    /// The claim `jk`.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The `jti` of a generation: the first 16 bytes of HMAC-SHA256(key, sid ‖ family ‖ generation), numbers as 4 bytes
    /// big-endian, as base64url.
    #[must_use]
    pub fn token_id(&self, session_id: &SessionId, family: u32, generation: u32) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(session_id.as_str().as_bytes());
        context.update(&family.to_be_bytes());
        context.update(&generation.to_be_bytes());
        base64url::encode(&context.sign().as_ref()[..TOKEN_ID_LEN])
    }

    /// Whether a presented `jti` is the generation's. One that is not, under a valid signature, means that a signing
    /// key is in other hands.
    #[must_use]
    pub fn fits(
        &self,
        presented: &str,
        session_id: &SessionId,
        family: u32,
        generation: u32,
    ) -> bool {
        let expected = self.token_id(session_id, family, generation);
        constant_time::verify_slices_are_equal(presented.as_bytes(), expected.as_bytes()).is_ok()
    }
}

impl fmt::Debug for RefreshIdKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RefreshIdKey({})", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session_id() -> SessionId {
        SessionId::parse("AKsAAAAAAAAAAAAAAAAAAAAA").unwrap()
    }

    #[test]
    fn the_id_is_a_function_of_key_session_family_and_generation() {
        let key = RefreshIdKey::new(1, &[1; 32]).unwrap();
        let id = key.token_id(&session_id(), 1, 2);
        // Computed with Python: hmac.digest(b"\1" * 32, sid + struct.pack(">II", 1, 2), "sha256")[:16].
        assert_eq!(id, "x3kl04QWdehCkGs0FcNWDw");
        assert!(key.fits(&id, &session_id(), 1, 2));
        assert!(!key.fits(&id, &session_id(), 2, 1));
        assert!(!key.fits(&id, &session_id(), 1, 3));
        assert!(!key.fits("", &session_id(), 1, 2));
        assert!(
            !RefreshIdKey::new(1, &[2; 32])
                .unwrap()
                .fits(&id, &session_id(), 1, 2)
        );
    }

    #[test]
    fn a_short_key_is_refused() {
        assert_eq!(
            RefreshIdKey::new(0, &[0; 16]).unwrap_err(),
            RefreshIdKeyRefused
        );
    }
}
