//! What follows from the verdict on a refresh token: tokens, a refusal, or a flow; and what must be written.

use argus_core::record::SessionRecord;
use argus_core::rotation::{Adoption, Presented, Verdict};
use argus_core::token::RefreshClaims;
use prost::Message as _;
use tonic_types::Status;

use crate::call::{Call, Subject, seconds, set_event};
use crate::counters::Alarm;
use crate::issue::{Generation, Grant, IssueFailure, Made};
use crate::proof;
use crate::proto::internal::{Effect, FlowNeed};
use crate::proto::v1::{EndReason, RefreshTokenResponse};
use crate::state::{Living, tombstone_reason};
use crate::status::{Refusal, Stop, any};
use crate::store::Rotated;
use crate::verify::{session_name, timestamp};

/// What was presented, and what the new access token may hold.
pub(crate) struct Granted {
    /// The presented token itself.
    pub(crate) token: String,
    /// Its claims.
    pub(crate) claims: RefreshClaims,
    /// Scope of the access token.
    pub(crate) scope: String,
    /// Resources of the access token.
    pub(crate) resources: Vec<String>,
}

/// Turns the verdict into an answer.
pub(crate) fn conclude(
    call: &Call,
    subject: &Subject,
    granted: &Granted,
    living: &Living,
    presented: &Presented,
    rotated: &Rotated,
) -> Result<RefreshTokenResponse, Stop> {
    call.shared.counters.verdict(rotated.verdict);
    note_adoption(call, subject, rotated.adoption);
    if !rotated.verdict.is_yes() {
        return Err(refusal(call, subject, living, rotated));
    }
    let record =
        SessionRecord::decode(&rotated.record).map_err(|_| Refusal::internal(&call.request_id))?;
    if presented.is_strict && rotated.verdict == Verdict::Held {
        return Err(Refusal::unavailable("postgresql").into());
    }
    let response = response(call, granted, living, &record, rotated.verdict);
    let response = response.map_err(|failure| not_issued(call, &failure))?;
    let effect = effect(call, subject, living, presented, &record, rotated);
    if presented.is_strict && rotated.verdict == Verdict::Rotated {
        return Err(after_writing(call, subject, rotated, &response, effect));
    }
    if effect != call.effect(subject, effect.time_ms) {
        call.push(effect);
    }
    Ok(response)
}

/// A token newer than the record: a store lost writes. Where no rebuild says so, somebody else may be making tokens.
fn note_adoption(call: &Call, subject: &Subject, adoption: Adoption) {
    if !adoption.is_adopted() {
        return;
    }
    call.note(subject, "refresh.adopted", "");
    call.shared.counters.adoption(adoption);
    if adoption == Adoption::Unexplained {
        call.alarm(subject, Alarm::GenerationUnexplained, "NOT_REBUILT");
    }
}

/// The tokens of a good answer. A repeated or held one brings the presented refresh token again; nothing tells the
/// caller so.
fn response(
    call: &Call,
    granted: &Granted,
    living: &Living,
    record: &SessionRecord,
    verdict: Verdict,
) -> Result<RefreshTokenResponse, IssueFailure> {
    let claims = &granted.claims;
    let grant = Grant {
        tenant: call.tenant(),
        user_id: &claims.subject,
        client_id: &claims.client_id,
        session: &claims.session,
        groups: &claims.groups,
        confirmation: claims.confirmation.as_ref(),
        now: call.now,
        absolute_deadline: record.absolute_under(living.policy.absolute),
    };
    let access = grant.access(&granted.scope, &granted.resources, living.policy.access)?;
    let refresh = match verdict {
        Verdict::Rotated | Verdict::Current => {
            let generation = Generation {
                number: record.generation,
                made: record.made,
                refresh_id_key: claims.refresh_id_key,
                life: living.policy.refresh,
            };
            grant.refresh(&claims.scope, &claims.resources, &generation)?
        }
        _ => Made::again(granted.token.clone(), claims.expires),
    };
    Ok(RefreshTokenResponse {
        tokens: Some(grant.token_set(access, refresh, &granted.scope)),
        session: session_name(call, &claims.subject, &claims.session),
        idle_expire_time: Some(timestamp(record.idle_deadline.min(grant.absolute_deadline))),
        absolute_expire_time: Some(timestamp(grant.absolute_deadline)),
    })
}

/// A missing key is a snapshot that is behind; the generation was made, and a retry gets it.
fn not_issued(call: &Call, failure: &IssueFailure) -> Stop {
    match failure {
        IssueFailure::Unknown(_) => Refusal::unavailable("keys").into(),
        _ => Refusal::internal(&call.request_id).into(),
    }
}

