//! The token parser and verifier.
//!
//! Bytes with a line end are the header and the claims of a token, which is signed here with the key that the header
//! names; others are a whole token. Laws, besides those of [`argus_core`]'s types:
//!
//! * nothing panics, and nothing takes more memory than [`MEMORY`], however long the text;
//! * what is accepted reads the same in serde's own reading of the claims, which knows no duplicates of a name;
//! * what is accepted is in time, of this issuer and for this audience by plain arithmetic on that other reading;
//! * issued again, what was read is accepted again and reads the same;
//! * no other spelling of an accepted token is accepted.

use argus_core::token::{
    AccessClaims, Audience, Expected, FaultClass, FoundKey, KeySource, MAX_TOKEN_LEN,
    RefreshClaims, SigningKey, TokenType, base64url, issue_access, issue_refresh, verify_access,
    verify_refresh,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::Outcome;
use crate::forge::{KEYS, NOW, halves, sign, with_another_signature};
use crate::memory::within;

/// Most bytes that reading one token may hold: what 8 KiB of the most wasteful JSON becomes, and no more however long
/// the text is.
pub const MEMORY: usize = 1 << 20;

const TENANT: &str = "acme";
const ISSUER: &str = "https://argus.test/t/acme";
const RESOURCE: &str = "https://api.test";
const LEEWAY: u32 = 5;
const MAX_LIFETIME: u32 = 86_400;

/// One tenant with both keys for both types of token.
struct Tenant;

impl KeySource for Tenant {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        (issuer == ISSUER).then_some(TENANT)
    }

    fn key(&self, tenant_id: &str, _token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        assert_eq!(tenant_id, TENANT, "a tenant that was never named");
        named(kid).map(|key| FoundKey {
            key: key.public(),
            is_revoked: false,
        })
    }
}

fn named(kid: &str) -> Option<&'static SigningKey> {
    [&KEYS.rsa, &KEYS.ed25519]
        .into_iter()
        .find(|key| key.kid() == kid)
}

