//! Idle and absolute deadlines of a session: the twins of the Redis functions `touch` and `expire`
//! (`lua/deadlines.lua`).
//!
//! A record holds the *moment* of its idle deadline, so that a policy changed since does not end a session that was
//! told it had longer; the new length counts from the next use. An absolute deadline never moves back.

use crate::record::{
    Lineage, REASON_ABSOLUTE_TIMEOUT, REASON_IDLE_TIMEOUT, SessionRecord, State, Stored, Tombstone,
    UserRecord,
};

/// Which deadline of a session passed first, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// It was not used for too long.
    Idle {
        /// First second at which it was over.
        at: u32,
    },
    /// It lived its longest life.
    Absolute {
        /// First second at which it was over.
        at: u32,
    },
}

/// What `touch` did; the codes are the function's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Touched {
    /// The session lives (a contested one is not extended).
    Ok = 0,
    /// Session or user is missing or of another lineage: rebuild, then touch again.
    Missing = 1,
    /// It is over: ended, its user disabled, or created before the user's `not_before`.
    Ended = 2,
    /// Its idle deadline passed.
    IdleTimeout = 3,
    /// Its absolute deadline passed.
    AbsoluteTimeout = 4,
}

/// What `expire` did; the codes are the function's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Expired {
    /// No deadline has passed.
    NotDue = 0,
    /// The session is missing or of another lineage: rebuild, then look again.
    Missing = 1,
    /// It had ended before.
    EndedBefore = 2,
    /// Ended now: its idle deadline had passed.
    IdleTimeout = 3,
    /// Ended now: its absolute deadline had passed.
    AbsoluteTimeout = 4,
}

/// Whole seconds of a time in milliseconds, cut to what a record can hold.
#[must_use]
pub fn seconds(now_ms: i64) -> u32 {
    let whole = now_ms.div_euclid(1000).max(0);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// A session's idle deadline, given a token that says that the session was in use at `seen` (0: nothing says so). A
/// rebuilt record may have lost uses with the store; any other knows them all.
#[must_use]
pub fn idle_deadline_seen(record: &SessionRecord, seen: u32, idle: u32) -> u32 {
    if record.is_rebuilt && seen > 0 {
        record.idle_deadline.max(seen.saturating_add(idle))
    } else {
        record.idle_deadline
    }
}

/// The deadline that passed first, if one has. The idle deadline is the record's, or [`idle_deadline_seen`].
#[must_use]
pub fn passed(
    record: &SessionRecord,
    idle_deadline: u32,
    absolute_max: u32,
    now: u32,
) -> Option<Passed> {
    let absolute = record.absolute_under(absolute_max);
    if now < absolute.min(idle_deadline) {
        None
    } else if absolute <= idle_deadline {
        Some(Passed::Absolute { at: absolute })
    } else {
        Some(Passed::Idle { at: idle_deadline })
    }
}

/// Idle deadline after a use at `active`.
#[must_use]
pub fn after_use(record: &SessionRecord, active: u32, idle: u32, absolute_max: u32) -> u32 {
    active
        .saturating_add(idle)
        .min(record.absolute_under(absolute_max))
}

/// Whether an idle deadline differs by at least `idle / 20` from the one that is recorded: activity is written no more
/// often than that.
#[must_use]
pub fn is_worth_a_write(record: &SessionRecord, deadline: u32, idle: u32) -> bool {
    let moved = u64::from(record.idle_deadline.abs_diff(deadline));
    moved > 0 && moved * 20 >= u64::from(idle)
}

/// Records a use of a session; answers what it is and the value of its key afterwards.
///
/// A use now (`active` = 0, or not before `now`) sets the deadline, so that a shortened policy bites. A use that is
/// reported late can only extend it: a later use may be recorded already. `seen` is for [`idle_deadline_seen`].
#[must_use]
pub fn touch(
    session: &[u8],
    user: &[u8],
    lineage: Lineage,
    (active, idle, absolute_max, seen): (u32, u32, u32, u32),
    now_ms: i64,
) -> (Touched, Vec<u8>) {
    let now = seconds(now_ms);
    let mut record = match Stored::decode(session) {
        Ok(stored) if stored.lineage() != lineage => return (Touched::Missing, Vec::new()),
        Err(_) => return (Touched::Missing, Vec::new()),
        Ok(Stored::Ended(_)) => return (Touched::Ended, session.to_vec()),
        Ok(Stored::Living(record)) => record,
    };
    let idle_deadline = idle_deadline_seen(&record, seen, idle);
    match passed(&record, idle_deadline, absolute_max, now) {
        Some(Passed::Idle { .. }) => return (Touched::IdleTimeout, session.to_vec()),
        Some(Passed::Absolute { .. }) => return (Touched::AbsoluteTimeout, session.to_vec()),
        None => {}
    }
    let Some(user) = UserRecord::decode(user)
        .ok()
        .filter(|user| user.lineage == lineage)
    else {
        return (Touched::Missing, session.to_vec());
    };
    if user.is_disabled || record.created <= user.not_before {
        return (Touched::Ended, session.to_vec());
    }
    let is_now = active == 0 || active >= now;
    let deadline = if is_now {
        after_use(&record, now, idle, absolute_max)
    } else {
        after_use(&record, active, idle, absolute_max).max(record.idle_deadline)
    };
    if record.state == State::Active && is_worth_a_write(&record, deadline, idle) {
        record.idle_deadline = deadline;
    }
    (Touched::Ok, record.encode())
}

/// Ends a session whose deadline has passed, at the moment it passed; answers what it is and the value of its key
/// afterwards.
#[must_use]
pub fn expire(
    session: &[u8],
    lineage: Lineage,
    absolute_max: u32,
    now_ms: i64,
) -> (Expired, Vec<u8>) {
    let record = match Stored::decode(session) {
        Ok(stored) if stored.lineage() != lineage => return (Expired::Missing, Vec::new()),
        Err(_) => return (Expired::Missing, Vec::new()),
        Ok(Stored::Ended(_)) => return (Expired::EndedBefore, session.to_vec()),
        Ok(Stored::Living(record)) => record,
    };
    let (expired, reason, ended_at) =
        match passed(&record, record.idle_deadline, absolute_max, seconds(now_ms)) {
            None => return (Expired::NotDue, session.to_vec()),
            Some(Passed::Idle { at }) => (Expired::IdleTimeout, REASON_IDLE_TIMEOUT, at),
            Some(Passed::Absolute { at }) => {
                (Expired::AbsoluteTimeout, REASON_ABSOLUTE_TIMEOUT, at)
            }
        };
    (
        expired,
        Tombstone {
            reason,
            lineage: record.lineage,
            ended_at,
        }
        .encode(),
    )
}

#[cfg(test)]
mod tests;
