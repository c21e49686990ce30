//! `IntrospectToken` (RFC 7662): tells about a token, and never counts as a use of it.

use argus_core::token::compact::{Compact, Header};
use argus_core::token::{
    AccessClaims, Audience, Expected, FaultClass, RefreshClaims, SessionClaims, TokenType,
    verify_access, verify_refresh,
};
use prost_types::Timestamp;

use crate::call::{Call, Subject};
use crate::caller::Watched;
use crate::check::{Told, check_client, look, session_keys};
use crate::limits;
use crate::proof;
use crate::proto::v1::{ErrorReason, IntrospectTokenRequest, IntrospectTokenResponse};
use crate::refresh;
use crate::status::Stop;
use crate::verify::{session_name, timestamp};

/// Answers one request: whatever is not good is not active; only what can't be known is an error.
pub(crate) async fn introspect(
    call: &Call,
    request: &IntrospectTokenRequest,
) -> Result<IntrospectTokenResponse, Stop> {
    limits::token("token", &request.token)?;
    let told = match token_type(&request.token) {
        Ok(TokenType::Access) => access(call, &request.token).await,
        Ok(TokenType::Refresh) => refresh_token(call, &request.token).await,
        Err(fault) => Err(call.refuse_token(fault.name(), &Subject::default())),
    };
    match told {
        Err(Stop::Refused(refusal)) if refusal.reason != ErrorReason::Unavailable => {
            Ok(IntrospectTokenResponse::default())
        }
        other => other,
    }
}

/// Type that a token says it is of.
pub(crate) fn token_type(token: &str) -> Result<TokenType, FaultClass> {
    Ok(Header::read(&Compact::decode(token)?.header)?.token_type)
}

async fn access(call: &Call, token: &str) -> Result<IntrospectTokenResponse, Stop> {
    let tenant_id = &call.tenant().id;
    let keys = Watched::new(&call.snapshot, Some(tenant_id));
    let expected = Expected::access(Audience::Any, call.now).of_tenant(tenant_id);
    let claims = verify_access(token, &expected, &keys);
    let (_, claims) =
        claims.map_err(|fault| call.fault(fault, keys.lack(), &Subject::default()))?;
    let subject = Subject {
        user_id: claims
            .session
            .as_ref()
            .map(|_| claims.subject.clone())
            .unwrap_or_default(),
        client_id: claims.client_id.clone(),
        ..Subject::default()
    };
    if let Some(told) = Told::access(&claims) {
        check(call, subject, &told, 0).await?;
    } else {
        let client = call.client(&subject)?;
        check_client(call, &subject, &claims, &client).await?;
    }
    Ok(of_access(call, claims))
}

async fn refresh_token(call: &Call, token: &str) -> Result<IntrospectTokenResponse, Stop> {
    let tenant_id = &call.tenant().id;
    let keys = Watched::new(&call.snapshot, Some(tenant_id));
    let verified = verify_refresh(
        token,
        &Expected::refresh(call.now).of_tenant(tenant_id),
        &keys,
    );
    let verified = verified.map_err(|fault| call.fault(fault, keys.lack(), &Subject::default()))?;
    let claims = verified.claims;
    let subject = Subject {
        user_id: claims.subject.clone(),
        client_id: claims.client_id.clone(),
        ..Subject::default()
    };
    refresh::check_id(call, &subject, &claims)?;
    if verified.is_key_revoked {
        return Ok(IntrospectTokenResponse::default());
    }
    check(call, subject, &Told::refresh(&claims), claims.generation).await?;
    Ok(of_refresh(call, claims))
}

/// The session's state; a refresh token that was replaced is not active any more.
async fn check(
    call: &Call,
    subject: Subject,
    told: &Told<'_>,
    generation: u32,
) -> Result<(), Stop> {
    let subject = Subject {
        session_id: told.session.session_id.to_string(),
        ..subject
    };
    let client = call.client(&subject)?;
    let keys = session_keys(call, &told.session.session_id, &subject)?;
    let living = look(call, &subject, told, &client, &keys).await?;
    if generation != 0 && generation < living.record.generation {
        return Err(call.refuse_token("replaced", &subject));
    }
    Ok(())
}

fn of_access(call: &Call, claims: AccessClaims) -> IntrospectTokenResponse {
    let base = claims
        .session
        .as_ref()
        .map(|session| of_session(call, &claims.subject, session));
    IntrospectTokenResponse {
        active: true,
        scope: claims.scope,
        client_id: claims.client_id,
        token_type: TokenType::Access.name().to_owned(),
        expire_time: time(claims.expires),
        issue_time: time(claims.issued),
        sub: claims.subject,
        aud: claims.audience,
        iss: claims.issuer,
        jti: claims.token_id,
        cnf: claims.confirmation.as_ref().map(proof::to_message),
        ..base.unwrap_or_default()
    }
}

fn of_refresh(call: &Call, claims: RefreshClaims) -> IntrospectTokenResponse {
    let base = of_session(call, &claims.subject, &claims.session);
    IntrospectTokenResponse {
        active: true,
        scope: claims.scope,
        client_id: claims.client_id,
        token_type: TokenType::Refresh.name().to_owned(),
        expire_time: time(claims.expires),
        issue_time: time(claims.issued),
        sub: claims.subject,
        aud: vec![claims.issuer.clone()],
        iss: claims.issuer,
        jti: claims.token_id,
        cnf: claims.confirmation.as_ref().map(proof::to_message),
        ..base
    }
}

fn of_session(call: &Call, user_id: &str, session: &SessionClaims) -> IntrospectTokenResponse {
    IntrospectTokenResponse {
        session: session_name(call, user_id, session),
        acr: session.acr.name().to_owned(),
        amr: session.amr.names().map(str::to_owned).collect(),
        auth_time: time(session.auth_time),
        ..IntrospectTokenResponse::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as the message's fields are")]
fn time(seconds: u32) -> Option<Timestamp> {
    Some(timestamp(seconds))
}
