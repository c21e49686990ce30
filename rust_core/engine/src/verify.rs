//! `VerifyAccessToken`: OK means yes.

use std::sync::Arc;

use argus_core::token::{AccessClaims, Acr, Audience, Expected, KnownAccess, SessionClaims};
use prost::Message as _;
use prost_types::{ListValue, Struct, Timestamp, Value, value::Kind};

use crate::call::{Call, Subject};
use crate::caller::Watched;
use crate::check::{Checked, Told, check_client, check_session};
use crate::limits;
use crate::proof::{self, Attempt, Shown};
use crate::proto::v1::{
    Activity, Consistency, VerifyAccessTokenRequest, VerifyAccessTokenResponse,
};
use crate::snapshot::Client;
use crate::status::{Refusal, Stop};

/// Answers one request.
pub(crate) async fn verify(
    call: &Call,
    request: &VerifyAccessTokenRequest,
) -> Result<VerifyAccessTokenResponse, Stop> {
    let (activity, consistency) = check_limits(call, request)?;
    let known = read_token(call, request)?;
    let claims = &known.claims;
    let subject = subject(call, request, claims);
    let client = call.client(&subject)?;
    let shown = check_proof(call, request, &subject, claims)?;
    let state = async |consistency| match Told::access(claims) {
        Some(told) => check_session(call, &subject, &told, &client, activity, consistency).await,
        None => check_client(call, &subject, claims, &client).await,
    };
    let mut checked = state(consistency).await?;
    check_gates(call, request, claims)?;
    check_standing(call, request, &subject, claims, &client, &checked)?;
    // Last: nothing that comes after it could fail and leave a used proof without an answer.
    let attempt = || attempt(call, request);
    proof::spend_or_refuse(call, &subject, shown.as_ref(), attempt).await?;
    if !checked.still_counts(call) {
        // The process was stopped, or waited for long: what it knew has become old.
        checked = state(Consistency::Strong).await?;
    }
    Ok(response(call, claims, &checked))
}

fn check_limits(
    call: &Call,
    request: &VerifyAccessTokenRequest,
) -> Result<(Activity, Consistency), Refusal> {
    limits::token("access_token", &request.access_token)?;
    limits::text("resource", &request.resource)?;
    limits::texts("required_scopes", &request.required_scopes)?;
    limits::texts("acr_values", &request.acr_values)?;
    if request
        .max_age
        .is_some_and(|age| age.seconds < 0 || age.nanos < 0)
    {
        return Err(Refusal::field("max_age", "must not be negative"));
    }
    limits::attempt(&request.attempt_id)?;
    limits::context(call.context(request.client_context.as_ref()))?;
    let consistency = limits::known("consistency", request.consistency)?;
    Ok((limits::known("activity", request.activity)?, consistency))
}

/// What a used proof may be used for again: the same verification by the word of the caller, else only this very call.
/// Not the same request to the byte, which is what a thief would send.
fn attempt(call: &Call, request: &VerifyAccessTokenRequest) -> Attempt {
    let id = &request.attempt_id;
    let of = if id.is_empty() {
        [&b"call"[..], call.id.as_bytes()]
    } else {
        [&b"attempt"[..], id.as_bytes()]
    };
    proof::attempt(&[b"verify", of[0], of[1], &request.encode_to_vec()])
}

/// The proof of a bound token's key. A DPoP proof proves nothing about a token that is not bound (RFC 9449, section
/// 4.3, number 12); a certificate is there whatever the token.
fn check_proof(
    call: &Call,
    request: &VerifyAccessTokenRequest,
    subject: &Subject,
    claims: &AccessClaims,
) -> Result<Option<Shown>, Stop> {
    let token = Some(request.access_token.as_str());
    let shown = proof::shown(call, subject, request.proof.as_ref(), token)?;
    let bound_to = claims.confirmation.as_ref();
    proof::check_key(call, subject, bound_to, shown.as_ref())?;
    match &shown {
        Some(shown) if bound_to.is_none() && shown.is_dpop() => {
            let binding = proof::binding(&shown.confirmation);
            Err(proof::refuse(call, subject, binding, proof::class::UNBOUND))
        }
        _ => Ok(shown),
    }
}

/// Signature, type, issuer, times, audience.
fn read_token(call: &Call, request: &VerifyAccessTokenRequest) -> Result<Arc<KnownAccess>, Stop> {
    let own = &call.caller.client.resource;
    let resource = if request.resource.is_empty() {
        own
    } else {
        &request.resource
    };
    if resource.is_empty() {
        return Err(Refusal::field(
            "resource",
            "is missing, and the calling client has no registered one",
        )
        .into());
    }
    let tenant_id = &call.tenant().id;
    let expected = Expected::access(Audience::Resource(resource), call.now).of_tenant(tenant_id);
    let keys = Watched::new(&call.snapshot, Some(tenant_id));
    let signatures = &call.shared.signatures;
    let known = signatures.verify(&request.access_token, &expected, &keys);
    known.map_err(|fault| {
        let unread = Subject {
            ip_address: ip_address(call, request),
            ..Subject::default()
        };
        call.fault(fault, keys.lack(), &unread)
    })
}

