//! What a presented refresh token is.

/// What a presented refresh token is, and so what its holder gets. The codes are shared with the Redis function.
///
/// "Row" is a row of the table in the concept page on rotation, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// Row "g = G otherwise": the next generation was made; both tokens are new.
    Rotated = 0,
    /// Row "g = G, age ≤ D, made by a rotation" (debounce): a new access token, the same refresh token again and no
    /// cookie for it.
    Repeated = 1,
    /// Rows "g < G, bound with proof" and "g = G-1 inside the grace, same print": the newest token once more.
    Current = 2,
    /// It would rotate, but the caller may not (bounds are not being written): an access token only. No generation is
    /// made; activity and adoption are recorded. In a strict family the answer is `UNAVAILABLE`.
    Held = 3,

    /// Row "record missing" (or not readable by this release): rebuild, then decide again.
    Missing = 10,
    /// Row "its stamp is not this node's lineage": rebuild, then decide again.
    Stale = 11,
    /// The same of the user's record: rebuild the user, then decide again.
    UserMissing = 12,
    /// Row "the token's family is newer than the record's": rebuild, then decide again.
    NewerFamily = 13,

    /// Row "ended": the record in the answer is the tombstone.
    Ended = 20,
    /// Row "idle deadline passed".
    IdleTimeout = 21,
    /// Row "absolute deadline passed".
    AbsoluteTimeout = 22,
    /// Row "user disabled".
    UserDisabled = 23,
    /// Row "before `not_before`": the session was created when, or before, its user, client or tenant ended all.
    NotBefore = 24,
    /// Row "bound, no valid proof".
    ProofRequired = 25,

    /// Row "the token's family is older than the record's": step-up, event, record unchanged.
    OlderFamily = 30,
    /// Row "contested": step-up.
    Contested = 31,
    /// Row "g = G-1 inside the grace, other print": step-up, event, record unchanged.
    PrintChanged = 32,
    /// Row "g = G-1, age > grace": step-up, event, record unchanged; a lost answer, not a replay.
    AnswerLate = 33,
    /// Row "g < G-1": the family is contested from now on; step-up, detection.
    Replayed = 34,
    /// Row "g < G-1" where the policy ends the session, and any g < G of a strict family: ended from now on. The
    /// record in the answer is the tombstone.
    ReplayedEnded = 35,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 20] = [
        Self::Rotated,
        Self::Repeated,
        Self::Current,
        Self::Held,
        Self::Missing,
        Self::Stale,
        Self::UserMissing,
        Self::NewerFamily,
        Self::Ended,
        Self::IdleTimeout,
        Self::AbsoluteTimeout,
        Self::UserDisabled,
        Self::NotBefore,
        Self::ProofRequired,
        Self::OlderFamily,
        Self::Contested,
        Self::PrintChanged,
        Self::AnswerLate,
        Self::Replayed,
        Self::ReplayedEnded,
    ];

    /// The verdict of a code that the Redis function answered.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| i64::from(verdict.code()) == code)
    }

    /// Its name in metrics and in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Repeated => "repeated",
            Self::Current => "current",
            Self::Held => "held",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::UserMissing => "user_missing",
            Self::NewerFamily => "newer_family",
            Self::Ended => "ended",
            Self::IdleTimeout => "idle_timeout",
            Self::AbsoluteTimeout => "absolute_timeout",
            Self::UserDisabled => "user_disabled",
            Self::NotBefore => "not_before",
            Self::ProofRequired => "proof_required",
            Self::OlderFamily => "older_family",
            Self::Contested => "contested",
            Self::PrintChanged => "print_changed",
            Self::AnswerLate => "answer_late",
            Self::Replayed => "replayed",
            Self::ReplayedEnded => "replayed_ended",
        }
    }

    /// Its code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The holder gets a token.
    #[must_use]
    pub const fn is_yes(self) -> bool {
        self.code() < 10
    }

    /// Nothing was decided: `PostgreSQL` must be asked first.
    #[must_use]
    pub const fn needs_rebuild(self) -> bool {
        self.code() >= 10 && self.code() < 20
    }

    /// The session is over, or the token is refused for good.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        (self.code() >= 20 && self.code() < 30) || matches!(self, Self::ReplayedEnded)
    }

    /// The holder must prove themselves.
    #[must_use]
    pub const fn is_step_up(self) -> bool {
        self.code() >= 30 && !self.is_refused()
    }
}