/// The claims that matter, as serde's derived code reads them.
#[derive(Deserialize)]
struct Reading {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: u32,
    nbf: Option<u32>,
    iat: u32,
    jti: String,
    client_id: String,
    #[serde(default)]
    scope: String,
    sid: Option<String>,
    fam: Option<u32>,
    #[serde(rename = "gen")]
    generation: Option<u32>,
    auth_time: Option<u32>,
    token_use: Option<Value>,
    tid: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// Checks the laws for some bytes.
pub fn check(data: &[u8]) -> Outcome {
    let made = halves(data).map(|(header, payload)| {
        let kid = serde_json::from_slice::<Value>(header)
            .ok()
            .and_then(|header| Some(header.get("kid")?.as_str()?.to_owned()));
        let key = kid.and_then(|kid| named(&kid)).unwrap_or(&KEYS.ed25519);
        sign(key, header, payload)
    });
    let Some(token) = made.as_deref().or_else(|| std::str::from_utf8(data).ok()) else {
        return Outcome::Refused;
    };
    let is_access = access(token);
    let is_refresh = refresh(token);
    assert!(!(is_access && is_refresh), "a token of two types");
    Outcome::of(is_access || is_refresh)
}

fn access(token: &str) -> bool {
    let expected = Expected {
        leeway: LEEWAY,
        max_lifetime: Some(MAX_LIFETIME),
        ..Expected::access(Audience::Resource(RESOURCE), NOW)
    };
    let read = |token: &str| {
        within(MEMORY, || verify_access(token, &expected, &Tenant)).map(|(_, claims)| claims)
    };
    let claims = match read(token) {
        Ok(claims) => claims,
        Err(fault) => return refused(token, fault),
    };
    let reading = reading(token, TokenType::Access);
    same_access(&claims, &reading);
    assert!(reading.iat <= NOW + LEEWAY, "not made yet");
    assert!(
        reading.exp.saturating_sub(reading.iat) <= MAX_LIFETIME,
        "lives too long"
    );
    let audience = reading.aud.into_vec();
    assert!(
        audience.iter().any(|one| one == RESOURCE),
        "for somebody else"
    );
    let again = issue_access(&KEYS.ed25519, &claims).unwrap();
    assert_eq!(read(&again), Ok(claims), "issued again, it reads otherwise");
    no_other_spelling(token, |other| read(other).is_ok());
    true
}

fn refresh(token: &str) -> bool {
    let expected = Expected::refresh(NOW);
    let read = |token: &str| {
        within(MEMORY, || verify_refresh(token, &expected, &Tenant)).map(|found| found.claims)
    };
    let claims = match read(token) {
        Ok(claims) => claims,
        Err(fault) => return refused(token, fault),
    };
    let reading = reading(token, TokenType::Refresh);
    same_refresh(&claims, &reading);
    assert!(
        reading.aud.into_vec().contains(&reading.iss),
        "for somebody else"
    );
    let again = issue_refresh(&KEYS.ed25519, &claims).unwrap();
    assert_eq!(read(&again), Ok(claims), "issued again, it reads otherwise");
    no_other_spelling(token, |other| read(other).is_ok());
    true
}

/// A refusal has the class that the form alone demands, where it demands one.
fn refused(token: &str, fault: FaultClass) -> bool {
    let dots = token.bytes().filter(|byte| *byte == b'.').count();
    if dots == 2 && token.len() <= MAX_TOKEN_LEN {
        assert_ne!(fault, FaultClass::Structure);
        assert_ne!(fault, FaultClass::Size);
    }
    if dots != 2 && token.len() <= MAX_TOKEN_LEN {
        assert_eq!(fault, FaultClass::Structure);
    }
    false
}

/// The other reading of an accepted token; the laws that both types share.
fn reading(token: &str, token_type: TokenType) -> Reading {
    assert!(token.len() <= MAX_TOKEN_LEN);
    let parts: Vec<&str> = token.split('.').collect();
    let decoded: Vec<Vec<u8>> = parts.iter().map(|part| decode(part)).collect();
    assert_eq!(decoded.len(), 3);
    let header: Value = serde_json::from_slice(&decoded[0]).unwrap();
    let key = named(header["kid"].as_str().unwrap()).unwrap();
    assert_eq!(header["alg"], key.algorithm().name());
    let typ = header["typ"].as_str().unwrap().to_ascii_lowercase();
    assert!(typ == token_type.name() || typ == format!("application/{}", token_type.name()));
    for name in [
        "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "cty", "enc",
    ] {
        assert!(header.get(name).is_none(), "{name} in an accepted header");
    }
    let reading: Reading = serde_json::from_slice(&decoded[1]).unwrap();
    assert_eq!(reading.iss, ISSUER);
    assert!(reading.exp > NOW, "it is over");
    if token_type == TokenType::Access {
        assert!(reading.nbf.is_none_or(|start| start <= NOW + LEEWAY));
        assert!(reading.auth_time.is_none_or(|time| time <= NOW + LEEWAY));
    }
    let token_use = token_type.token_use();
    assert!(
        reading
            .token_use
            .as_ref()
            .is_none_or(|value| value == token_use)
    );
    assert!(reading.tid.as_ref().is_none_or(|value| value == TENANT));
    reading
}

/// By the other alphabet and with the padding that tokens don't have, so not by the code that is being checked.
fn decode(part: &str) -> Vec<u8> {
    assert!(!part.contains(['+', '/', '=']));
    let padding = "=".repeat((4 - part.len() % 4) % 4);
    let standard = part.replace('-', "+").replace('_', "/") + &padding;
    let bytes = STANDARD.decode(standard).unwrap();
    assert_eq!(base64url::encode(&bytes), part);
    bytes
}

fn same_access(claims: &AccessClaims, reading: &Reading) {
    assert_eq!(claims.issuer, reading.iss);
    assert_eq!(claims.subject, reading.sub);
    assert_eq!(claims.token_id, reading.jti);
    assert_eq!(claims.client_id, reading.client_id);
    assert_eq!(claims.scope, reading.scope);
    assert_eq!((claims.expires, claims.issued), (reading.exp, reading.iat));
    let session = claims.session.as_ref();
    assert_eq!(
        session.map(|session| session.session_id.as_str()),
        reading.sid.as_deref()
    );
    assert_eq!(session.map(|session| session.family), reading.fam);
    if session.is_none() {
        assert_eq!(claims.subject, claims.client_id);
    }
}

fn same_refresh(claims: &RefreshClaims, reading: &Reading) {
    assert_eq!(claims.issuer, reading.iss);
    assert_eq!(claims.subject, reading.sub);
    assert_eq!(claims.token_id, reading.jti);
    assert_eq!(claims.client_id, reading.client_id);
    assert_eq!(claims.scope, reading.scope);
    assert_eq!((claims.expires, claims.issued), (reading.exp, reading.iat));
    let session = &claims.session;
    assert_eq!(Some(session.session_id.as_str()), reading.sid.as_deref());
    assert_eq!(Some(session.family), reading.fam);
    assert_eq!(Some(claims.generation), reading.generation);
    assert_eq!(Some(session.auth_time), reading.auth_time);
}

fn no_other_spelling(token: &str, is_accepted: impl Fn(&str) -> bool) {
    assert!(
        !is_accepted(&with_another_signature(token)),
        "with another signature"
    );
    let (input, signature) = token.rsplit_once('.').unwrap();
    for other in [
        format!("{token}="),
        format!("{token}."),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{input}.{signature}A"),
        format!("{input}."),
    ] {
        assert!(!is_accepted(&other), "{other:?}");
    }
}
