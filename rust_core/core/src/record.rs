//! The packed values that Argus keeps in Redis: session records, tombstones, user records, not-before values.
//!
//! Everything is big-endian and of a fixed length; decoding is strict. All times are seconds since 1970. Every value
//! carries the lineage of the Redis process that wrote it: a value with another stamp than the node's lineage decides
//! nothing, it is rebuilt from `PostgreSQL`.

mod evidence;
mod user;

pub use evidence::{Evidence, attempt, print, same_holder};
pub use user::{NotBefore, UserRecord};

/// Stamp of the Redis process that wrote a value: the first 8 bytes of the SHA-1 of its `run_id` and `master_replid`.
pub type Lineage = [u8; 8];

/// Version of every value here; its first byte.
pub const VERSION: u8 = 1;

/// Reason of a tombstone that a replayed refresh token left (`argus.v1.END_REASON_REPLAY`).
pub const REASON_REPLAY: u8 = 12;
/// Reason of a tombstone that the idle deadline left (`argus.v1.END_REASON_IDLE_TIMEOUT`).
pub const REASON_IDLE_TIMEOUT: u8 = 4;
/// Reason of a tombstone that the absolute deadline left (`argus.v1.END_REASON_ABSOLUTE_TIMEOUT`).
pub const REASON_ABSOLUTE_TIMEOUT: u8 = 5;

/// Why bytes are not a value of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The length fits no value of this kind.
    #[error("the value has a length that no version has")]
    Length,
    /// Another version, written by another release.
    #[error("the value is of an unknown version")]
    Version,
    /// A state or flag that this version does not know.
    #[error("the value has an unknown state or flag")]
    State,
}

/// What a living session's family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its newest token rotates.
    Active = 1,
    /// A token was used a second time: every holder must step up.
    Contested = 2,
}

/// State byte of a tombstone.
const ENDED: u8 = 3;

/// Bits of the flags byte of a session record.
const BOUND: u8 = 1;
const BY_ROTATION: u8 = 2;
const REBUILT: u8 = 4;

/// What is known about a living session; 99 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// State of its refresh family.
    pub state: State,
    /// Tokens need a proof of the key whose thumbprint is `binding`.
    pub is_bound: bool,
    /// The generation was made by a rotation, not by a sign-in or step-up: it may be repeated instead of rotated.
    pub is_made_by_rotation: bool,
    /// It was rebuilt from `PostgreSQL` since its family began: a token newer than it is explained by that loss.
    pub is_rebuilt: bool,
    /// Redis process that wrote it.
    pub lineage: Lineage,
    /// Refresh family; rises at every authentication and step-up.
    pub family: u32,
    /// Newest generation of the family.
    pub generation: u32,
    /// When the generation was made.
    pub made: u32,
    /// Attempt that made the generation ([`attempt`]); zeros: unknown.
    pub attempt: [u8; 4],
    /// Print of the holder that made the generation ([`print`]); zeros: unknown.
    pub print: [u8; 4],
    /// Truncated SHA-256 of the key the session is bound to; zeros: none.
    pub binding: [u8; 16],
    /// Device id; zeros: none.
    pub device: [u8; 16],
    /// When the session was created.
    pub created: u32,
    /// First second at which it is over for want of use; never after `absolute_deadline`.
    pub idle_deadline: u32,
    /// First second at which it is over whatever its use.
    pub absolute_deadline: u32,
    /// Policy revision it was created under.
    pub policy_revision: u32,
    /// Level, 1-3 ([`crate::token::Acr`]).
    pub acr: u8,
    /// Methods ([`crate::token::Methods`]).
    pub amr: u16,
    /// When the user proved itself.
    pub auth_time: u32,
    /// Id of the key of the family's computed token ids.
    pub refresh_id_key: u8,
    /// Trust at the user's proof, in hundredths and one more; 0: not rated ([`SessionRecord::trust`]).
    pub trust: u16,
    /// Risk, 0-100.
    pub risk: u8,
    /// Digest of the last context that was judged and is good; zeros: none was.
    pub context: [u8; 9],
}

impl SessionRecord {
    /// Length of a packed record.
    pub const SIZE: usize = 99;

