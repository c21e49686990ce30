//! Says whether a presented token is good here and now.

use serde_json::Value;

use super::claims::{AccessClaims, RefreshClaims};
use super::compact::{Compact, Header, TokenType};
use super::fault::FaultClass;
use super::json;
use super::keys::VerifyingKey;
use super::known::KnownAccess;
pub use super::read::Claims;

/// How far ahead another process's clock may be, in seconds.
pub const LEEWAY: u32 = 5;

/// Longest life of an access token, in seconds: no policy allows a longer one.
pub const MAX_ACCESS_LIFE: u32 = 3600;

/// Longest life of a refresh token, in seconds: no policy lets a session last longer.
pub const MAX_REFRESH_LIFE: u32 = 90 * 86_400;

/// Where keys are found.
pub trait KeySource {
    /// The tenant of exactly this issuer.
    fn tenant_id(&self, issuer: &str) -> Option<&str>;

    /// The key of this name among the tenant's keys for this type of token.
    fn key(&self, tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>>;
}

/// A key that a [`KeySource`] found.
#[derive(Debug, Clone, Copy)]
pub struct FoundKey<'a> {
    /// The key.
    pub key: &'a VerifyingKey,
    /// It was pulled in an emergency: no token under it yields a token.
    pub is_revoked: bool,
}

/// What `aud` must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience<'a> {
    /// This resource.
    Resource(&'a str),
    /// The token's own issuer: Argus itself.
    Issuer,
    /// Anything: for telling about a token (introspection, revocation), never for letting somebody in.
    Any,
}

/// What to do with a token that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Refuse it.
    Refuse,
    /// Read it all the same: a token that is over can still be revoked.
    Ignore,
}

/// What to do with a good signature of a pulled key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedKeys {
    /// Refuse the token.
    Refuse,
    /// Say so in [`Verified::is_key_revoked`]: a refresh token whose computed id fits too leads to a step-up.
    Report,
}

/// What a token must be to be good here and now.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Type.
    pub token_type: TokenType,
    /// Audience.
    pub audience: Audience<'a>,
    /// Tenant; `None`: any tenant of the key source.
    pub tenant_id: Option<&'a str>,
    /// Now. Seconds since 1970.
    pub now: u32,
    /// How far ahead `nbf`, `iat` and `auth_time` may be. Never lengthens a life. Seconds.
    pub leeway: u32,
    /// Longest time from `iat` to `exp`, in seconds; `None`: any.
    pub max_lifetime: Option<u32>,
    /// Tokens that are over.
    pub expiry: Expiry,
    /// Pulled keys.
    pub revoked_keys: RevokedKeys,
}

impl<'a> Expected<'a> {
    /// An access token for an audience, good now.
    #[must_use]
    pub const fn access(audience: Audience<'a>, now: u32) -> Self {
        Self {
            token_type: TokenType::Access,
            audience,
            tenant_id: None,
            now,
            leeway: LEEWAY,
            max_lifetime: Some(MAX_ACCESS_LIFE),
            expiry: Expiry::Refuse,
            revoked_keys: RevokedKeys::Refuse,
        }
    }

    /// A refresh token, good now; one under a pulled key is reported. Its times are those of Redis, which decides on
    /// it: a process whose own clock is behind must not refuse it for being ahead.
    #[must_use]
    pub const fn refresh(now: u32) -> Self {
        Self {
            token_type: TokenType::Refresh,
            leeway: u32::MAX,
            // The end is by the clock of the process that made the session, `iat` by that of Redis.
            max_lifetime: Some(MAX_REFRESH_LIFE + LEEWAY),
            revoked_keys: RevokedKeys::Report,
            ..Self::access(Audience::Issuer, now)
        }
    }

    /// The same, of one tenant only.
    #[must_use]
    pub const fn of_tenant(self, tenant_id: &'a str) -> Self {
        Self {
            tenant_id: Some(tenant_id),
            ..self
        }
    }
}

/// A token whose signature and claims are good.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Tenant of its issuer.
    pub tenant_id: String,
    /// Name of its key.
    pub kid: String,
    /// Its key was pulled ([`RevokedKeys::Report`]); it must yield nothing but a step-up.
    pub is_key_revoked: bool,
    /// Its claims.
    pub claims: Claims,
}

