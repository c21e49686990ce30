//! The decision on a presented refresh token: the twin of the Redis function `rotate` (`lua/rotate.lua`).
//!
//! The function is what decides and writes. This is the same table for fuzzing and in-memory runs: a million random
//! cases through both agree byte for byte. So change one only together with the other.

mod adoption;
mod verdict;

pub use adoption::Adoption;
pub use verdict::Verdict;

use crate::deadlines::{self, Passed};
use crate::record::{
    Evidence, Lineage, REASON_REPLAY, SessionRecord, State, Stored, Tombstone, UserRecord,
    same_holder,
};

/// A refresh token whose signature, type, issuer, times and computed id are good, and the policy that is in force.
/// Times are seconds since 1970, spans are seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the arguments of the Redis function"
)]
pub struct Presented {
    /// Its family.
    pub family: u32,
    /// Its generation.
    pub generation: u32,
    /// When it was made (`iat`).
    pub issued_at: u32,
    /// A valid proof of the key it is bound to came with it.
    pub has_proof: bool,
    /// Attempt ([`crate::record::attempt`]); zeros: unknown.
    pub attempt: [u8; 4],
    /// Print of the holder ([`crate::record::print`]); zeros: unknown.
    pub print: [u8; 4],
    /// How long the token before the newest gets the newest.
    pub grace: u32,
    /// Longest deadline of a request.
    pub deadline: u32,
    /// `rotation = strict`: no grace, no debounce, any older token ends the session.
    pub is_strict: bool,
    /// A new generation may be made (its bound can be written soon).
    pub may_rotate: bool,
    /// A replay ends the session instead of contesting it.
    pub ends_on_replay: bool,
    /// The request counts as activity.
    pub is_activity: bool,
    /// Longest gap between two uses.
    pub idle: u32,
    /// Longest life; shortens the record's absolute deadline, never moves it back.
    pub absolute_max: u32,
    /// The later `not_before` of tenant and client; 0 = none.
    pub not_before: u32,
}

impl Presented {
    /// The arguments of the Redis function, in its order.
    #[must_use]
    pub fn arguments(&self) -> [Vec<u8>; 15] {
        let number = |value: u32| value.to_string().into_bytes();
        let flag = |value: bool| number(u32::from(value));
        [
            number(self.family),
            number(self.generation),
            number(self.issued_at),
            flag(self.has_proof),
            self.attempt.to_vec(),
            self.print.to_vec(),
            number(self.grace),
            number(self.deadline),
            flag(self.is_strict),
            flag(self.may_rotate),
            flag(self.ends_on_replay),
            flag(self.is_activity),
            number(self.idle),
            number(self.absolute_max),
            number(self.not_before),
        ]
    }
}

/// What was decided, and what the session key holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Value of the session key afterwards; empty where nothing readable with the node's stamp is there.
    pub record: Vec<u8>,
    /// Whether the token was newer than the record knew.
    pub adoption: Adoption,
}

/// Decides on a refresh token.
///
/// # Arguments
///
/// * `session`, `user` - values of the two keys; empty: no such key.
/// * `lineage` - lineage of the node that holds them.
/// * `now_ms` - the node's time.
#[must_use]
pub fn rotate(
    session: &[u8],
    user: &[u8],
    lineage: Lineage,
    presented: &Presented,
    now_ms: i64,
) -> Outcome {
    let without_change = |verdict, record: &[u8]| Outcome {
        verdict,
        record: record.to_vec(),
        adoption: Adoption::None,
    };
    let mut record = match Stored::decode(session) {
        Err(_) => return without_change(Verdict::Missing, &[]),
        Ok(stored) if stored.lineage() != lineage => return without_change(Verdict::Stale, &[]),
        Ok(Stored::Ended(_)) => return without_change(Verdict::Ended, session),
        Ok(Stored::Living(record)) => record,
    };
    let now = deadlines::seconds(now_ms);
    if let Some(verdict) = refusal(&record, user, lineage, presented, now) {
        return without_change(verdict, session);
    }
    let adoption = adopt(&mut record, presented);
    let verdict = judge(&record, presented, now);
    let record = follow(record, verdict, presented, now, adoption);
    Outcome {
        verdict,
        record,
        adoption,
    }
}

