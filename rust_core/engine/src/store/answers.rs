//! What the Redis functions are asked with and answer.

use argus_core::record::{Lineage, SessionRecord};
use argus_core::rotation::{Adoption, Verdict};

/// Why Redis gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// It is away, starting, not the primary, or did not answer in time.
    Away(&'static str),
    /// It does not know the functions.
    FunctionsMissing,
}

/// Keys of one session's check.
#[derive(Debug, Clone)]
pub(crate) struct SessionKeys {
    /// The session's record.
    pub(crate) session: Vec<u8>,
    /// Its user's record.
    pub(crate) user: Vec<u8>,
    /// Its tenant's not-before value.
    pub(crate) tenant: Vec<u8>,
    /// Its client's not-before value.
    pub(crate) client: Vec<u8>,
}

/// A value and the lineage of the node that it was read from.
#[derive(Debug)]
pub(crate) struct Stamped {
    /// Lineage of the node.
    pub(crate) lineage: Lineage,
    /// The value; empty: there is none.
    pub(crate) value: Vec<u8>,
}

/// What was read of one session.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Redis time.
    pub(crate) now_ms: i64,
    /// The session's record.
    pub(crate) session: Stamped,
    /// Its user's record.
    pub(crate) user: Stamped,
    /// The not-before values of its tenant and client.
    pub(crate) not_before: NotBefores,
}

/// The not-before values of a tenant and a client.
#[derive(Debug)]
pub(crate) struct NotBefores {
    /// Redis time.
    pub(crate) now_ms: i64,
    /// The tenant's.
    pub(crate) tenant: Stamped,
    /// The client's.
    pub(crate) client: Stamped,
}

/// Answer of `rotate`.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Redis time.
    pub(crate) now_ms: i64,
    /// Lineage of the node.
    pub(crate) lineage: Lineage,
    /// What the session key holds now.
    pub(crate) record: Vec<u8>,
    /// Whether the token was newer than the record knew.
    pub(crate) adoption: Adoption,
}

/// Answer of `touch`.
#[derive(Debug)]
pub(crate) struct Touched {
    /// Its status.
    pub(crate) status: i64,
    /// What the session key holds now.
    pub(crate) record: Vec<u8>,
}

impl Touched {
    /// The idle deadline that stands now; `None`: the session has ended.
    pub(crate) fn idle_deadline(&self) -> Option<u32> {
        let record = SessionRecord::decode(&self.record).ok()?;
        Some(record.idle_deadline)
    }
}