    /// Packs the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flags = if self.is_bound { BOUND } else { 0 }
            | if self.is_made_by_rotation {
                BY_ROTATION
            } else {
                0
            }
            | if self.is_rebuilt { REBUILT } else { 0 };
        let [trust_high, trust_low] = self.trust.to_be_bytes();
        let parts: [&[u8]; 18] = [
            &[VERSION, self.state as u8, flags],
            &self.lineage,
            &self.family.to_be_bytes(),
            &self.generation.to_be_bytes(),
            &self.made.to_be_bytes(),
            &self.attempt,
            &self.print,
            &self.binding,
            &self.device,
            &self.created.to_be_bytes(),
            &self.idle_deadline.to_be_bytes(),
            &self.absolute_deadline.to_be_bytes(),
            &self.policy_revision.to_be_bytes(),
            &[self.acr],
            &self.amr.to_be_bytes(),
            &self.auth_time.to_be_bytes(),
            &[self.refresh_id_key, trust_high, trust_low, self.risk],
            &self.context,
        ];
        parts.concat()
    }

    /// Unpacks a record.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for anything that is not exactly a living session of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes, Self::SIZE)?;
        let [state, flags] = reader.array()?;
        let state = match state {
            1 => State::Active,
            2 => State::Contested,
            _ => return Err(RecordError::State),
        };
        if flags & !(BOUND | BY_ROTATION | REBUILT) != 0 {
            return Err(RecordError::State);
        }
        Ok(Self {
            state,
            is_bound: flags & BOUND != 0,
            is_made_by_rotation: flags & BY_ROTATION != 0,
            is_rebuilt: flags & REBUILT != 0,
            lineage: reader.array()?,
            family: reader.u32()?,
            generation: reader.u32()?,
            made: reader.u32()?,
            attempt: reader.array()?,
            print: reader.array()?,
            binding: reader.array()?,
            device: reader.array()?,
            created: reader.u32()?,
            idle_deadline: reader.u32()?,
            absolute_deadline: reader.u32()?,
            policy_revision: reader.u32()?,
            acr: reader.u8()?,
            amr: u16::from_be_bytes(reader.array()?),
            auth_time: reader.u32()?,
            refresh_id_key: reader.u8()?,
            trust: u16::from_be_bytes(reader.array()?),
            risk: reader.u8()?,
            context: reader.array()?,
        })
    }

    /// Trust at the user's proof, 0-100; `None`: not rated.
    #[must_use]
    pub fn trust(&self) -> Option<f64> {
        let hundredths = self.trust.checked_sub(1)?;
        Some(f64::from(hundredths) / 100.0)
    }

    /// Absolute deadline under the policy in force now: a shortened one bites, a longer one does not.
    #[must_use]
    pub fn absolute_under(&self, absolute_max: u32) -> u32 {
        self.absolute_deadline
            .min(self.created.saturating_add(absolute_max))
    }
}

/// What is left of an ended session; 15 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// Why it ended (`argus.v1.EndReason`).
    pub reason: u8,
    /// Redis process that wrote it.
    pub lineage: Lineage,
    /// First second at which its tokens were refused.
    pub ended_at: u32,
}

impl Tombstone {
    /// Length of a packed tombstone.
    pub const SIZE: usize = 15;

    /// Packs the tombstone.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &[VERSION, ENDED, self.reason][..],
            &self.lineage,
            &self.ended_at.to_be_bytes(),
        ]
        .concat()
    }

    /// Unpacks a tombstone.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes, Self::SIZE)?;
        let [state, reason] = reader.array()?;
        if state != ENDED {
            return Err(RecordError::State);
        }
        Ok(Self {
            reason,
            lineage: reader.array()?,
            ended_at: reader.u32()?,
        })
    }
}

/// What a session key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A session that has not been ended (its deadlines may have passed).
    Living(SessionRecord),
    /// An ended one.
    Ended(Tombstone),
}

impl Stored {
    /// Unpacks the value of a session key.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for anything that is neither a record nor a tombstone of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() == Tombstone::SIZE {
            return Tombstone::decode(bytes).map(Self::Ended);
        }
        SessionRecord::decode(bytes).map(Self::Living)
    }

    /// Redis process that wrote it.
    #[must_use]
    pub fn lineage(&self) -> Lineage {
        match self {
            Self::Living(record) => record.lineage,
            Self::Ended(tombstone) => tombstone.lineage,
        }
    }
}

/// Takes a value of a known length apart.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks the length and the version byte.
    fn new(bytes: &'a [u8], size: usize) -> Result<Self, RecordError> {
        match bytes.split_first() {
            _ if bytes.len() != size => Err(RecordError::Length),
            Some((&VERSION, rest)) => Ok(Self(rest)),
            _ => Err(RecordError::Version),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u8(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }
}

#[cfg(test)]
mod tests;
