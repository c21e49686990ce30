//! Keys that sign and verify tokens. Each is bound to one algorithm; none is symmetric.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};

use super::der;
use super::jwk::PublicMembers;

const ED25519_SIGNATURE_LEN: usize = 64;

/// Signature algorithm (RFC 7518, RFC 8037). There is no other, and above all no HMAC and no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 and SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of a header's `alg`, exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Rs256, Self::EdDsa]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The header's `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// It cannot be read, or its members don't fit together.
    #[error("the key is malformed")]
    Malformed,
    /// It is of another kind or for another use.
    #[error("the key is not an RSA or Ed25519 key for signatures")]
    Unsupported,
    /// RSA with another size than allowed.
    #[error("the RSA key's size is not allowed")]
    Size,
    /// RSA with another exponent than allowed.
    #[error("the RSA key's exponent is not allowed")]
    Exponent,
}

/// The system could not make a key or a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct CryptoFailed;

/// The signature is not the key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not good")]
pub struct SignatureInvalid;

/// Size of an RSA key that Argus makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RsaSize {
    /// 2048 bits, the default.
    Bits2048,
    /// 3072 bits, as compliance presets want.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl RsaSize {
    /// Every size, smallest first.
    pub const ALL: [Self; 3] = [Self::Bits2048, Self::Bits3072, Self::Bits4096];

    /// The size of some bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            2048 => Some(Self::Bits2048),
            3072 => Some(Self::Bits3072),
            4096 => Some(Self::Bits4096),
            _ => None,
        }
    }

    /// Bytes of the modulus.
    #[must_use]
    pub const fn modulus_len(self) -> usize {
        match self {
            Self::Bits2048 => 256,
            Self::Bits3072 => 384,
            Self::Bits4096 => 512,
        }
    }
}

/// A public key, parsed once.
pub struct VerifyingKey {
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
    signature_len: usize,
    members: PublicMembers,
}

impl VerifyingKey {
    /// An RSA key of big-endian numbers without leading zeros: 2048 to 8192 bits, exponent odd and at least 3.
    ///
    /// # Errors
    ///
    /// [`KeyRefused`].
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyRefused> {
        check_rsa(modulus, exponent, 8192)?;
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        Ok(Self {
            algorithm: Algorithm::Rs256,
            parsed: components
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .map_err(|_| KeyRefused::Malformed)?,
            signature_len: modulus.len(),
            members: PublicMembers::rsa(modulus, exponent),
        })
    }

    /// An Ed25519 key of 32 bytes.
    ///
    /// # Errors
    ///
    /// [`KeyRefused`].
    pub fn ed25519(public_key: &[u8]) -> Result<Self, KeyRefused> {
        Ok(Self {
            algorithm: Algorithm::EdDsa,
            parsed: ParsedPublicKey::new(&ED25519, public_key)
                .map_err(|_| KeyRefused::Malformed)?,
            signature_len: ED25519_SIGNATURE_LEN,
            members: PublicMembers::ed25519(public_key),
        })
    }

    /// The one algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Bytes of each of its signatures.
    #[must_use]
    pub const fn signature_len(&self) -> usize {
        self.signature_len
    }

    /// The public members of its JWK.
    #[must_use]
    pub const fn members(&self) -> &PublicMembers {
        &self.members
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

/// Whether an RSA key has at least 2048 and at most so many bits, and an exponent that is odd and at least 3.
pub(super) fn check_rsa(
    modulus: &[u8],
    exponent: &[u8],
    most_bits: usize,
) -> Result<(), KeyRefused> {
    let unset = modulus
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    if !(2048..=most_bits).contains(&(modulus.len() * 8).saturating_sub(unset)) {
        return Err(KeyRefused::Size);
    }
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || exponent == [1] || exponent.len() > 4 {
        return Err(KeyRefused::Exponent);
    }
    Ok(())
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({})", self.algorithm.name())
    }
}

enum KeyPair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key, parsed once, and its name.
pub struct SigningKey {
    pair: KeyPair,
    public: VerifyingKey,
    kid: String,
}

impl SigningKey {
    /// Reads a key of unencrypted PKCS #8 DER: Ed25519, or RSA of 2048, 3072 or 4096 bits with the exponent 65537. The
    /// kind of the key decides the algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyRefused`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyRefused> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            let public = VerifyingKey::ed25519(pair.public_key().as_ref())?;
            return Ok(Self::new(KeyPair::Ed25519(pair), public));
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyRefused::Malformed)?;
        let (modulus, exponent) =
            der::rsa_numbers(pair.public_key().as_ref()).ok_or(KeyRefused::Malformed)?;
        if !RsaSize::ALL
            .iter()
            .any(|size| size.modulus_len() == modulus.len())
            || modulus[0] < 0x80
        {
            return Err(KeyRefused::Size);
        }
        if exponent != [1, 0, 1] {
            return Err(KeyRefused::Exponent);
        }
        let public = VerifyingKey::rsa(modulus, exponent)?;
        Ok(Self::new(KeyPair::Rsa(pair), public))
    }

    fn new(pair: KeyPair, public: VerifyingKey) -> Self {
        let kid = public.members.thumbprint();
        Self { pair, public, kid }
    }

    /// Its public half.
    #[must_use]
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The one algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// Its name: the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public JWK as JSON, with `kty use alg kid` and the public members.
    #[must_use]
    pub fn public_jwk(&self) -> String {
        self.public.members.jwk(self.algorithm(), &self.kid)
    }

    /// Signs; no signature leaves that has not been checked, because one gone wrong would tell the private key. Of RSA
    /// AWS-LC checks it itself (`rsa_default_private_transform` raises it to the public exponent), of Ed25519 this does.
    ///
    /// # Errors
    ///
    /// [`CryptoFailed`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoFailed> {
        let signature = match &self.pair {
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(|_| CryptoFailed)?;
                signature
            }
            KeyPair::Ed25519(pair) => {
                let signed = pair.try_sign(message).map_err(|_| CryptoFailed)?;
                let checked = self.public.verify(message, signed.as_ref());
                checked.map_err(|_| CryptoFailed)?;
                signed.as_ref().to_vec()
            }
        };
        Ok(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.kid)
    }
}

/// Makes an RSA key with the exponent 65537, as PKCS #8 DER.
///
/// # Errors
///
/// [`CryptoFailed`].
pub fn generate_rsa(size: RsaSize) -> Result<Vec<u8>, CryptoFailed> {
    let size = match size {
        RsaSize::Bits2048 => rsa::KeySize::Rsa2048,
        RsaSize::Bits3072 => rsa::KeySize::Rsa3072,
        RsaSize::Bits4096 => rsa::KeySize::Rsa4096,
    };
    let pair = RsaKeyPair::generate(size).map_err(|_| CryptoFailed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| CryptoFailed)?;
    Ok(der.as_ref().to_vec())
}

/// Makes an Ed25519 key, as PKCS #8 DER (version 1, which every tool reads).
///
/// # Errors
///
/// [`CryptoFailed`].
pub fn generate_ed25519() -> Result<Vec<u8>, CryptoFailed> {
    let document =
        Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(|_| CryptoFailed)?;
    Ok(document.as_ref().to_vec())
}