/// The rows that don't look at the generation.
fn refusal(
    record: &SessionRecord,
    user: &[u8],
    lineage: Lineage,
    presented: &Presented,
    now: u32,
) -> Option<Verdict> {
    let seen = if presented.is_activity {
        presented.issued_at
    } else {
        0
    };
    let idle_deadline = deadlines::idle_deadline_seen(record, seen, presented.idle);
    match deadlines::passed(record, idle_deadline, presented.absolute_max, now) {
        Some(Passed::Idle { .. }) => return Some(Verdict::IdleTimeout),
        Some(Passed::Absolute { .. }) => return Some(Verdict::AbsoluteTimeout),
        None => {}
    }
    let Some(user) = UserRecord::decode(user)
        .ok()
        .filter(|user| user.lineage == lineage)
    else {
        return Some(Verdict::UserMissing);
    };
    if user.is_disabled {
        Some(Verdict::UserDisabled)
    } else if record.created <= user.not_before.max(presented.not_before) {
        Some(Verdict::NotBefore)
    } else if record.is_bound && !presented.has_proof {
        Some(Verdict::ProofRequired)
    } else if presented.family < record.family {
        Some(Verdict::OlderFamily)
    } else if presented.family > record.family {
        Some(Verdict::NewerFamily)
    } else if record.state == State::Contested {
        Some(Verdict::Contested)
    } else {
        None
    }
}

/// Row "g > G": the store lost writes; the token itself says what they were. A generation that follows another was
/// made by a rotation; who made it is unknown.
fn adopt(record: &mut SessionRecord, presented: &Presented) -> Adoption {
    if presented.generation <= record.generation {
        return Adoption::None;
    }
    record.generation = presented.generation;
    record.made = presented.issued_at;
    record.is_made_by_rotation = true;
    record.attempt = [0; 4];
    record.print = [0; 4];
    if record.is_rebuilt {
        Adoption::Explained
    } else {
        Adoption::Unexplained
    }
}

/// The rows on the generation, of a token that is not newer than the record.
fn judge(record: &SessionRecord, presented: &Presented, now: u32) -> Verdict {
    let age = u64::from(now.saturating_sub(record.made));
    let grace = u64::from(presented.grace);
    let debounce = grace + u64::from(presented.deadline);
    let presented_evidence = Evidence {
        attempt: presented.attempt,
        print: presented.print,
    };
    let recorded_evidence = Evidence {
        attempt: record.attempt,
        print: record.print,
    };

    if presented.generation == record.generation {
        if !presented.is_strict && record.is_made_by_rotation && age <= debounce {
            Verdict::Repeated
        } else if presented.may_rotate && record.generation < u32::MAX {
            Verdict::Rotated
        } else {
            Verdict::Held
        }
    } else if presented.is_strict {
        Verdict::ReplayedEnded
    } else if record.is_bound {
        Verdict::Current // the proof was checked above
    } else if record.generation - presented.generation > 1 {
        if presented.ends_on_replay {
            Verdict::ReplayedEnded
        } else {
            Verdict::Replayed
        }
    } else if age > grace {
        Verdict::AnswerLate
    } else if same_holder(&presented_evidence, &recorded_evidence) {
        Verdict::Current
    } else {
        Verdict::PrintChanged
    }
}

/// What the session key holds after the verdict.
fn follow(
    mut record: SessionRecord,
    verdict: Verdict,
    presented: &Presented,
    now: u32,
    adoption: Adoption,
) -> Vec<u8> {
    let is_rotated = verdict == Verdict::Rotated;
    if verdict == Verdict::ReplayedEnded {
        return Tombstone {
            reason: REASON_REPLAY,
            lineage: record.lineage,
            ended_at: now,
        }
        .encode();
    }
    if verdict == Verdict::Replayed {
        record.state = State::Contested;
    }
    if is_rotated {
        record.generation += 1;
        record.made = now;
        record.is_made_by_rotation = true;
        record.attempt = presented.attempt;
        record.print = presented.print;
    }
    if verdict.is_yes() && presented.is_activity {
        let deadline = deadlines::after_use(&record, now, presented.idle, presented.absolute_max);
        if is_rotated
            || adoption.is_adopted()
            || deadlines::is_worth_a_write(&record, deadline, presented.idle)
        {
            record.idle_deadline = deadline;
        }
    }
    record.encode()
}

#[cfg(test)]
mod tests;
