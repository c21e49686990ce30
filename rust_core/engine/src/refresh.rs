//! `RefreshToken`: what is checked before the Redis function decides. What follows is in [`crate::refreshed`].

use argus_core::record::{Stored, attempt};
use argus_core::rotation::{Presented, Verdict};
use argus_core::token::{Expected, RefreshClaims, VerifiedRefresh, verify_refresh};
use prost::Message as _;

use crate::call::{Call, Subject};
use crate::caller::{Lack, REFRESH_FOR_CLIENTS, Watched};
use crate::check::session_keys;
use crate::counters::Alarm;
use crate::evidence;
use crate::limits;
use crate::policy::Policy;
use crate::proof::{self, Attempt, Shown};
use crate::proto::internal::FlowNeed;
use crate::proto::v1::{ErrorReason, RefreshTokenRequest, RefreshTokenResponse};
use crate::refreshed::{self, Granted};
use crate::ring::ComputedIds;
use crate::state::{self, Living};
use crate::status::{Refusal, Stop};
use crate::store::Stamped;

mod demands;
use demands::{check_level, check_life, check_rules, check_standing};

/// Answers one request. The function is asked once: it decides and writes in one step.
pub(crate) async fn refresh(
    call: &Call,
    request: &RefreshTokenRequest,
) -> Result<RefreshTokenResponse, Stop> {
    check_limits(call, request)?;
    let claims = read_token(call, request)?;
    let subject = subject(call, request, &claims);
    let client = call.client(&subject)?;
    let shown = prove(call, &subject, request, &claims).inspect_err(|stop| count(call, stop))?;
    let granted = narrow(request, &claims)?;
    let keys = session_keys(call, &claims.session.session_id, &subject)?;
    let seen = call
        .shared
        .store
        .look(&keys)
        .await
        .map_err(|error| call.store_failed(error))?;
    count_what_is_clear(call, &subject, &seen.session);
    let living = state::living(call, &subject, &client, &seen)?;
    check_life(call, &subject, &claims, &living)?;
    check_rules(call, request, &subject, &claims, &client, &living)?;
    check_level(call, &subject, &claims, &living)?;
    check_standing(call, request, &subject, &granted, &client, &living)?;
    let presented = presented(call, &subject, request, &claims, &living, shown.as_ref())?;
    use_proof(call, &subject, request, &claims, &living, shown.as_ref())
        .await
        .inspect_err(|stop| count(call, stop))?;
    let rotated = call
        .shared
        .store
        .rotate(&keys, &presented)
        .await
        .map_err(|error| call.store_failed(error))?;
    refreshed::conclude(call, &subject, &granted, &living, &presented, &rotated)
}

/// The first rows of the table need no question: the function would give the same verdict on what was just read.
fn count_what_is_clear(call: &Call, subject: &Subject, session: &Stamped) {
    let verdict = match Stored::decode(&session.value) {
        Err(_) => Verdict::Missing,
        Ok(stored) if stored.lineage() != session.lineage => Verdict::Stale,
        Ok(Stored::Ended(tombstone)) => {
            refreshed::note_end(call, subject, state::end_reason(tombstone.reason));
            Verdict::Ended
        }
        Ok(Stored::Living(_)) => return,
    };
    call.shared.counters.verdict(verdict);
}

fn check_limits(call: &Call, request: &RefreshTokenRequest) -> Result<(), Refusal> {
    limits::token("refresh_token", &request.refresh_token)?;
    limits::text("scope", &request.scope)?;
    limits::text("resource", &request.resource)?;
    limits::attempt(&request.attempt_id)?;
    limits::context(call.context(request.client_context.as_ref()))
}

/// The key that a proof shows, which must be the one that the token is bound to.
fn prove(
    call: &Call,
    subject: &Subject,
    request: &RefreshTokenRequest,
    claims: &RefreshClaims,
) -> Result<Option<Shown>, Stop> {
    let shown = proof::shown(call, subject, request.proof.as_ref(), None)?;
    proof::check_key(call, subject, claims.confirmation.as_ref(), shown.as_ref())?;
    Ok(shown)
}

/// Uses the proof, if the record is bound to what the token says. Before the function decides: a used proof changes
/// nothing.
async fn use_proof(
    call: &Call,
    subject: &Subject,
    request: &RefreshTokenRequest,
    claims: &RefreshClaims,
    living: &Living,
    shown: Option<&Shown>,
) -> Result<(), Stop> {
    if claims.session.family == living.record.family {
        proof::check_record(call, subject, &living.record, claims.confirmation.as_ref())?;
    }
    let attempt = || proof_attempt(call, request, living.policy.is_strict);
    proof::spend_or_refuse(call, subject, shown, attempt).await
}

/// Counts the table's row "bound, no valid proof", for which the function need not be asked.
fn count(call: &Call, stop: &Stop) {
    if matches!(stop, Stop::Refused(refusal) if refusal.reason == ErrorReason::TokenProofRequired) {
        call.shared.counters.verdict(Verdict::ProofRequired);
    }
}

/// What a used proof may be used for again: the same request to the byte, as a lost answer is asked for anew. It makes no
/// second successor, so that whoever copied the request gets tokens of a key that it doesn't hold. A strict family
/// would be ended by it, so there only this very call goes on.
fn proof_attempt(call: &Call, request: &RefreshTokenRequest, is_strict: bool) -> Attempt {
    if is_strict {
        proof::attempt(&[b"call", call.id.as_bytes()])
    } else {
        proof::attempt(&[b"refresh", &request.encode_to_vec()])
    }
}

