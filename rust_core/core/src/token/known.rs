//! An access token that was verified once, for whoever meets it again.

use super::claims::AccessClaims;
use super::compact::TokenType;
use super::fault::FaultClass;
use super::verify::{Expected, KeySource, Times, check_reader, verify};

/// An access token that passed every check: its text can't change, so its form, its signature and its claims stay good.
/// Its key, its reader and the time are other ones each time: [`Self::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAccess {
    /// Tenant of its issuer.
    pub tenant_id: String,
    /// Its claims.
    pub claims: AccessClaims,
    kid: String,
    times: Times,
}

impl KnownAccess {
    /// Verifies an access token of Argus's own.
    ///
    /// # Errors
    ///
    /// As [`verify`]; `Claims` too where a claim of its kind is missing or malformed.
    pub fn verify(
        token: &str,
        expected: &Expected<'_>,
        keys: &impl KeySource,
    ) -> Result<Self, FaultClass> {
        let verified = verify(token, expected, keys)?;
        Ok(Self {
            times: Times::of(&verified.claims),
            tenant_id: verified.tenant_id,
            kid: verified.kid,
            claims: verified.claims.into_access()?,
        })
    }

    /// Whether the token is good here and now, too: its issuer is the same tenant, which still has the key and has not
    /// pulled it (a `kid` is the thumbprint of its key); reader; times.
    ///
    /// # Errors
    ///
    /// What [`Self::verify`] would say of its text.
    pub fn check(&self, expected: &Expected<'_>, keys: &impl KeySource) -> Result<(), FaultClass> {
        if expected.token_type != TokenType::Access {
            return Err(FaultClass::Typ);
        }
        let tenant_id = keys.tenant_id(&self.claims.issuer);
        if tenant_id.ok_or(FaultClass::Iss)? != self.tenant_id {
            return Err(FaultClass::Iss);
        }
        let found = keys.key(&self.tenant_id, TokenType::Access, &self.kid);
        if found.is_none_or(|found| found.is_revoked) {
            return Err(FaultClass::Key);
        }
        check_reader(
            &self.claims.issuer,
            &self.claims.audience,
            expected,
            &self.tenant_id,
        )?;
        self.times.check(expected)
    }

    /// First second at which it is not good any more. Seconds since 1970.
    #[must_use]
    pub const fn expires(&self) -> u32 {
        self.claims.expires
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let claims = &self.claims;
        let confirmation = claims.confirmation.as_ref();
        let texts = [
            &self.tenant_id,
            &self.kid,
            &claims.issuer,
            &claims.subject,
            &claims.token_id,
            &claims.client_id,
            &claims.scope,
        ];
        let lists = claims.audience.iter().chain(&claims.groups);
        size_of::<Self>()
            + texts.into_iter().map(String::len).sum::<usize>()
            + lists
                .map(|one| size_of::<String>() + one.len())
                .sum::<usize>()
            + confirmation.map_or(0, |bound| bound.thumbprint().len())
    }
}
