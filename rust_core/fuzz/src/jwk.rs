//! The two readers of public keys: [`argus_core::token::jwk`] and that of `DPoP` proofs.
//!
//! Laws: nothing panics or takes more than [`MEMORY`]; what is accepted is a public key for signatures in serde's own
//! reading of it, of an allowed size and exponent, with the thumbprint of RFC 7638 computed another way; written anew
//! it is the same key; no made-up signature is good under it; and the two readers agree where both have a say.

use std::collections::BTreeMap;

use argus_core::token::jwk::{PublicMembers, verifying_key};
use argus_core::token::proof_key::{ProofAlgorithm, ProofKey};
use argus_core::token::{Algorithm, VerifyingKey, base64url, json};
use aws_lc_rs::digest;
use serde::Deserialize;
use serde_json::Value;

use crate::Outcome;
use crate::memory::within;

/// Most bytes that reading a key of at most [`LONGEST`] bytes may hold.
pub const MEMORY: usize = 1 << 20;

/// Longest text that the law on memory is about: no reader has a limit of its own, what brings keys to them has (a
/// token's header, a key set).
pub const LONGEST: usize = 8 * 1024;

const PROOF_ALGORITHMS: [ProofAlgorithm; 4] = [
    ProofAlgorithm::Es256,
    ProofAlgorithm::EdDsa,
    ProofAlgorithm::Rs256,
    ProofAlgorithm::Ps256,
];

/// Members that no public key of a proof has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key as serde's derived code reads it: a name given twice is a fault. What a key's kind does not have may be anything.
#[derive(Deserialize)]
struct Reading {
    kty: String,
    crv: Option<Value>,
    n: Option<Value>,
    e: Option<Value>,
    x: Option<Value>,
    y: Option<Value>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<Value>>,
    alg: Option<String>,
}

/// Checks the laws for some bytes.
pub fn check(data: &[u8]) -> Outcome {
    let Some(text) = std::str::from_utf8(data)
        .ok()
        .filter(|text| text.len() <= LONGEST)
    else {
        return Outcome::Refused;
    };
    let key = within(MEMORY, || verifying_key(text)).ok();
    if let Some(key) = &key {
        accepted(key, text);
    }
    let Ok(object) = json::parse_object(data) else {
        assert!(key.is_none(), "a key out of no object");
        return Outcome::Refused;
    };
    let mut is_accepted = key.is_some();
    for algorithm in PROOF_ALGORITHMS {
        let found = within(MEMORY, || ProofKey::read(&object, algorithm)).ok();
        is_accepted |= found.is_some();
        agree(key.as_ref(), found.as_ref(), algorithm, &object);
        if let Some(found) = &found {
            accepted_of_proof(found, text);
        }
    }
    Outcome::of(is_accepted)
}

fn accepted(key: &VerifyingKey, text: &str) {
    let reading = public(text);
    assert!(reading.alg.is_none_or(|alg| alg == key.algorithm().name()));
    let expected = match key.algorithm() {
        Algorithm::Rs256 => "RSA",
        Algorithm::EdDsa => "OKP",
    };
    assert_eq!(reading.kty, expected);
    assert_eq!(key.members().thumbprint(), thumbprint(text));
    let anew = verifying_key(&written(key.members())).unwrap();
    assert_eq!(
        anew.members(),
        key.members(),
        "written anew it is another key"
    );
    if let PublicMembers::Rsa { n, e } = key.members() {
        rsa(n, e, 8192);
    }
    let made_up = vec![1; key.signature_len()];
    assert!(key.verify(b"message", &made_up).is_err());
    assert!(key.verify(b"message", &[]).is_err());
}

