//! The checker of `DPoP` proofs, and the reader of URIs in them.
//!
//! Bytes with a line end are the header and the claims of a proof, which is signed here; a `jwk` of `"@"` in the header
//! stands for the key it is signed with. Others are a whole proof. Laws, besides those of [`crate::token`]: what is
//! accepted is for this request, now, by serde's own reading; its confirmation is the thumbprint of the key it brought;
//! and a URI's normal form is its own normal form.

use argus_core::token::dpop::{
    self, HttpRequest, MAX_PROOF_AGE, MAX_PROOF_ID_LEN, MAX_PROOF_LEN, PROOF_LEEWAY,
    access_token_hash,
};
use argus_core::token::{CheckedProof, Confirmation, HttpUri, base64url, http_uri};
use argus_samples::NOW;
use serde::Deserialize;
use serde_json::Value;

use crate::Outcome;
use crate::forge::{KEYS, halves, sign, with_another_signature};
use crate::memory::within;

/// Most bytes that checking one proof may hold, however long it is.
pub const MEMORY: usize = 1 << 20;

const METHOD: &str = "POST";
const URI: &str = "https://server.example.com/token";
const ACCESS_TOKEN: &str = "an access token";

/// Shortest JSON that stands for the key of [`KEYS`].
const OWN_KEY: &str = "@";

#[derive(Deserialize)]
struct Reading {
    jti: String,
    htm: String,
    htu: String,
    iat: u32,
    exp: Option<u32>,
    nbf: Option<u32>,
    ath: Option<Value>,
}

/// Checks the laws for some bytes.
pub fn check(data: &[u8]) -> Outcome {
    let made = halves(data).map(|(header, claims)| sign(&KEYS.ed25519, &with_key(header), claims));
    let Some(proof) = made.as_deref().or_else(|| std::str::from_utf8(data).ok()) else {
        return Outcome::Refused;
    };
    uri(proof);
    let alone = judge(proof, None);
    let with_token = judge(proof, Some(ACCESS_TOKEN));
    assert!(
        alone.is_some() || with_token.is_none(),
        "`ath` made it good"
    );
    Outcome::of(alone.is_some())
}

/// A header with the real key in the place of `"@"`, if it is there.
fn with_key(header: &[u8]) -> Vec<u8> {
    let parsed = serde_json::from_slice::<serde_json::Map<String, Value>>(header);
    let Some(mut object) = parsed
        .ok()
        .filter(|object| object.get("jwk").is_some_and(|jwk| jwk == OWN_KEY))
    else {
        return header.to_vec();
    };
    let jwk: Value = serde_json::from_str(&KEYS.ed25519.public_jwk()).unwrap();
    object.insert("jwk".to_owned(), jwk);
    serde_json::to_vec(&object).unwrap()
}

fn judge(proof: &str, access_token: Option<&str>) -> Option<CheckedProof> {
    let uri = HttpUri::parse(URI).unwrap();
    let request = HttpRequest {
        method: METHOD,
        uri: &uri,
        access_token,
    };
    let read = |proof: &str| within(MEMORY, || dpop::check(proof, &request, NOW)).ok();
    let found = read(proof)?;
    accepted(proof, access_token, &found, &uri);
    assert!(read(&with_another_signature(proof)).is_none());
    assert!(read(&format!("{proof}=")).is_none());
    assert!(read(&format!("{proof}.")).is_none());
    let others = [
        ("GET", URI),
        ("post", URI),
        (METHOD, "https://server.example.com/other"),
    ];
    for (method, uri) in others {
        let uri = HttpUri::parse(uri).unwrap();
        let other = HttpRequest {
            method,
            uri: &uri,
            access_token,
        };
        assert!(dpop::check(proof, &other, NOW).is_err(), "for any request");
    }
    assert!(dpop::check(proof, &request, NOW + MAX_PROOF_AGE + PROOF_LEEWAY + 1).is_err());
    assert!(dpop::check(proof, &request, NOW - MAX_PROOF_AGE - PROOF_LEEWAY - 1).is_err());
    Some(found)
}

fn accepted(proof: &str, access_token: Option<&str>, found: &CheckedProof, uri: &HttpUri) {
    assert!(proof.len() <= MAX_PROOF_LEN);
    let parts: Vec<Vec<u8>> = proof
        .split('.')
        .map(|part| base64url::decode(part).unwrap())
        .collect();
    assert_eq!(parts.len(), 3);
    let header: Value = serde_json::from_slice(&parts[0]).unwrap();
    let typ = header["typ"].as_str().unwrap().to_ascii_lowercase();
    assert!(typ == "dpop+jwt" || typ == "application/dpop+jwt");
    let algorithms = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"];
    assert!(algorithms.contains(&header["alg"].as_str().unwrap()));
    let jwk = header["jwk"].to_string();
    assert_eq!(crate::jwk::check(jwk.as_bytes()), Outcome::Accepted);
    let reading: Reading = serde_json::from_slice(&parts[1]).unwrap();
    assert_eq!(reading.jti, found.token_id);
    assert!((1..=MAX_PROOF_ID_LEN).contains(&reading.jti.len()));
    assert_eq!(reading.htm, METHOD);
    assert_eq!(HttpUri::parse(&reading.htu).as_ref(), Ok(uri));
    assert!(reading.iat <= NOW + PROOF_LEEWAY && reading.iat >= NOW - MAX_PROOF_AGE);
    assert!(reading.exp.is_none_or(|end| end > NOW));
    assert!(reading.nbf.is_none_or(|start| start <= NOW + PROOF_LEEWAY));
    if let Some(token) = access_token {
        assert!(
            reading
                .ath
                .is_some_and(|ath| ath == access_token_hash(token))
        );
    }
    assert!(matches!(&found.confirmation, Confirmation::Key(name) if name.len() == 43));
}

/// The text itself as a URI: whatever is one has one normal form.
fn uri(text: &str) {
    let Ok(uri) = within(MEMORY, || HttpUri::parse(text)) else {
        return;
    };
    assert!(text.len() <= http_uri::MAX_URI_LEN);
    let (scheme, rest) = text.split_once(':').unwrap();
    let shouted = format!("{}:{rest}", scheme.to_ascii_uppercase());
    assert_eq!(
        HttpUri::parse(&shouted),
        Ok(uri.clone()),
        "the scheme's case matters"
    );
    let longer = format!("{text}#f");
    if !text.contains('#') && longer.len() <= http_uri::MAX_URI_LEN {
        assert_eq!(HttpUri::parse(&longer), Ok(uri), "a fragment matters");
    }
}
