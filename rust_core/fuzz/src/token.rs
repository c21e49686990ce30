//! The token parser and verifier.
//!
//! Bytes with a line end are the header and the claims of a token, which is signed here with the key that the header
//! names; others are a whole token. Laws, besides those of [`argus_core`]'s types:
//!
//! * nothing panics, and nothing takes more memory than [`MEMORY`], however long the text;
//! * what is accepted reads the same, claim by claim, in serde's own reading, which knows no duplicates of a name;
//! * what is accepted is in time, of this issuer and for this audience by plain arithmetic on that other reading;
//! * what is accepted is under a key of its tenant, is no other tenant's, and can't be made another's;
//! * under a pulled key no access token is accepted, and a refresh token only where that is reported;
//! * issued again, what was read is accepted again and reads the same;
//! * no other spelling of an accepted token is accepted.

mod reading;
mod tenants;

use argus_core::token::{
    Audience, Expected, FaultClass, MAX_TOKEN_LEN, RevokedKeys, TokenType, issue_access,
    issue_refresh, verify, verify_access, verify_refresh,
};
use argus_samples::{NOW, RESOURCE};
use serde_json::Value;

use crate::Outcome;
use crate::forge::{KEYS, halves, sign, with_another_signature};
use crate::memory::within;
use reading::{Reading, Said};
use tenants::{Tenants, moved, named};

/// Most bytes that reading one token may hold: what 8 KiB of the most wasteful JSON becomes, and no more however long
/// the text is.
pub const MEMORY: usize = 1 << 18;

const LEEWAY: u32 = 5;
const MAX_LIFETIME: u32 = 86_400;

/// Checks the laws for some bytes.
pub fn check(data: &[u8]) -> Outcome {
    let made = halves(data).map(|(header, payload)| {
        let kid = serde_json::from_slice::<Value>(header)
            .ok()
            .and_then(|header| Some(header.get("kid")?.as_str()?.to_owned()));
        let key = kid
            .and_then(|kid| named(&kid))
            .map_or(&KEYS.ed25519, |named| named.key);
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
    let read = |token: &str| within(MEMORY, || verify_access(token, &expected, &Tenants));
    let (tenant_id, claims) = match read(token) {
        Ok(read) => read,
        Err(fault) => return refused(token, fault),
    };
    let reading = Reading::of(token, TokenType::Access);
    reading.assert_same(&Said::from(&claims), claims.session.as_ref());
    assert_eq!(reading.audience(), claims.audience);
    if claims.session.is_none() {
        assert_eq!(claims.subject, claims.client_id);
    }
    assert!(reading.iat <= NOW + LEEWAY, "not made yet");
    assert!(
        reading.exp.saturating_sub(reading.iat) <= MAX_LIFETIME,
        "lives too long"
    );
    assert!(
        claims.audience.iter().any(|one| one == RESOURCE),
        "for somebody else"
    );
    assert!(!under(token).is_revoked, "under a pulled key");
    of_one_tenant(token, &tenant_id, &expected);
    let again = issue_access(tenants::key_of(&tenant_id), &claims).unwrap();
    assert_eq!(
        read(&again),
        Ok((tenant_id, claims)),
        "issued again, it reads otherwise"
    );
    no_other_spelling(token, |other| read(other).is_ok());
    true
}

fn refresh(token: &str) -> bool {
    let expected = Expected::refresh(NOW);
    let read = |token: &str| within(MEMORY, || verify_refresh(token, &expected, &Tenants));
    let found = match read(token) {
        Ok(found) => found,
        Err(fault) => return refused(token, fault),
    };
    let claims = &found.claims;
    let reading = Reading::of(token, TokenType::Refresh);
    reading.assert_same(&Said::from(claims), Some(&claims.session));
    reading.assert_same_refresh(claims);
    assert_eq!(
        found.is_key_revoked,
        under(token).is_revoked,
        "a pulled key is not reported"
    );
    let strict = Expected {
        revoked_keys: RevokedKeys::Refuse,
        ..expected
    };
    let strictly = verify_refresh(token, &strict, &Tenants);
    let as_strictly = if found.is_key_revoked {
        Err(FaultClass::Key)
    } else {
        Ok(found.clone())
    };
    assert_eq!(strictly, as_strictly, "where pulled keys are refused");
    of_one_tenant(token, &found.tenant_id, &expected);
    let again = issue_refresh(tenants::key_of(&found.tenant_id), claims).unwrap();
    let again = read(&again).map(|again| (again.is_key_revoked, again.claims));
    assert_eq!(
        again.as_ref(),
        Ok(&(false, claims.clone())),
        "issued again, it reads otherwise"
    );
    no_other_spelling(token, |other| read(other).is_ok());
    true
}

/// The key that an accepted token names.
fn under(token: &str) -> &'static tenants::Named {
    let header = reading::header(token);
    named(header["kid"].as_str().unwrap()).unwrap()
}

/// An accepted token is under a key of the tenant that it is said to be of, and no other tenant's: not where another
/// one is expected, and not when it says it was, whether its own key signs that or the other's.
fn of_one_tenant(token: &str, tenant_id: &str, expected: &Expected<'_>) {
    let key = under(token);
    assert_eq!(key.tenant_id, tenant_id, "under another tenant's key");
    let reading = Reading::of(token, expected.token_type);
    assert_eq!(Some(tenant_id), tenants::of_issuer(&reading.iss));
    assert!(reading.tid.is_none_or(|tid| tid == tenant_id));
    for other in tenants::IDS {
        let fault = verify(token, &expected.of_tenant(other), &Tenants).err();
        let should = (other != tenant_id).then_some(FaultClass::Tenant);
        assert_eq!(fault, should, "where {other} is expected");
    }
    let moved = moved(token, tenant_id);
    if moved.len() <= MAX_TOKEN_LEN {
        let fault = verify(&moved, expected, &Tenants).err();
        assert_eq!(fault, Some(FaultClass::Key), "as another tenant's");
    }
    let (input, _) = token.rsplit_once('.').unwrap();
    let by_other = tenants::signed_by_another(input, tenant_id);
    let fault = verify(&by_other, expected, &Tenants).err();
    assert_eq!(
        fault,
        Some(FaultClass::Signature),
        "signed by another tenant"
    );
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
