//! Whether a presented refresh token was newer than its record.

/// Whether a token was newer than the record, so that its generation was taken over. The codes are shared with the
/// Redis function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Adoption {
    /// It was not newer.
    None = 0,
    /// It was newer, and the record had been rebuilt since its family began: the store lost writes. Worth an event.
    Explained = 1,
    /// It was newer, and no rebuild explains it: the store lost writes without a new lineage, or somebody can sign
    /// tokens and compute their ids. An alarm.
    Unexplained = 2,
}

impl Adoption {
    /// Every adoption.
    pub const ALL: [Self; 3] = [Self::None, Self::Explained, Self::Unexplained];

    /// The adoption of a code that the Redis function answered.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|adoption| i64::from(adoption.code()) == code)
    }

    /// Its code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The token's generation was taken over.
    #[must_use]
    pub const fn is_adopted(self) -> bool {
        !matches!(self, Self::None)
    }
}