fn subject(call: &Call, request: &VerifyAccessTokenRequest, claims: &AccessClaims) -> Subject {
    let session = claims.session.as_ref();
    Subject {
        user_id: session.map(|_| claims.subject.clone()).unwrap_or_default(),
        session_id: session
            .map(|session| session.session_id.to_string())
            .unwrap_or_default(),
        client_id: claims.client_id.clone(),
        ip_address: ip_address(call, request),
    }
}

fn ip_address(call: &Call, request: &VerifyAccessTokenRequest) -> String {
    let context = call.context(request.client_context.as_ref());
    context
        .map(|context| context.ip_address.clone())
        .unwrap_or_default()
}

/// What the caller asks of a token that is good: level, age of the proof, scopes.
fn check_gates(
    call: &Call,
    request: &VerifyAccessTokenRequest,
    claims: &AccessClaims,
) -> Result<(), Refusal> {
    let level = claims.session.as_ref().map(|session| session.acr);
    if !request.acr_values.is_empty()
        && !level.is_some_and(|level| suffices(level, &request.acr_values))
    {
        return Err(Refusal::step_up_acr(&request.acr_values.join(" ")));
    }
    if let Some(max_age) = &request.max_age {
        let proved = claims.session.as_ref().map(|session| session.auth_time);
        let age = proved.map(|proved| i64::from(call.now.saturating_sub(proved)));
        if age.is_none_or(|age| age > max_age.seconds) {
            return Err(Refusal::step_up_age(max_age.seconds));
        }
    }
    let held: Vec<&str> = claims.scope.split(' ').collect();
    if !request
        .required_scopes
        .iter()
        .all(|scope| held.contains(&scope.as_str()))
    {
        return Err(Refusal::token_scope_missing(
            &request.required_scopes.join(" "),
        ));
    }
    Ok(())
}

/// What the policy asks of the session's context and trust.
fn check_standing(
    call: &Call,
    request: &VerifyAccessTokenRequest,
    subject: &Subject,
    claims: &AccessClaims,
    client: &Client,
    checked: &Checked,
) -> Result<(), Stop> {
    let (Some(standing), Some(session)) = (&checked.standing, &claims.session) else {
        return Ok(());
    };
    let context = request.client_context.as_ref();
    standing.check_context(call, subject, &session.session_id, context, false)?;
    let scopes = request.required_scopes.iter().map(String::as_str);
    Ok(standing.check_floors(call, client, scopes)?)
}

/// A level is acceptable where it, or a lower one, is asked for.
fn suffices(level: Acr, acr_values: &[String]) -> bool {
    acr_values
        .iter()
        .filter_map(|value| Acr::from_name(value))
        .any(|asked| asked <= level)
}

fn response(call: &Call, claims: &AccessClaims, checked: &Checked) -> VerifyAccessTokenResponse {
    let session = claims.session.as_ref();
    VerifyAccessTokenResponse {
        session: session
            .map(|session| session_name(call, &claims.subject, session))
            .unwrap_or_default(),
        acr: session
            .map(|session| session.acr.name().to_owned())
            .unwrap_or_default(),
        amr: session
            .map(|session| session.amr.names().map(str::to_owned).collect())
            .unwrap_or_default(),
        auth_time: session.map(|session| timestamp(session.auth_time)),
        expire_time: Some(timestamp(claims.expires)),
        state_time: Some(timestamp_ms(checked.state_time_ms)),
        trust_score: checked.standing.and_then(|standing| standing.score()),
        claims: further(&claims.groups),
        cnf: claims.confirmation.as_ref().map(proof::to_message),
        scopes: claims
            .scope
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
        iss: claims.issuer.clone(),
        sub: claims.subject.clone(),
        client_id: claims.client_id.clone(),
        jti: claims.token_id.clone(),
        aud: claims.audience.clone(),
    }
}

/// Resource name of a session.
pub(crate) fn session_name(call: &Call, user_id: &str, session: &SessionClaims) -> String {
    format!(
        "tenants/{}/users/{user_id}/sessions/{}",
        call.tenant().id,
        session.session_id
    )
}

/// Claims that have no field of their own.
fn further(groups: &[String]) -> Option<Struct> {
    if groups.is_empty() {
        return None;
    }
    let values = groups
        .iter()
        .map(|group| Value {
            kind: Some(Kind::StringValue(group.clone())),
        })
        .collect();
    let list = Value {
        kind: Some(Kind::ListValue(ListValue { values })),
    };
    Some(Struct {
        fields: [("groups".to_owned(), list)].into(),
    })
}

/// Seconds since 1970 as a timestamp.
pub(crate) fn timestamp(seconds: u32) -> Timestamp {
    Timestamp {
        seconds: i64::from(seconds),
        nanos: 0,
    }
}

fn timestamp_ms(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos,
    }
}
