//! The state behind a token that is good in itself: its session's, or its client's, read from Redis now.

use argus_core::deadlines;
use argus_core::ids::{SessionId, not_before_key};
use argus_core::token::{AccessClaims, Confirmation, RefreshClaims, SessionClaims};

use crate::call::{Call, Subject, seconds};
use crate::proof;
use crate::proto::internal::FlowNeed;
use crate::proto::v1::{Activity, EndReason};
use crate::snapshot::Client;
use crate::state::{self, Bounds, Living};
use crate::status::{Refusal, Stop};
use crate::store::SessionKeys;

/// Statuses of the function `touch` that are a no.
const TOUCHED_ENDED: i64 = 2;
const TOUCHED_IDLE: i64 = 3;
const TOUCHED_ABSOLUTE: i64 = 4;

/// What a token says of its session.
pub(crate) struct Told<'a> {
    /// Session, family, and how the user proved itself.
    pub(crate) session: &'a SessionClaims,
    /// When the token was made.
    issued: u32,
    /// Key that it is bound to.
    bound_to: Option<&'a Confirmation>,
}

impl<'a> Told<'a> {
    /// By an access token; nothing by a client token.
    pub(crate) fn access(claims: &'a AccessClaims) -> Option<Self> {
        Some(Self {
            session: claims.session.as_ref()?,
            issued: claims.issued,
            bound_to: claims.confirmation.as_ref(),
        })
    }

    /// By a refresh token.
    pub(crate) fn refresh(claims: &'a RefreshClaims) -> Self {
        Self {
            session: &claims.session,
            issued: claims.issued,
            bound_to: claims.confirmation.as_ref(),
        }
    }
}

/// The session's state, read now; counts as a use of it. Answers when it was read. `issued` is the token's.
pub(crate) async fn check_session(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    client: &Client,
    activity: Activity,
) -> Result<i64, Stop> {
    let keys = session_keys(call, &told.session.session_id, subject)?;
    let living = look(call, subject, told, client, &keys).await?;
    if activity != Activity::Passive {
        use_session(call, subject, &living, told.issued, &keys).await?;
    }
    Ok(living.now_ms)
}

/// Reads a session's state and refuses what is not good, without counting as a use.
pub(crate) async fn look(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    client: &Client,
    keys: &SessionKeys,
) -> Result<Living, Stop> {
    let seen = call
        .shared
        .store
        .look(keys)
        .await
        .map_err(|error| call.store_failed(error))?;
    let living = state::living(call, subject, client, &seen)?;
    state::check(
        call,
        subject,
        told.session,
        &living,
        told.issued,
        &seen.user,
    )?;
    proof::check_record(call, subject, &living.record, told.bound_to)?;
    Ok(living)
}

/// Names of a session's keys; a session id of another slot than its user's was never made by Argus.
pub(crate) fn session_keys(
    call: &Call,
    session_id: &SessionId,
    subject: &Subject,
) -> Result<SessionKeys, Stop> {
    let bucket = call
        .snapshot
        .keyspace
        .bucket(&call.tenant().id, &subject.user_id);
    if session_id.bucket() != bucket {
        return Err(call.refuse_token("claims", subject));
    }
    Ok(call.keys(session_id, subject))
}

/// Moves the idle deadline, where that is worth a write.
async fn use_session(
    call: &Call,
    subject: &Subject,
    living: &Living,
    issued: u32,
    keys: &SessionKeys,
) -> Result<(), Stop> {
    let Living {
        record,
        policy,
        now_ms,
        ..
    } = living;
    let now = seconds(*now_ms);
    let deadline = deadlines::after_use(record, now, policy.idle, policy.absolute);
    if !deadlines::is_worth_a_write(record, deadline, policy.idle) {
        return Ok(());
    }
    let touched = call
        .shared
        .store
        .touch(keys, policy.idle, policy.absolute, living.seen(issued))
        .await;
    let touched = touched.map_err(|error| call.store_failed(error))?;
    match touched.status {
        // Between reading and writing.
        TOUCHED_ENDED => {
            return Err(match state::tombstone_reason(&touched.record) {
                Some(reason) => Refusal::session_ended(reason).into(),
                // It is the user that changed: asked again, it is the user's state that decides.
                None => call.need(FlowNeed::User, subject, record.lineage).into(),
            });
        }
        TOUCHED_IDLE => return Err(Refusal::session_ended(EndReason::IdleTimeout).into()),
        TOUCHED_ABSOLUTE => return Err(Refusal::session_ended(EndReason::AbsoluteTimeout).into()),
        _ => {}
    }
    let mut effect = call.effect(subject, *now_ms);
    effect.last_active = now;
    effect.idle_deadline = deadline;
    call.push(effect);
    Ok(())
}

/// A client token's client has no session: what ends it is a `not_before`.
pub(crate) async fn check_client(
    call: &Call,
    subject: &Subject,
    claims: &AccessClaims,
    client: &Client,
) -> Result<i64, Stop> {
    let tenant_id = &call.tenant().id;
    let (tenant_key, client_key) = (
        not_before_key(tenant_id, None),
        not_before_key(tenant_id, Some(&client.id)),
    );
    let values = call
        .shared
        .store
        .look_at_not_before(&tenant_key, &client_key)
        .await;
    let values = values.map_err(|error| call.store_failed(error))?;
    let bounds = Bounds::read(call, subject, &values)?;
    let known = call.tenant().not_before.max(client.not_before);
    if claims.issued <= known.max(bounds.latest()) {
        return Err(call.refuse_token("not_before", subject));
    }
    Ok(values.now_ms)
}
