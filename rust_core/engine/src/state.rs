//! Whether a session is good, by what Redis holds. Nothing is decided from a value of another lineage.

use argus_core::deadlines::{self, Passed};
use argus_core::record::{NotBefore, SessionRecord, State, Stored, UserRecord};
use argus_core::token::SessionClaims;

use crate::call::{Call, Subject};
use crate::policy::Policy;
use crate::proto::internal::FlowNeed;
use crate::proto::v1::EndReason;
use crate::snapshot::Client;
use crate::status::{Refusal, Stop};
use crate::store::{NotBefores, Seen, Stamped};

/// A session's record with the policy that is in force for it.
#[derive(Debug, Clone)]
pub(crate) struct Living {
    /// The record, of the node's lineage.
    pub(crate) record: SessionRecord,
    /// Its user's, if it is of the same lineage.
    pub(crate) user: Option<UserRecord>,
    /// The policy.
    pub(crate) policy: Policy,
    /// From when on sessions of its tenant and client count.
    pub(crate) not_before: Bounds,
    /// Redis time. Milliseconds since 1970.
    pub(crate) now_ms: i64,
}

impl Living {
    /// When a token that was issued then says that the session was in use; 0 where making tokens is no use.
    pub(crate) fn seen(&self, issued: u32) -> u32 {
        if self.policy.refresh_is_activity {
            issued
        } else {
            0
        }
    }
}

/// From when on the sessions of a tenant and a client count. Seconds since 1970; 0 = always.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    tenant: u32,
    client: u32,
}

impl Bounds {
    /// Reads the stamped values.
    pub(crate) fn read(call: &Call, subject: &Subject, values: &NotBefores) -> Result<Self, Stop> {
        let of = |value: &Stamped| {
            let found = NotBefore::decode(&value.value)
                .ok()
                .filter(|found| found.lineage == value.lineage);
            found
                .map(|found| found.not_before)
                .ok_or_else(|| Stop::from(call.need(FlowNeed::NotBefore, subject, value.lineage)))
        };
        Ok(Self {
            tenant: of(&values.tenant)?,
            client: of(&values.client)?,
        })
    }

    /// The later one.
    pub(crate) fn latest(self) -> u32 {
        self.tenant.max(self.client)
    }

    /// Why a session that was created before a bound has ended.
    pub(crate) fn reason(self, created: u32) -> EndReason {
        if created <= self.tenant {
            EndReason::TenantWide
        } else if created <= self.client {
            EndReason::ClientWide
        } else {
            EndReason::UserWide
        }
    }
}

/// The record of a session that was not ended; its deadlines and its user are still to be looked at.
pub(crate) fn living(
    call: &Call,
    subject: &Subject,
    client: &Client,
    seen: &Seen,
) -> Result<Living, Stop> {
    let record = match current(&seen.session) {
        None => {
            return Err(call
                .need(FlowNeed::Session, subject, seen.session.lineage)
                .into());
        }
        Some(Stored::Ended(tombstone)) => {
            return Err(Refusal::session_ended(end_reason(tombstone.reason)).into());
        }
        Some(Stored::Living(record)) => record,
    };
    let user = UserRecord::decode(&seen.user.value).ok();
    Ok(Living {
        user: user.filter(|user| user.lineage == seen.user.lineage),
        policy: call.policy(record.policy_revision, client)?,
        not_before: Bounds::read(call, subject, &seen.not_before)?,
        record,
        now_ms: seen.now_ms,
    })
}

/// Refuses a session that is over, or whose holders must step up, or that the token (issued at `issued`) is not the
/// newest family of.
pub(crate) fn check(
    call: &Call,
    subject: &Subject,
    claims: &SessionClaims,
    living: &Living,
    issued: u32,
) -> Result<(), Stop> {
    let Living {
        record,
        user,
        policy,
        not_before,
        now_ms,
    } = living;
    let idle_deadline = deadlines::idle_deadline_seen(record, living.seen(issued), policy.idle);
    let now = deadlines::seconds(*now_ms);
    match deadlines::passed(record, idle_deadline, policy.absolute, now) {
        Some(Passed::Idle { .. }) => {
            return Err(Refusal::session_ended(EndReason::IdleTimeout).into());
        }
        Some(Passed::Absolute { .. }) => {
            return Err(Refusal::session_ended(EndReason::AbsoluteTimeout).into());
        }
        None => {}
    }
    let Some(found) = user else {
        return Err(call.need(FlowNeed::User, subject, record.lineage).into());
    };
    if found.is_disabled {
        return Err(Refusal::session_ended(EndReason::UserDisabled).into());
    }
    if record.created <= found.not_before.max(not_before.latest()) {
        return Err(Refusal::session_ended(not_before.reason(record.created)).into());
    }
    if claims.family > record.family {
        return Err(call.need(FlowNeed::Family, subject, record.lineage).into());
    }
    if claims.family < record.family {
        return Err(Refusal::step_up("FAMILY_OLDER").into());
    }
    if record.state == State::Contested {
        return Err(Refusal::step_up("CONTESTED").into());
    }
    Ok(())
}

/// The value of a session key if the node that answered wrote it.
fn current(session: &Stamped) -> Option<Stored> {
    Stored::decode(&session.value)
        .ok()
        .filter(|stored| stored.lineage() == session.lineage)
}

/// Reason of a tombstone.
pub(crate) fn end_reason(number: u8) -> EndReason {
    EndReason::try_from(i32::from(number)).unwrap_or_default()
}

/// Reason in the tombstone that a function answered with, if it is one.
pub(crate) fn tombstone_reason(record: &[u8]) -> Option<EndReason> {
    match Stored::decode(record) {
        Ok(Stored::Ended(tombstone)) => Some(end_reason(tombstone.reason)),
        _ => None,
    }
}