fn accepted_of_proof(key: &ProofKey, text: &str) {
    let reading = public(text);
    if let (Some(n), Some(e)) = (&reading.n, &reading.e)
        && reading.kty == "RSA"
    {
        rsa(n.as_str().unwrap(), e.as_str().unwrap(), 4096);
    }
    let members: BTreeMap<String, Value> = serde_json::from_str(text).unwrap();
    assert!(!PRIVATE.iter().any(|name| members.contains_key(*name)));
    assert_eq!(key.thumbprint(), thumbprint(text));
    let made_up = vec![1; key.signature_len()];
    assert!(key.verify(b"message", &made_up).is_err());
}

/// The reader of proofs asks for more and knows more kinds; both name a key alike.
fn agree(
    key: Option<&VerifyingKey>,
    of_proof: Option<&ProofKey>,
    algorithm: ProofAlgorithm,
    object: &json::Object,
) {
    let shared = match algorithm {
        ProofAlgorithm::Rs256 => Algorithm::Rs256,
        ProofAlgorithm::EdDsa => Algorithm::EdDsa,
        ProofAlgorithm::Es256 | ProofAlgorithm::Ps256 => return,
    };
    if let (Some(key), Some(of_proof)) = (key, of_proof) {
        assert_eq!(key.members().thumbprint(), of_proof.thumbprint());
        assert_eq!(key.signature_len(), of_proof.signature_len());
    }
    if of_proof.is_some() && object.get("alg").is_none_or(|alg| alg == shared.name()) {
        assert!(key.is_some(), "good for proofs alone");
    }
    let is_public = !PRIVATE.iter().any(|name| object.contains_key(*name));
    if let Some(key) = key
        && key.algorithm() == shared
        && is_public
        && key.signature_len() <= 512
        && !(shared == Algorithm::Rs256 && object.contains_key("crv"))
    {
        assert!(of_proof.is_some(), "good for tokens alone");
    }
}

/// The other reading, with what every key must be.
fn public(text: &str) -> Reading {
    let reading: Reading = serde_json::from_str(text).unwrap();
    assert_ne!(reading.kty, "oct");
    assert!(reading.usage.as_deref().is_none_or(|usage| usage == "sig"));
    let operations = reading.key_ops.as_ref();
    assert!(operations.is_none_or(|all| all.iter().any(|one| one == "verify")));
    reading
}

fn rsa(n: &str, e: &str, most_bits: u32) {
    let (n, e) = (base64url::decode(n).unwrap(), base64url::decode(e).unwrap());
    assert_ne!(n[0], 0, "one key with two thumbprints");
    let bits = u32::try_from(n.len()).unwrap() * 8 - n[0].leading_zeros();
    assert!((2048..=most_bits).contains(&bits), "{bits} bits");
    assert_ne!(e[0], 0, "one key with two thumbprints");
    let exponent = e
        .iter()
        .fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte));
    assert!(exponent % 2 == 1 && exponent >= 3, "exponent {exponent}");
}

/// RFC 7638 by a sorted map and a JSON library.
fn thumbprint(text: &str) -> String {
    let reading: Reading = serde_json::from_str(text).unwrap();
    let mut members = BTreeMap::from([("kty", Value::from(reading.kty.as_str()))]);
    let names: &[(&str, Option<Value>)] = match reading.kty.as_str() {
        "RSA" => &[("n", reading.n), ("e", reading.e)],
        "EC" => &[("crv", reading.crv), ("x", reading.x), ("y", reading.y)],
        _ => &[("crv", reading.crv), ("x", reading.x)],
    };
    for (name, value) in names {
        members.insert(name, value.clone().unwrap());
    }
    let canonical = serde_json::to_vec(&members).unwrap();
    base64url::encode(digest::digest(&digest::SHA256, &canonical).as_ref())
}

fn written(members: &PublicMembers) -> String {
    match members {
        PublicMembers::Rsa { n, e } => serde_json::json!({"kty": "RSA", "n": n, "e": e}),
        PublicMembers::Ed25519 { x } => serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        PublicMembers::P256 { x, y } => {
            serde_json::json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
        }
    }
    .to_string()
}
