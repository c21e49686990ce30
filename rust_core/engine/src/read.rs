//! Reads tokens for Python flows (revocation, step-up): expired ones too, so that they can be revoked.

use argus_core::ids::SessionId;
use argus_core::token::{
    Audience, Claims, Expected, Expiry, FaultClass, RevokedKeys, TokenType, Verified, verify,
};

use crate::caller::{Lack, Watched};
use crate::introspect::token_type;
use crate::proof;
use crate::proto::internal::TokenClaims;
use crate::ring::ComputedIds;
use crate::snapshot::Snapshot;

/// Fault class of a refresh token whose computed id does not fit.
const REFRESH_ID: &str = "refresh_id";
/// Fault class of a refresh token whose key of computed ids is unknown or was pulled.
const REFRESH_ID_KEY: &str = "refresh_id_key";

/// Why a refresh token was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// The class of its fault.
    Fault(&'static str),
    /// The class of its fault, unless the snapshot is behind.
    Unknown(&'static str),
    /// It names a key that can't be read here.
    Unread,
}

/// The claims of a token whose signature, type, issuer and times are good.
pub(crate) fn read(snapshot: &Snapshot, token: &str, now: u32) -> Result<TokenClaims, NotRead> {
    let kind = token_type(token)
        .map_err(FaultClass::name)
        .map_err(NotRead::Fault)?;
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
    } = verified(token, &expected, &Watched::new(snapshot, None))?;
    match kind {
        TokenType::Access => access(tenant_id, claims).map_err(NotRead::Fault),
        TokenType::Refresh => refresh(snapshot, tenant_id, claims),
    }
}

/// The claims of a refresh token of a tenant that stands for its session now, if only for a step-up: good in everything,
/// but that its signing key may have been pulled.
pub(crate) fn read_refresh(
    snapshot: &Snapshot,
    tenant_id: &str,
    token: &str,
    now: u32,
) -> Result<TokenClaims, NotRead> {
    let keys = Watched::new(snapshot, Some(tenant_id));
    let verified = verified(token, &Expected::refresh(now).of_tenant(tenant_id), &keys)?;
    let claims = refresh(snapshot, verified.tenant_id, verified.claims)?;
    Ok(TokenClaims {
        key_revoked: verified.is_key_revoked,
        ..claims
    })
}

fn verified(token: &str, expected: &Expected<'_>, keys: &Watched<'_>) -> Result<Verified, NotRead> {
    verify(token, expected, keys).map_err(|fault| match keys.lack() {
        None => NotRead::Fault(fault.name()),
        Some(Lack::Unknown) => NotRead::Unknown(fault.name()),
        Some(Lack::Unread) => NotRead::Unread,
    })
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
        key_revoked: false,
    })
}

fn refresh(snapshot: &Snapshot, tenant_id: String, claims: Claims) -> Result<TokenClaims, NotRead> {
    let claims = claims
        .into_refresh()
        .map_err(|fault| NotRead::Fault(fault.name()))?;
    let session_id: &SessionId = &claims.session.session_id;
    let number = claims.refresh_id_key;
    let ids = snapshot
        .tenant(&tenant_id)
        .and_then(|tenant| tenant.computed_ids(number));
    match ids {
        None => return Err(NotRead::Unknown(REFRESH_ID_KEY)),
        Some(ComputedIds::Unread) => return Err(NotRead::Unread),
        Some(ComputedIds::Revoked) => return Err(NotRead::Fault(REFRESH_ID_KEY)),
        Some(ComputedIds::Good(ids)) => {
            let family = claims.session.family;
            if !ids.fits(&claims.token_id, session_id, family, claims.generation) {
                return Err(NotRead::Fault(REFRESH_ID));
            }
        }
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
        key_revoked: false,
    })
}
