//! DPoP proofs (RFC 9449, section 4.3): the sender of an HTTP request holds the key that the proof brings along.
//!
//! A proof is checked here in itself. Two things are left to whoever asks: that it was not used before, and that its key
//! is the one a token is bound to. Nonces are not asked for (docs/adr/0012); one in a proof is not looked at.

use aws_lc_rs::digest;
use serde_json::Value;

use super::base64url;
use super::claims::Confirmation;
use super::compact::{Compact, bare_type, check_extensions, text};
use super::fault::FaultClass;
use super::http_uri::HttpUri;
use super::json::{self, Object};
use super::proof_key::{ProofAlgorithm, ProofKey};
use super::read::Members;

/// Longest proof, in bytes of its text: room for an RSA key of 4096 bits.
pub const MAX_PROOF_LEN: usize = 4096;
/// Longest `jti`, in bytes.
pub const MAX_PROOF_ID_LEN: usize = 128;
/// How old a proof may be, in seconds.
pub const MAX_PROOF_AGE: u32 = 60;
/// How far ahead of ours the client's clock may be, in seconds.
pub const PROOF_LEEWAY: u32 = 5;

const TYPE: &str = "dpop+jwt";

/// Header members that bring or point to another key than `jwk`.
const OTHER_KEYS: [&str; 5] = ["jku", "x5u", "x5c", "x5t", "x5t#S256"];

/// The HTTP request that a proof came with.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Method, exactly.
    pub method: &'a str,
    /// URI.
    pub uri: &'a HttpUri,
    /// The access token that the proof must be for (`ath`); `None`: it came without one.
    pub access_token: Option<&'a str>,
}

/// A proof that is good in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedProof {
    /// Its key, as tokens name it.
    pub confirmation: Confirmation,
    /// Its `jti`: unique among the proofs of the key.
    pub token_id: String,
}

/// Checks a proof.
///
/// # Errors
///
/// The [`FaultClass`] of the first fault: form, header, key, signature, then `jti`, `htm`, `htu`, `iat`, `ath`.
pub fn check(proof: &str, request: &HttpRequest<'_>, now: u32) -> Result<CheckedProof, FaultClass> {
    if proof.len() > MAX_PROOF_LEN {
        return Err(FaultClass::Size);
    }
    let compact = Compact::decode(proof)?;
    let header = json::parse_object(&compact.header).map_err(|_| FaultClass::Json)?;
    let key = read_header(&header)?;
    let payload = json::parse_object(&compact.payload).map_err(|_| FaultClass::Json)?;
    let signature = compact.signature(key.signature_len())?;
    key.verify(compact.signing_input, &signature)
        .map_err(|_| FaultClass::Signature)?;
    let token_id = check_claims(&payload, request, now)?;
    Ok(CheckedProof {
        confirmation: Confirmation::Key(key.thumbprint()),
        token_id,
    })
}

/// The key of a header, bound to the header's algorithm. A `kid` is never looked up.
fn read_header(header: &Object) -> Result<ProofKey, FaultClass> {
    check_extensions(header)?;
    if text(header, "typ").map(bare_type).as_deref() != Some(TYPE) {
        return Err(FaultClass::Typ);
    }
    let algorithm = text(header, "alg")
        .and_then(ProofAlgorithm::from_name)
        .ok_or(FaultClass::Alg)?;
    if OTHER_KEYS.iter().any(|name| header.contains_key(*name)) {
        return Err(FaultClass::Key);
    }
    let jwk = header
        .get("jwk")
        .and_then(Value::as_object)
        .ok_or(FaultClass::Key)?;
    ProofKey::read(jwk, algorithm).map_err(|_| FaultClass::Key)
}

/// Whether the claims are those of this request, now; answers the `jti`.
fn check_claims(
    payload: &Object,
    request: &HttpRequest<'_>,
    now: u32,
) -> Result<String, FaultClass> {
    let of = Members(payload);
    let token_id = of.identifier("jti")?;
    if token_id.len() > MAX_PROOF_ID_LEN {
        return Err(FaultClass::Claims);
    }
    if text(payload, "htm") != Some(request.method) {
        return Err(FaultClass::Htm);
    }
    let uri = text(payload, "htu").and_then(|uri| HttpUri::parse(uri).ok());
    if uri.as_ref() != Some(request.uri) {
        return Err(FaultClass::Htu);
    }
    check_times(&of, now)?;
    if let Some(access_token) = request.access_token
        && text(payload, "ath") != Some(&access_token_hash(access_token))
    {
        return Err(FaultClass::Ath);
    }
    Ok(token_id)
}

/// `iat` is near; `exp` and `nbf`, which proofs need not have, are heeded (RFC 7519, section 4.1).
fn check_times(of: &Members<'_>, now: u32) -> Result<(), FaultClass> {
    let latest = now.saturating_add(PROOF_LEEWAY);
    let issued = of.number("iat", FaultClass::Iat)?.ok_or(FaultClass::Iat)?;
    if issued > latest || issued.saturating_add(MAX_PROOF_AGE) < now {
        return Err(FaultClass::Iat);
    }
    if of
        .number("exp", FaultClass::Exp)?
        .is_some_and(|end| now >= end)
    {
        return Err(FaultClass::Exp);
    }
    if of
        .number("nbf", FaultClass::Nbf)?
        .is_some_and(|start| start > latest)
    {
        return Err(FaultClass::Nbf);
    }
    Ok(())
}

/// `ath` of an access token: SHA-256 of its text, as base64url.
#[must_use]
pub fn access_token_hash(access_token: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, access_token.as_bytes()).as_ref())
}
