//! What policies demand of a session at its refresh, beside what the table of rotation says.

use argus_core::token::{Acr, FaultClass, RefreshClaims};

use crate::call::{Call, Subject};
use crate::proof;
use crate::proto::internal::{ContextChange, FlowNeed};
use crate::proto::v1::{ErrorReason, RefreshTokenRequest};
use crate::refreshed::Granted;
use crate::snapshot::Client;
use crate::state::{self, Living};
use crate::status::{Refusal, Stop};
use crate::trust::Standing;

/// Refuses a token that outlives what the policy allows by now.
pub(super) fn check_life(
    call: &Call,
    subject: &Subject,
    claims: &RefreshClaims,
    living: &Living,
) -> Result<(), Stop> {
    if call.now < claims.issued.saturating_add(living.policy.refresh) {
        return Ok(());
    }
    Err(call.fault(FaultClass::Exp, None, subject))
}

/// Asks a flow what the rules of policies say of the session by now, once a call; of one that is over, or of an older
/// family, nothing is asked.
pub(super) fn check_rules(
    call: &Call,
    request: &RefreshTokenRequest,
    subject: &Subject,
    claims: &RefreshClaims,
    client: &Client,
    living: &Living,
) -> Result<(), Stop> {
    if !client.judges_rules
        || call.rules_judged
        || state::check(call, subject, &claims.session, living, claims.issued).is_err()
    {
        return Ok(());
    }
    let mut need = call.need(FlowNeed::Rules, subject, living.record.lineage);
    need.context = Some(ContextChange {
        context: call.context(request.client_context.as_ref()).cloned(),
        digest: Vec::new(),
        family: living.record.family,
        refresh: true,
        request_id: call.request_id.clone(),
        caller: call.caller.client.id.clone(),
    });
    Err(need.into())
}

/// Asks for a step-up where the policy was raised above what the session has proved: its level, or the kind of factor.
/// Nothing is spent or written; whatever stands before it in the table is said first.
pub(super) fn check_level(
    call: &Call,
    subject: &Subject,
    claims: &RefreshClaims,
    living: &Living,
) -> Result<(), Stop> {
    let required = living.policy.required_acr;
    let kind = living.policy.second_factor;
    let is_low = claims.session.acr < required;
    if !is_low && (required == Acr::Aal1 || kind.is_among(claims.session.amr)) {
        return Ok(());
    }
    if claims.session.family == living.record.family {
        proof::check_record(call, subject, &living.record, claims.confirmation.as_ref())?;
    }
    state::check(call, subject, &claims.session, living, claims.issued)?;
    if is_low {
        call.note(subject, "refresh.step_up_required", "ACR");
        return Err(Refusal::step_up_acr(required.name()).into());
    }
    call.note(subject, "refresh.step_up_required", "SECOND_FACTOR");
    Err(Refusal::step_up_factor(required.name(), kind.name()).into())
}

/// What the policy asks of the session's context and trust. A step-up that is asked for here refuses this request, and
/// nothing is spent or written; whatever stands before it in the table is said first.
pub(super) fn check_standing(
    call: &Call,
    request: &RefreshTokenRequest,
    subject: &Subject,
    granted: &Granted,
    client: &Client,
    living: &Living,
) -> Result<(), Stop> {
    let claims = &granted.claims;
    let standing = Standing::of(living);
    let context = request.client_context.as_ref();
    let context = standing.check_context(call, subject, &claims.session.session_id, context, true);
    let refused = context.and_then(|()| {
        let scopes = granted.scope.split_ascii_whitespace();
        Ok(standing.check_floors(call, client, scopes)?)
    });
    if refused.is_ok() {
        return Ok(());
    }
    if claims.session.family == living.record.family {
        proof::check_record(call, subject, &living.record, claims.confirmation.as_ref())?;
    }
    state::check(call, subject, &claims.session, living, claims.issued)?;
    refused.inspect_err(|stop| match stop {
        Stop::Refused(refusal) if refusal.reason == ErrorReason::TrustTooLow => {
            call.note(subject, "refresh.refused", "TRUST_TOO_LOW");
        }
        Stop::Refused(_) => call.note(subject, "refresh.step_up_required", "TRUST"),
        Stop::Flow(_) => {}
    })
}
