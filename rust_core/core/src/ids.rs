//! Ids that carry their Redis slot, and the names of Redis keys.
//!
//! All keys of one subject share a hash tag, so that one function call can read and write them together. The tag is a
//! 16-bit keyed hash of tenant and user; the first two bytes of every session id are that hash, so that a call which
//! knows only a session id finds its slot. The hash's key never rotates.

use std::fmt;

use aws_lc_rs::{digest, hmac};

use crate::token::base64url;

/// Bytes of the bucket key.
pub const BUCKET_KEY_LEN: usize = 32;

const BUCKET_LEN: usize = 2;
const RANDOM_LEN: usize = 16;
const SESSION_ID_LEN: usize = 24;

/// The bucket key is not 32 bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bucket key must be 32 bytes")]
pub struct BucketKeyRefused;

/// The text is not a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session id")]
pub struct NotASessionId;

/// Id of a session: 2 bytes of bucket and 16 random bytes as base64url, 24 characters. It authenticates nothing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    text: String,
    bucket: u16,
}

impl SessionId {
    /// Reads a session id; only the exact text that Argus writes is one.
    ///
    /// # Errors
    ///
    /// [`NotASessionId`] for another length or alphabet.
    pub fn parse(text: &str) -> Result<Self, NotASessionId> {
        if text.len() != SESSION_ID_LEN {
            return Err(NotASessionId);
        }
        let bytes = base64url::decode(text).map_err(|_| NotASessionId)?;
        let bucket = bytes.first_chunk::<BUCKET_LEN>().ok_or(NotASessionId)?;
        Ok(Self {
            text: text.to_owned(),
            bucket: u16::from_be_bytes(*bucket),
        })
    }

    fn new(bucket: u16, random: [u8; RANDOM_LEN]) -> Self {
        let mut bytes = [0; BUCKET_LEN + RANDOM_LEN];
        bytes[..BUCKET_LEN].copy_from_slice(&bucket.to_be_bytes());
        bytes[BUCKET_LEN..].copy_from_slice(&random);
        Self {
            text: base64url::encode(&bytes),
            bucket,
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The slot of the session's subject.
    #[must_use]
    pub const fn bucket(&self) -> u16 {
        self.bucket
    }

    /// Name of the session's record.
    #[must_use]
    pub fn redis_key(&self) -> Vec<u8> {
        format!("a1:s:{{{:04x}}}:{}", self.bucket, self.text).into_bytes()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SessionId({})", self.text)
    }
}

/// Finds the slot of a subject. Holds the key that never rotates.
#[derive(Clone)]
pub struct Keyspace {
    key: hmac::Key,
}

impl Keyspace {
    /// A keyspace over a bucket key.
    ///
    /// # Errors
    ///
    /// [`BucketKeyRefused`] unless the key is [`BUCKET_KEY_LEN`] bytes long.
    pub fn new(bucket_key: &[u8]) -> Result<Self, BucketKeyRefused> {
        if bucket_key.len() != BUCKET_KEY_LEN {
            return Err(BucketKeyRefused);
        }
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, bucket_key),
        })
    }

    /// The slot of a subject: the first two bytes of HMAC-SHA256(key, tenant ‖ 0x00 ‖ user).
    #[must_use]
    pub fn bucket(&self, tenant_id: &str, user_id: &str) -> u16 {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(tenant_id.as_bytes());
        context.update(&[0]);
        context.update(user_id.as_bytes());
        let tag = context.sign();
        u16::from_be_bytes([tag.as_ref()[0], tag.as_ref()[1]])
    }

    /// Digest of the context that a session is used in; never zeros, which mean that none was judged. Keyed, so that an
    /// address can't be guessed from it.
    #[must_use]
    pub fn context_digest(&self, session_id: &SessionId, parts: [&[u8]; 3]) -> [u8; 9] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"context");
        for part in [session_id.as_str().as_bytes()].iter().chain(&parts) {
            context.update(&[0]);
            context.update(part);
        }
        let tag = context.sign();
        let digest = tag.as_ref().first_chunk().copied().unwrap_or([1; 9]);
        if digest == [0; 9] { [1; 9] } else { digest }
    }

    /// A new session id of a subject, made of 16 bytes from a secure random source.
    #[must_use]
    pub fn session_id(
        &self,
        tenant_id: &str,
        user_id: &str,
        random: [u8; RANDOM_LEN],
    ) -> SessionId {
        SessionId::new(self.bucket(tenant_id, user_id), random)
    }

    /// Name of the subject's own record (disabled, not-before).
    #[must_use]
    pub fn user_key(&self, tenant_id: &str, user_id: &str) -> Vec<u8> {
        self.subject_key('u', tenant_id, user_id)
    }

    /// Name of the index of the subject's sessions.
    #[must_use]
    pub fn index_key(&self, tenant_id: &str, user_id: &str) -> Vec<u8> {
        self.subject_key('x', tenant_id, user_id)
    }

    fn subject_key(&self, kind: char, tenant_id: &str, user_id: &str) -> Vec<u8> {
        let bucket = self.bucket(tenant_id, user_id);
        format!("a1:{kind}:{{{bucket:04x}}}:{tenant_id}:{user_id}").into_bytes()
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keyspace")
    }
}

