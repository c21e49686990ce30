//! The public key that a proof brings along: it proves only that the sender holds its private half.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use serde_json::Value;

use super::compact::text;
use super::json::Object;
use super::jwk::{PublicMembers, bytes, is_for_verifying};
use super::keys::{KeyRefused, SignatureInvalid, check_rsa};

/// Most bits of an RSA key: anybody can bring one, and checking it is the caller's time.
const MAX_RSA_BITS: usize = 4096;

const COORDINATE_LEN: usize = 32;
const UNCOMPRESSED_POINT: u8 = 4;
const FIXED_SIGNATURE_LEN: usize = 64;

/// Members of a private or symmetric key (RFC 7518, section 6). Who shows one has given the key away.
pub(super) const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Signature algorithm of a proof (RFC 7518, RFC 8037): none of them symmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA with PKCS #1 v1.5 and SHA-256.
    Rs256,
    /// RSA with PSS and SHA-256.
    Ps256,
}

impl ProofAlgorithm {
    /// The algorithm of a header's `alg`, exactly. Ed25519 has two names (RFC 8037 and RFC 9864).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            _ => None,
        }
    }
}

/// A public key of a proof and the one algorithm that it is used with.
pub struct ProofKey {
    parsed: ParsedPublicKey,
    signature_len: usize,
    members: PublicMembers,
}

impl ProofKey {
    /// Reads the public JWK of a proof's header.
    ///
    /// # Errors
    ///
    /// [`KeyRefused`] for a key of another kind than the algorithm's, one that is not exactly public, one that says it
    /// is for something else, a point that is not on the curve, or RSA that is not of 2048 to 4096 bits.
    pub fn read(jwk: &Object, algorithm: ProofAlgorithm) -> Result<Self, KeyRefused> {
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(KeyRefused::Malformed);
        }
        let is_its_algorithm = |value: &Value| {
            let named = value.as_str().and_then(ProofAlgorithm::from_name);
            named == Some(algorithm)
        };
        if !is_for_verifying(jwk) || !jwk.get("alg").is_none_or(is_its_algorithm) {
            return Err(KeyRefused::Unsupported);
        }
        match (algorithm, text(jwk, "kty"), text(jwk, "crv")) {
            (ProofAlgorithm::Es256, Some("EC"), Some("P-256")) => {
                Self::p256(&bytes(jwk, "x")?, &bytes(jwk, "y")?)
            }
            (ProofAlgorithm::EdDsa, Some("OKP"), Some("Ed25519")) => {
                Self::ed25519(&bytes(jwk, "x")?)
            }
            (ProofAlgorithm::Rs256 | ProofAlgorithm::Ps256, Some("RSA"), None) => {
                Self::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?, algorithm)
            }
            _ => Err(KeyRefused::Unsupported),
        }
    }

    fn p256(x: &[u8], y: &[u8]) -> Result<Self, KeyRefused> {
        if x.len() != COORDINATE_LEN || y.len() != COORDINATE_LEN {
            return Err(KeyRefused::Malformed);
        }
        let point = [&[UNCOMPRESSED_POINT][..], x, y].concat();
        Ok(Self {
            parsed: ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .map_err(|_| KeyRefused::Malformed)?,
            signature_len: FIXED_SIGNATURE_LEN,
            members: PublicMembers::p256(x, y),
        })
    }

    fn ed25519(public_key: &[u8]) -> Result<Self, KeyRefused> {
        Ok(Self {
            parsed: ParsedPublicKey::new(&ED25519, public_key)
                .map_err(|_| KeyRefused::Malformed)?,
            signature_len: FIXED_SIGNATURE_LEN,
            members: PublicMembers::ed25519(public_key),
        })
    }

    fn rsa(modulus: &[u8], exponent: &[u8], algorithm: ProofAlgorithm) -> Result<Self, KeyRefused> {
        check_rsa(modulus, exponent, MAX_RSA_BITS)?;
        let padding = match algorithm {
            ProofAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        };
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        Ok(Self {
            // Refuses leading zeros, too (RFC 7518, section 6.3.1): one key has one thumbprint.
            parsed: components
                .to_parsed_public_key(padding)
                .map_err(|_| KeyRefused::Malformed)?,
            signature_len: modulus.len(),
            members: PublicMembers::rsa(modulus, exponent),
        })
    }

    /// Bytes of each of its signatures.
    #[must_use]
    pub const fn signature_len(&self) -> usize {
        self.signature_len
    }

    /// RFC 7638 thumbprint with SHA-256: the `jkt` of tokens that are bound to the key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.members.thumbprint()
    }

    /// Checks a signature.
    ///
    /// # Errors
    ///
    /// [`SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        self.parsed
            .verify_sig(message, signature)
            .map_err(|_| SignatureInvalid)
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProofKey({})", self.thumbprint())
    }
}
