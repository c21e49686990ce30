//! Why a token is refused.

/// Class of a token's fault. It goes into the audit event only; the caller of an RPC is told one generic reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.name())]
pub enum FaultClass {
    /// Longer than a token may be.
    Size,
    /// Not exactly three parts.
    Structure,
    /// A part is not canonical base64url.
    Base64,
    /// Header or payload is not strict JSON with an object at the top.
    Json,
    /// The algorithm is missing, unknown, or not the key's.
    Alg,
    /// `kid` is missing, malformed or unknown, the key is pulled, or the header brings a key of its own. Of a proof: the
    /// key in its header is missing, malformed, weak, of another kind, or not the public half alone.
    Key,
    /// The header demands an extension.
    Crit,
    /// The type, or `token_use`, is not the one for this place.
    Typ,
    /// The signature is not the key's.
    Signature,
    /// The issuer is missing or not one of ours.
    Iss,
    /// The audience is missing, malformed or lacks the expected one.
    Aud,
    /// The expiry is missing, malformed or reached.
    Exp,
    /// `nbf` is malformed or in the future.
    Nbf,
    /// `iat` is malformed or in the future.
    Iat,
    /// The time from `iat` to `exp` is longer than allowed.
    Lifetime,
    /// The token names another tenant.
    Tenant,
    /// Another claim is missing or malformed, or the content is no set of claims at all (nested, compressed).
    Claims,
    /// `htm` of a proof is missing, or is not the request's method.
    Htm,
    /// `htu` of a proof is missing, malformed, or is not the request's URI.
    Htu,
    /// `ath` of a proof is missing, or is not the access token's.
    Ath,
}

impl FaultClass {
    /// Every class.
    pub const ALL: [Self; 20] = [
        Self::Size,
        Self::Structure,
        Self::Base64,
        Self::Json,
        Self::Alg,
        Self::Key,
        Self::Crit,
        Self::Typ,
        Self::Signature,
        Self::Iss,
        Self::Aud,
        Self::Exp,
        Self::Nbf,
        Self::Iat,
        Self::Lifetime,
        Self::Tenant,
        Self::Claims,
        Self::Htm,
        Self::Htu,
        Self::Ath,
    ];

    /// Stable name, as audit events carry it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Structure => "structure",
            Self::Base64 => "base64",
            Self::Json => "json",
            Self::Alg => "alg",
            Self::Key => "key",
            Self::Crit => "crit",
            Self::Typ => "typ",
            Self::Signature => "signature",
            Self::Iss => "iss",
            Self::Aud => "aud",
            Self::Exp => "exp",
            Self::Nbf => "nbf",
            Self::Iat => "iat",
            Self::Lifetime => "lifetime",
            Self::Tenant => "tenant",
            Self::Claims => "claims",
            Self::Htm => "htm",
            Self::Htu => "htu",
            Self::Ath => "ath",
        }
    }
}