/// What must reach `PostgreSQL`: the bound of a new generation, activity, the event.
fn effect(
    call: &Call,
    subject: &Subject,
    living: &Living,
    presented: &Presented,
    record: &SessionRecord,
    rotated: &Rotated,
) -> Effect {
    let mut effect = call.effect(subject, rotated.now_ms);
    let is_rotated = rotated.verdict == Verdict::Rotated;
    // A caller that asks again may never have been answered because the answer of Redis was lost, and the bound with it.
    let is_repeated = rotated.verdict == Verdict::Current;
    if is_rotated || is_repeated || rotated.adoption.is_adopted() {
        effect.family = record.family;
        effect.generation = record.generation;
        effect.generation_made = record.made;
    }
    if presented.is_activity && (is_rotated || record.idle_deadline != living.record.idle_deadline)
    {
        effect.last_active = seconds(rotated.now_ms);
        effect.idle_deadline = record.idle_deadline;
    }
    if is_rotated {
        set_event(&mut effect, "token.refreshed", "success", "");
    }
    effect
}

/// A strict family: the bound is written before the answer, so the answer goes along as a status of code OK.
fn after_writing(
    call: &Call,
    subject: &Subject,
    rotated: &Rotated,
    response: &RefreshTokenResponse,
    effect: Effect,
) -> Stop {
    let answer = Status {
        code: 0,
        message: String::new(),
        details: vec![any(
            "argus.v1.RefreshTokenResponse",
            response.encode_to_vec(),
        )],
    };
    let mut need = call.need(FlowNeed::RecordVerdict, subject, rotated.lineage);
    need.answer = answer.encode_to_vec();
    need.effect = Some(effect);
    need.into()
}

/// A token of a session that is over was presented.
pub(crate) fn note_end(call: &Call, subject: &Subject, reason: EndReason) {
    let name = reason.as_str_name().trim_start_matches("END_REASON_");
    call.note(subject, "refresh.refused", name);
}

/// What a verdict that is not a yes means to the caller.
fn refusal(call: &Call, subject: &Subject, living: &Living, rotated: &Rotated) -> Stop {
    let ended = |reason: EndReason| {
        note_end(call, subject, reason);
        Stop::from(Refusal::session_ended(reason))
    };
    let step_up = |cause: &str| {
        call.note(subject, "refresh.step_up_required", cause);
        Stop::from(Refusal::step_up(cause))
    };
    match rotated.verdict {
        Verdict::Missing | Verdict::Stale => call
            .need(FlowNeed::Session, subject, rotated.lineage)
            .into(),
        Verdict::NewerFamily => call.need(FlowNeed::Family, subject, rotated.lineage).into(),
        Verdict::UserMissing => call.need(FlowNeed::User, subject, rotated.lineage).into(),
        Verdict::Ended => ended(tombstone_reason(&rotated.record).unwrap_or_default()),
        Verdict::IdleTimeout => ended(EndReason::IdleTimeout),
        Verdict::AbsoluteTimeout => ended(EndReason::AbsoluteTimeout),
        Verdict::UserDisabled => ended(EndReason::UserDisabled),
        Verdict::NotBefore => ended(living.not_before.reason(living.record.created)),
        Verdict::ProofRequired => {
            // The session was bound since the token was made.
            proof::refuse(call, subject, proof::UNKNOWN, proof::class::MISSING)
        }
        Verdict::OlderFamily => step_up("FAMILY_OLDER"),
        Verdict::Contested => Refusal::step_up("CONTESTED").into(),
        Verdict::PrintChanged => step_up("PRINT_CHANGED"),
        Verdict::AnswerLate => step_up("ANSWER_LATE"),
        Verdict::Replayed | Verdict::ReplayedEnded => replayed(call, subject, living, rotated),
        Verdict::Rotated | Verdict::Repeated | Verdict::Current | Verdict::Held => {
            Refusal::internal(&call.request_id).into()
        }
    }
}

/// A replay must be in `PostgreSQL` before its answer is given.
fn replayed(call: &Call, subject: &Subject, living: &Living, rotated: &Rotated) -> Stop {
    let mut effect = call.effect(subject, rotated.now_ms);
    effect.family = living.record.family;
    let answer = if rotated.verdict == Verdict::ReplayedEnded {
        set_event(&mut effect, "session.ended", "failure", "REPLAY");
        Refusal::session_ended(EndReason::Replay)
    } else {
        set_event(&mut effect, "refresh.contested", "failure", "REPLAYED");
        Refusal::step_up("REPLAYED")
    };
    let mut need = call.need(FlowNeed::RecordVerdict, subject, rotated.lineage);
    need.answer = answer.encode();
    need.effect = Some(effect);
    need.into()
}
