//! The state behind a token that is good in itself: its session's, or its client's, read from Redis now.

use argus_core::deadlines;
use argus_core::ids::{SessionId, not_before_key};
use argus_core::token::{AccessClaims, Confirmation, RefreshClaims, SessionClaims};

use crate::cached;
use crate::call::{Call, Subject, seconds};
use crate::proof;
use crate::proto::internal::FlowNeed;
use crate::proto::v1::{Activity, Consistency, EndReason};
use crate::snapshot::Client;
use crate::state::{self, Bounds, Living};
use crate::status::{Refusal, Stop};
use crate::store::{Seen, SessionKeys};
use crate::trust::Standing;

/// Statuses of the function `touch` that are a no.
const TOUCHED_ENDED: i64 = 2;
const TOUCHED_IDLE: i64 = 3;
const TOUCHED_ABSOLUTE: i64 = 4;

/// What a token says of its session.
pub(crate) struct Told<'a> {
    /// Session, family, and how the user proved itself.
    pub(crate) session: &'a SessionClaims,
    /// When the token was made.
    pub(crate) issued: u32,
    /// Key that it is bound to.
    pub(crate) bound_to: Option<&'a Confirmation>,
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

/// State that is good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    /// When it was so, by Redis's clock. Milliseconds since 1970.
    pub(crate) state_time_ms: i64,
    /// Up to when it is known, if it was not read in this call.
    pub(crate) confirmed_ms: Option<i64>,
    /// Trust and context of the session; none of a client token.
    pub(crate) standing: Option<Standing>,
}

impl Checked {
    fn read(state_time_ms: i64, standing: Option<Standing>) -> Self {
        Self {
            state_time_ms,
            confirmed_ms: None,
            standing,
        }
    }

    /// Whether it may be answered by now.
    pub(crate) fn still_counts(&self, call: &Call) -> bool {
        let store = &call.shared.store;
        self.confirmed_ms
            .is_none_or(|confirmed_ms| store.still_counts(confirmed_ms))
    }
}

/// The session's state; counts as a use of it.
pub(crate) async fn check_session(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    client: &Client,
    activity: Activity,
    consistency: Consistency,
) -> Result<Checked, Stop> {
    let is_strong = consistency == Consistency::Strong;
    if !is_strong && let Some(checked) = cached::check(call, subject, told, client, activity) {
        return Ok(checked);
    }
    let keys = session_keys(call, &told.session.session_id, subject)?;
    let living = if is_strong {
        look(call, subject, told, client, &keys).await?
    } else {
        look_and_keep(call, subject, told, client, &keys).await?
    };
    if activity != Activity::Passive {
        use_session(call, subject, &living, told.issued, keys, is_strong).await?;
    }
    Ok(Checked::read(living.now_ms, Some(Standing::of(&living))))
}

/// As [`look`], over the tracking connection if there is one, so that what is good can be kept.
async fn look_and_keep(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    client: &Client,
    keys: &SessionKeys,
) -> Result<Living, Stop> {
    let store = &call.shared.store;
    let Some((watch, _)) = store.watch() else {
        return look(call, subject, told, client, keys).await;
    };
    let marks = watch.ledger.marks(keys);
    let Ok(seen) = store.look_tracked(&watch, keys).await else {
        return look(call, subject, told, client, keys).await;
    };
    let living = judge(call, subject, told, client, &seen)?;
    cached::keep(call, subject, told, living.clone(), (&watch, marks));
    Ok(living)
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
    judge(call, subject, told, client, &seen)
}

fn judge(
    call: &Call,
    subject: &Subject,
    told: &Told<'_>,
    client: &Client,
    seen: &Seen,
) -> Result<Living, Stop> {
    let living = state::living(call, subject, client, seen)?;
    state::check(call, subject, told.session, &living, told.issued)?;
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
    keys: SessionKeys,
    in_place: bool,
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
    if !in_place && cached::wait(call, subject, living, issued, deadline, keys.clone()) {
        return Ok(());
    }
    let touched = call
        .shared
        .store
        .touch(&keys, policy.idle, policy.absolute, living.seen(issued))
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
    // What stands now, which another use may have written: lists must say what a call is told.
    let deadline = touched.idle_deadline().unwrap_or(deadline);
    call.push(cached::used(call, subject, living, deadline));
    Ok(())
}

/// A client token's client has no session: what ends it is a `not_before`.
pub(crate) async fn check_client(
    call: &Call,
    subject: &Subject,
    claims: &AccessClaims,
    client: &Client,
) -> Result<Checked, Stop> {
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
    Ok(Checked::read(values.now_ms, None))
}