/// Signature, type, issuer, times, client, computed id.
fn read_token(call: &Call, request: &RefreshTokenRequest) -> Result<RefreshClaims, Stop> {
    let tenant_id = &call.tenant().id;
    let keys = Watched::new(&call.snapshot, Some(tenant_id));
    let verified = verify_refresh(
        &request.refresh_token,
        &Expected::refresh(call.now).of_tenant(tenant_id),
        &keys,
    );
    let VerifiedRefresh {
        claims,
        is_key_revoked,
        ..
    } = verified.map_err(|fault| {
        let unread = Subject {
            ip_address: ip_address(call, request),
            ..Subject::default()
        };
        call.fault(fault, keys.lack(), &unread)
    })?;
    let subject = subject(call, request, &claims);
    if claims.client_id != call.caller.client.id && !call.caller.has(REFRESH_FOR_CLIENTS) {
        return Err(call.refuse_token("client", &subject));
    }
    check_id(call, &subject, &claims)?;
    if is_key_revoked {
        call.note(&subject, "refresh.step_up_required", "KEY_REVOKED");
        return Err(Refusal::step_up("").into());
    }
    Ok(claims)
}

/// Refuses a token whose id is not the computed one. Under a valid signature that means that a signing key is in other
/// hands.
pub(crate) fn check_id(call: &Call, subject: &Subject, claims: &RefreshClaims) -> Result<(), Stop> {
    let number = claims.refresh_id_key;
    match call.tenant().computed_ids(number) {
        None => Err(call.lacking(Lack::Unknown, "refresh_id_key", subject)),
        Some(ComputedIds::Unread) => Err(call.lacking(Lack::Unread, "refresh_id_key", subject)),
        Some(ComputedIds::Revoked) => Err(call.refuse_token("refresh_id_key", subject)),
        Some(ComputedIds::Good(ids)) => {
            let session = &claims.session;
            if ids.fits(
                &claims.token_id,
                &session.session_id,
                session.family,
                claims.generation,
            ) {
                return Ok(());
            }
            call.alarm(subject, Alarm::KeyCompromiseSuspected, "refresh_id");
            Err(call.refuse_token("refresh_id", subject))
        }
    }
}

fn subject(call: &Call, request: &RefreshTokenRequest, claims: &RefreshClaims) -> Subject {
    Subject {
        user_id: claims.subject.clone(),
        session_id: claims.session.session_id.to_string(),
        client_id: claims.client_id.clone(),
        ip_address: ip_address(call, request),
    }
}

fn ip_address(call: &Call, request: &RefreshTokenRequest) -> String {
    let context = call.context(request.client_context.as_ref());
    context
        .map(|context| context.ip_address.clone())
        .unwrap_or_default()
}

/// What the access token is for: as granted, or less.
fn narrow(request: &RefreshTokenRequest, claims: &RefreshClaims) -> Result<Granted, Refusal> {
    let mut scope = claims.scope.clone();
    if !request.scope.is_empty() {
        let held: Vec<&str> = claims.scope.split(' ').collect();
        if !request.scope.split(' ').all(|one| held.contains(&one)) {
            return Err(Refusal::field(
                "scope",
                "must be the granted scope or less, separated by single spaces",
            ));
        }
        scope.clone_from(&request.scope);
    }
    let mut resources = claims.resources.clone();
    if !request.resource.is_empty() {
        resources.retain(|one| *one == request.resource);
        if resources.is_empty() {
            return Err(Refusal::field(
                "resource",
                "must be one of the granted resources",
            ));
        }
    }
    Ok(Granted {
        token: request.refresh_token.clone(),
        claims: claims.clone(),
        scope,
        resources,
    })
}

fn presented(
    call: &Call,
    subject: &Subject,
    request: &RefreshTokenRequest,
    claims: &RefreshClaims,
    living: &Living,
    shown: Option<&Shown>,
) -> Result<Presented, Stop> {
    let Policy {
        grace,
        deadline,
        is_strict,
        ends_on_replay,
        idle,
        absolute,
        ..
    } = living.policy;
    let may_rotate = call
        .shared
        .effects
        .is_flowing(call.shared.clock.now_ms(), grace);
    if is_strict && !may_rotate {
        return Err(Refusal::unavailable("postgresql").into());
    }
    // Its bound is written before the answer is given: a generation that is spent without one costs the session.
    if is_strict && !call.postgresql_answers {
        let lineage = living.record.lineage;
        return Err(call.need(FlowNeed::Postgresql, subject, lineage).into());
    }
    Ok(Presented {
        family: claims.session.family,
        generation: claims.generation,
        issued_at: claims.issued,
        // Of the record's key: the token's own was looked at before, and a step-up may have bound the session since.
        has_proof: shown.is_some_and(|shown| {
            living.record.is_bound && shown.confirmation.digest() == living.record.binding
        }),
        attempt: attempt(&request.attempt_id),
        print: evidence::print(call.context(request.client_context.as_ref())),
        grace,
        deadline,
        is_strict,
        may_rotate,
        ends_on_replay,
        is_activity: living.policy.refresh_is_activity || request.user_active,
        idle,
        absolute_max: absolute,
        not_before: living.not_before.latest(),
    })
}
