//! What is known about a user, and the not-before values of tenants and clients.

use super::{Lineage, Reader, RecordError, VERSION};

/// What is known about a user; 14 bytes. The user's index of sessions is as current as this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRecord {
    /// The user may not have sessions.
    pub is_disabled: bool,
    /// Redis process that wrote it; zeros mark a change that waits for its rebuild, current on no node.
    pub lineage: Lineage,
    /// Sessions created up to then are over; 0 = none.
    pub not_before: u32,
}

impl UserRecord {
    /// Length of a packed user record.
    pub const SIZE: usize = 14;

    /// Packs the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &[VERSION, u8::from(self.is_disabled)][..],
            &self.lineage,
            &self.not_before.to_be_bytes(),
        ]
        .concat()
    }

    /// Unpacks a record.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes, Self::SIZE)?;
        let flags = reader.u8()?;
        // Bit 1 only has a meaning to the functions, on a change that waits for its rebuild.
        if flags > 3 {
            return Err(RecordError::State);
        }
        Ok(Self {
            is_disabled: flags & 1 != 0,
            lineage: reader.array()?,
            not_before: reader.u32()?,
        })
    }
}

/// From when on the sessions of a tenant or client count; 13 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotBefore {
    /// Redis process that wrote it.
    pub lineage: Lineage,
    /// Sessions created up to then are over; 0 = none.
    pub not_before: u32,
}

impl NotBefore {
    /// Length of a packed value.
    pub const SIZE: usize = 13;

    /// Packs the value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &[VERSION][..],
            &self.lineage,
            &self.not_before.to_be_bytes(),
        ]
        .concat()
    }

    /// Unpacks a value.
    ///
    /// # Errors
    ///
    /// [`RecordError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes, Self::SIZE)?;
        Ok(Self {
            lineage: reader.array()?,
            not_before: reader.u32()?,
        })
    }
}
