//! Reads tokens for Python flows (revocation, step-up): expired ones too, so that they can be revoked.

use argus_core::ids::SessionId;
use argus_core::token::{
    Audience, Claims, Expected, Expiry, FaultClass, RevokedKeys, TokenType, Verified, verify,
};

use crate::caller::Watched;
use crate::introspect::token_type;
use crate::proof;
use crate::proto::internal::TokenClaims;
use crate::snapshot::{ComputedIds, Snapshot};

/// Fault class of a refresh token whose computed id does not fit.
const REFRESH_ID: &str = "refresh_id";
/// Fault class of a refresh token whose key of computed ids is unknown or was pulled.
const REFRESH_ID_KEY: &str = "refresh_id_key";

/// Why a refresh token was not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// The class of its fault.
    Fault(&'static str),
    /// The snapshot does not know something of this name: it may be behind.
    Unknown(String),
}

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
        TokenType::Refresh => {
            refresh(snapshot, tenant_id, claims).map_err(|not_read| match not_read {
                NotRead::Fault(class) => class,
                NotRead::Unknown(_) => REFRESH_ID_KEY,
            })
        }
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
    let verified = verify(token, &Expected::refresh(now).of_tenant(tenant_id), &keys);
    let verified = verified.map_err(|fault| {
        let unknown = keys.unknown().map(|unknown| NotRead::Unknown(unknown.name));
        unknown.unwrap_or(NotRead::Fault(fault.name()))
    })?;
    let claims = refresh(snapshot, verified.tenant_id, verified.claims)?;
    Ok(TokenClaims {
        key_revoked: verified.is_key_revoked,
        ..claims
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
        None => {
            let name = format!("refresh_id/{tenant_id}/{number}");
            return Err(NotRead::Unknown(name));
        }
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
