//! Reads tokens for Python flows (revocation, step-up): expired ones too, so that they can be revoked.

use argus_core::ids::SessionId;
use argus_core::token::{
    Audience, Claims, Expected, Expiry, FaultClass, RevokedKeys, TokenType, Verified, verify,
};

use crate::introspect::token_type;
use crate::proof;
use crate::proto::internal::TokenClaims;
use crate::snapshot::{ComputedIds, Snapshot};

/// Fault class of a refresh token whose computed id does not fit.
const REFRESH_ID: &str = "refresh_id";

/// The claims of a token whose signature, type, issuer and times are good; else the class of its fault.
pub(crate) fn read(
    snapshot: &Snapshot,
    token: &str,
    now: u32,
) -> Result<TokenClaims, &'static str> {
    let kind = token_type(token).map_err(FaultClass::name)?;
    let expected = Expected {
        expiry: Expiry::Ignore,
        revoked_keys: RevokedKeys::Refuse,
        ..match kind {
            TokenType::Access => Expected::access(Audience::Any, now),
            TokenType::Refresh => Expected::refresh(now),
        }
    };
    let Verified {
        tenant_id, claims, ..
    } = verify(token, &expected, snapshot).map_err(FaultClass::name)?;
    match kind {
        TokenType::Access => access(tenant_id, claims),
        TokenType::Refresh => refresh(snapshot, tenant_id, claims),
    }
}

fn access(tenant_id: String, claims: Claims) -> Result<TokenClaims, &'static str> {
    let claims = claims.into_access().map_err(FaultClass::name)?;
    let session = claims.session.as_ref();
    Ok(TokenClaims {
        typ: TokenType::Access.name().to_owned(),
        tenant_id,
        session_id: session
            .map(|session| session.session_id.to_string())
            .unwrap_or_default(),
        family: session.map(|session| session.family).unwrap_or_default(),
        generation: 0,
        sub: claims.subject,
        client_id: claims.client_id,
        issue_time: claims.issued.into(),
        expire_time: claims.expires.into(),
        scope: claims.scope,
        cnf: claims.confirmation.as_ref().map(proof::to_message),
    })
}

fn refresh(
    snapshot: &Snapshot,
    tenant_id: String,
    claims: Claims,
) -> Result<TokenClaims, &'static str> {
    let claims = claims.into_refresh().map_err(FaultClass::name)?;
    let session_id: &SessionId = &claims.session.session_id;
    let ids = snapshot
        .tenant(&tenant_id)
        .and_then(|tenant| tenant.computed_ids(claims.refresh_id_key));
    match ids {
        Some(ComputedIds::Good(ids))
            if ids.fits(
                &claims.token_id,
                session_id,
                claims.session.family,
                claims.generation,
            ) => {}
        _ => return Err(REFRESH_ID),
    }
    Ok(TokenClaims {
        typ: TokenType::Refresh.name().to_owned(),
        tenant_id,
        session_id: session_id.to_string(),
        family: claims.session.family,
        generation: claims.generation,
        sub: claims.subject,
        client_id: claims.client_id,
        issue_time: claims.issued.into(),
        expire_time: claims.expires.into(),
        scope: claims.scope,
        cnf: claims.confirmation.as_ref().map(proof::to_message),
    })
}