/// Verifies a token. Its own words choose nothing but which tenant's keys are looked at.
///
/// # Errors
///
/// The [`FaultClass`] of the first fault: form, header, key, signature, claims, in this order.
pub fn verify(
    token: &str,
    expected: &Expected<'_>,
    keys: &impl KeySource,
) -> Result<Verified, FaultClass> {
    let compact = Compact::decode(token)?;
    let header = Header::read(&compact.header)?;
    if header.token_type != expected.token_type {
        return Err(FaultClass::Typ);
    }
    let payload = json::parse_object(&compact.payload).map_err(|_| FaultClass::Json)?;
    let issuer = payload
        .get("iss")
        .and_then(Value::as_str)
        .ok_or(FaultClass::Iss)?;
    let tenant_id = keys.tenant_id(issuer).ok_or(FaultClass::Iss)?;
    let found = keys
        .key(tenant_id, header.token_type, &header.kid)
        .ok_or(FaultClass::Key)?;
    if found.key.algorithm() != header.algorithm {
        return Err(FaultClass::Alg);
    }
    let signature = compact.signature(found.key.signature_len())?;
    found
        .key
        .verify(compact.signing_input, &signature)
        .map_err(|_| FaultClass::Signature)?;
    if found.is_revoked && expected.revoked_keys == RevokedKeys::Refuse {
        return Err(FaultClass::Key);
    }
    let claims = Claims::read(payload)?;
    check_place(&claims, expected, tenant_id)?;
    Times::of(&claims).check(expected)?;
    Ok(Verified {
        tenant_id: tenant_id.to_owned(),
        kid: header.kid,
        is_key_revoked: found.is_revoked,
        claims,
    })
}

/// Verifies an access token of Argus's own.
///
/// # Errors
///
/// As [`verify`]; `Claims` too where a claim of its kind is missing or malformed.
pub fn verify_access(
    token: &str,
    expected: &Expected<'_>,
    keys: &impl KeySource,
) -> Result<(String, AccessClaims), FaultClass> {
    let known = KnownAccess::verify(token, expected, keys)?;
    Ok((known.tenant_id, known.claims))
}

/// A verified refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRefresh {
    /// Tenant of its issuer.
    pub tenant_id: String,
    /// Its key was pulled: if its id fits too, it yields a step-up, else nothing.
    pub is_key_revoked: bool,
    /// Its claims. Whether `token_id` is the computed one is still to be checked.
    pub claims: RefreshClaims,
}

/// Verifies a refresh token of Argus's own.
///
/// # Errors
///
/// As [`verify`]; `Claims` too where a claim of its kind is missing or malformed.
pub fn verify_refresh(
    token: &str,
    expected: &Expected<'_>,
    keys: &impl KeySource,
) -> Result<VerifiedRefresh, FaultClass> {
    let verified = verify(token, expected, keys)?;
    Ok(VerifiedRefresh {
        tenant_id: verified.tenant_id,
        is_key_revoked: verified.is_key_revoked,
        claims: verified.claims.into_refresh()?,
    })
}

/// Whether the token is for this place: use, tenant, audience.
fn check_place(
    claims: &Claims,
    expected: &Expected<'_>,
    tenant_id: &str,
) -> Result<(), FaultClass> {
    let is_absent_or = |name, text: &str| claims.member(name).is_none_or(|value| value == text);
    if !is_absent_or("token_use", expected.token_type.token_use()) {
        return Err(FaultClass::Typ);
    }
    if !is_absent_or("tid", tenant_id) {
        return Err(FaultClass::Tenant);
    }
    check_reader(&claims.issuer, &claims.audience, expected, tenant_id)
}

/// Whether the token is for whoever reads it: tenant, audience.
pub(super) fn check_reader(
    issuer: &str,
    audience: &[String],
    expected: &Expected<'_>,
    tenant_id: &str,
) -> Result<(), FaultClass> {
    if expected.tenant_id.is_some_and(|id| id != tenant_id) {
        return Err(FaultClass::Tenant);
    }
    let is_audience = match expected.audience {
        Audience::Resource(resource) => audience.iter().any(|one| one == resource),
        Audience::Issuer => audience.iter().any(|one| one == issuer),
        Audience::Any => true,
    };
    is_audience.then_some(()).ok_or(FaultClass::Aud)
}

/// The times that a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// `exp`.
    pub(super) expires: u32,
    /// `nbf`.
    pub(super) not_before: Option<u32>,
    /// `iat`.
    pub(super) issued: u32,
    /// `auth_time`.
    pub(super) auth_time: Option<u32>,
}

impl Times {
    pub(super) fn of(claims: &Claims) -> Self {
        Self {
            expires: claims.expires,
            not_before: claims.not_before,
            issued: claims.issued,
            auth_time: claims.auth_time,
        }
    }

    /// Whether the token is good now. Leeway is for clocks that are ahead; it never lengthens a life.
    pub(super) fn check(self, expected: &Expected<'_>) -> Result<(), FaultClass> {
        let latest = expected.now.saturating_add(expected.leeway);
        if expected.expiry == Expiry::Refuse && expected.now >= self.expires {
            return Err(FaultClass::Exp);
        }
        if self
            .not_before
            .is_some_and(|not_before| not_before > latest)
        {
            return Err(FaultClass::Nbf);
        }
        if self.issued > latest {
            return Err(FaultClass::Iat);
        }
        let lifetime = self.expires.saturating_sub(self.issued);
        if expected
            .max_lifetime
            .is_some_and(|longest| lifetime > longest)
        {
            return Err(FaultClass::Lifetime);
        }
        if self.auth_time.is_some_and(|auth_time| auth_time > latest) {
            return Err(FaultClass::Claims);
        }
        Ok(())
    }
}