/// Name of a tenant's not-before value, or with a client of that client's.
#[must_use]
pub fn not_before_key(tenant_id: &str, client_id: Option<&str>) -> Vec<u8> {
    client_id
        .map_or_else(
            || format!("a1:nb:{tenant_id}"),
            |client_id| format!("a1:nb:{tenant_id}:{client_id}"),
        )
        .into_bytes()
}

/// Name of what is remembered of a used proof of possession, for those that the caller checks. Of a fixed length,
/// whatever the proof says of itself.
#[must_use]
pub fn used_proof_key(tenant_id: &str, caller: &str, thumbprint: &str, proof_id: &str) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [tenant_id, caller, thumbprint] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.update(proof_id.as_bytes());
    let short = base64url::encode(&context.finish().as_ref()[..RANDOM_LEN]);
    format!("a1:dp:{short}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace() -> Keyspace {
        Keyspace::new(&[7; BUCKET_KEY_LEN]).unwrap()
    }

    #[test]
    fn a_session_id_finds_the_slot_of_its_subject() {
        let id = keyspace().session_id("t", "u", [1; 16]);
        assert_eq!(id.as_str().len(), SESSION_ID_LEN);
        assert_eq!(id.bucket(), keyspace().bucket("t", "u"));
        assert_eq!(SessionId::parse(id.as_str()), Ok(id.clone()));
        let tag = format!("{{{:04x}}}", id.bucket());
        for key in [
            id.redis_key(),
            keyspace().user_key("t", "u"),
            keyspace().index_key("t", "u"),
        ] {
            assert!(String::from_utf8(key).unwrap().contains(&tag));
        }
    }

    #[test]
    fn tenant_and_user_do_not_run_together() {
        assert_ne!(keyspace().bucket("ab", "c"), keyspace().bucket("a", "bc"));
    }

    #[test]
    fn key_names() {
        let id = SessionId::new(0x00ab, [0; 16]);
        assert_eq!(id.redis_key(), b"a1:s:{00ab}:AKsAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(not_before_key("t", None), b"a1:nb:t");
        assert_eq!(not_before_key("t", Some("web")), b"a1:nb:t:web");
    }

    #[test]
    fn every_used_proof_has_a_short_name_of_its_own() {
        let name = used_proof_key("t", "web", "jkt", "j");
        assert_eq!(name.len(), "a1:dp:".len() + 22);
        assert_eq!(
            used_proof_key("t", "web", "jkt", &"j".repeat(9_000)).len(),
            name.len()
        );
        for other in [
            used_proof_key("u", "web", "jkt", "j"),
            used_proof_key("t", "app", "jkt", "j"),
            used_proof_key("t", "web", "tkj", "j"),
            used_proof_key("t", "web", "jkt", "i"),
            used_proof_key("t", "webj", "kt", "j"),
        ] {
            assert_ne!(other, name);
        }
    }

    #[test]
    fn only_the_exact_text_is_a_session_id() {
        let good = "AKsAAAAAAAAAAAAAAAAAAAAA";
        assert!(SessionId::parse(good).is_ok());
        for bad in [
            "",
            "s-1",
            &good[1..],
            "AKs+AAAAAAAAAAAAAAAAAAAA",
            "AKsAAAAAAAAAAAAAAAAAAA==",
            "AKsAAAAAAAAAAAAAAAAAAAA\n",
        ] {
            assert_eq!(SessionId::parse(bad), Err(NotASessionId), "{bad:?}");
        }
    }

    #[test]
    fn a_short_bucket_key_is_refused() {
        assert_eq!(Keyspace::new(&[0; 31]).unwrap_err(), BucketKeyRefused);
    }
}
