//! The keys of two tenants, and what they sign. All of it is public knowledge: never to be trusted.

use std::collections::HashMap;

use argus_core::ids::Keyspace;
use argus_core::token::{
    Audience, Expected, FaultClass, FoundKey, KeySource, RevokedKeys, SigningKey, TokenType,
    VerifyingKey, jwk, verify::LEEWAY, verify_access, verify_refresh,
};
use argus_samples::ed25519;
use serde_json::{Value, json};

pub(crate) use argus_samples::NOW;

/// Issuer of the tokens.
pub(crate) const ISSUER: &str = "https://argus.example/t/acme";
/// Issuer of the other tenant's.
pub(crate) const OTHER_ISSUER: &str = "https://argus.example/t/other";
/// What access tokens are for.
pub(crate) const API: &str = "https://api.example";
/// Tenant of the tokens.
pub(crate) const TENANT: &str = "acme";

/// Keys that sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Signer {
    /// Access tokens, RS256.
    Rsa,
    /// Access tokens, `EdDSA`.
    Access,
    /// Refresh tokens.
    Refresh,
    /// Pulled: of both rings.
    Pulled,
    /// Of the other tenant.
    Other,
    /// Nobody's.
    Attacker,
}

impl Signer {
    pub(crate) const ALL: [Self; 6] = [
        Self::Rsa,
        Self::Access,
        Self::Refresh,
        Self::Pulled,
        Self::Other,
        Self::Attacker,
    ];
}

/// Everything that tokens are made and judged with.
pub(crate) struct World {
    keys: HashMap<Signer, SigningKey>,
    verifying: HashMap<(&'static str, TokenType, String), (VerifyingKey, bool)>,
    /// Id of a session.
    pub(crate) session_id: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let rsa = SigningKey::from_pkcs8(include_bytes!("../data/rsa_2048.der")).unwrap();
        let seeded = (1_u8..).zip(&Signer::ALL[1..]);
        let keys: HashMap<Signer, SigningKey> = seeded
            .map(|(number, signer)| {
                let key = SigningKey::from_pkcs8(&ed25519(number)).unwrap();
                (*signer, key)
            })
            .chain([(Signer::Rsa, rsa)])
            .collect();
        let mut verifying = HashMap::new();
        for (tenant, token_type, signer) in [
            (TENANT, TokenType::Access, Signer::Rsa),
            (TENANT, TokenType::Access, Signer::Access),
            (TENANT, TokenType::Refresh, Signer::Refresh),
            (TENANT, TokenType::Access, Signer::Pulled),
            (TENANT, TokenType::Refresh, Signer::Pulled),
            ("other", TokenType::Access, Signer::Other),
            ("other", TokenType::Refresh, Signer::Other),
        ] {
            let key = jwk::verifying_key(&keys[&signer].public_jwk()).unwrap();
            let name = (tenant, token_type, keys[&signer].kid().to_owned());
            verifying.insert(name, (key, signer == Signer::Pulled));
        }
        let keyspace = Keyspace::new(&[1; 32]).unwrap();
        let session_id = keyspace.session_id(TENANT, "u-1", [2; 16]).to_string();
        Self {
            keys,
            verifying,
            session_id,
        }
    }

    pub(crate) fn key(&self, signer: Signer) -> &SigningKey {
        &self.keys[&signer]
    }

    /// The keys that good tokens of a type are signed with.
    pub(crate) fn ring(&self, token_type: TokenType) -> Vec<&SigningKey> {
        let signers: &[Signer] = match token_type {
            TokenType::Access => &[Signer::Rsa, Signer::Access],
            TokenType::Refresh => &[Signer::Refresh],
        };
        signers.iter().map(|signer| self.key(*signer)).collect()
    }

    /// What Argus makes of a token: the claims as it read them, or the class of the fault.
    pub(crate) fn judge(&self, token_type: TokenType, token: &str) -> Result<Value, FaultClass> {
        match token_type {
            TokenType::Access => {
                let expected = Expected::access(Audience::Resource(API), NOW).of_tenant(TENANT);
                let (_, claims) = verify_access(token, &expected, self)?;
                Ok(serde_json::to_value(claims).unwrap())
            }
            TokenType::Refresh => {
                // Elsewhere its times are Redis's business, and a pulled key leads to a step-up.
                let expected = Expected {
                    leeway: LEEWAY,
                    revoked_keys: RevokedKeys::Refuse,
                    ..Expected::refresh(NOW).of_tenant(TENANT)
                };
                let verified = verify_refresh(token, &expected, self)?;
                Ok(serde_json::to_value(verified.claims).unwrap())
            }
        }
    }

    /// For whoever else judges the tokens.
    pub(crate) fn describe(&self) -> Value {
        let jwks = |token_type| -> Vec<Value> {
            let keys = self.ring(token_type).into_iter();
            keys.map(|key| serde_json::from_str(&key.public_jwk()).unwrap())
                .collect()
        };
        json!({
            "now": NOW, "issuer": ISSUER, "audience": API, "tenant": TENANT,
            "access": jwks(TokenType::Access), "refresh": jwks(TokenType::Refresh),
        })
    }
}

impl KeySource for World {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        match issuer {
            ISSUER => Some(TENANT),
            OTHER_ISSUER => Some("other"),
            _ => None,
        }
    }

    fn key(&self, tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        let tenant = if tenant_id == TENANT { TENANT } else { "other" };
        let (key, is_revoked) = self.verifying.get(&(tenant, token_type, kid.to_owned()))?;
        Some(FoundKey {
            key,
            is_revoked: *is_revoked,
        })
    }
}
