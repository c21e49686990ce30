//! Tokens made here verify here, and nothing else does.
#![allow(clippy::unwrap_used)]

mod support;

use argus_core::token::{
    AccessClaims, Audience, Confirmation, Expected, FaultClass, IssueError, Methods, RefreshClaims,
    SessionClaims, base64url, issue_access, issue_refresh, verify, verify_access, verify_refresh,
};
use proptest::prelude::*;
use support::world::{
    API, NOW, WORLD, access_claims, client_claims, for_api, refresh_claims, session,
};

#[test]
fn an_access_token_comes_back_as_it_was_made() {
    let full = AccessClaims {
        audience: vec!["https://other.example".to_owned(), API.to_owned()],
        groups: vec!["staff".to_owned()],
        confirmation: Some(Confirmation::Key("jkt".to_owned())),
        ..access_claims()
    };
    for claims in [access_claims(), full] {
        let token = issue_access(&WORLD.access, &claims).unwrap();
        assert_eq!(token, issue_access(&WORLD.access, &claims).unwrap());
        assert_eq!(
            verify_access(&token, &for_api(), &WORLD.tenants),
            Ok(("acme".to_owned(), claims))
        );
    }
}

#[test]
fn a_client_token_comes_back_as_it_was_made() {
    let token = issue_access(&WORLD.access, &client_claims()).unwrap();
    let expected = Expected::access(Audience::Issuer, NOW);
    assert_eq!(
        verify_access(&token, &expected, &WORLD.tenants),
        Ok(("acme".to_owned(), client_claims()))
    );
    assert_eq!(
        verify_access(&token, &for_api(), &WORLD.tenants),
        Err(FaultClass::Aud)
    );
}

#[test]
fn a_refresh_token_comes_back_as_it_was_made() {
    let bound = RefreshClaims {
        confirmation: Some(Confirmation::Certificate("x5t".to_owned())),
        scope: String::new(),
        resources: vec![],
        groups: vec!["staff".to_owned()],
        ..refresh_claims()
    };
    for claims in [refresh_claims(), bound] {
        let token = issue_refresh(&WORLD.refresh, &claims).unwrap();
        let verified = verify_refresh(&token, &Expected::refresh(NOW), &WORLD.tenants).unwrap();
        assert_eq!(
            (verified.tenant_id.as_str(), verified.is_key_revoked),
            ("acme", false)
        );
        assert_eq!(verified.claims, claims);
    }
}

#[test]
fn members_come_in_a_fixed_order() {
    assert_eq!(
        serde_json::to_string(&access_claims()).unwrap(),
        concat!(
            r#"{"iss":"https://argus.example/t/acme","sub":"u-1","aud":"https://api.example","exp":1800000300,"#,
            r#""iat":1800000000,"jti":"j-1","client_id":"web","scope":"read write","#,
            r#""sid":"SESSION","fam":3,"acr":"urn:argus:acr:2","amr":["pwd","otp","mfa"],"auth_time":1799999900}"#,
        )
        .replace("SESSION", session().session_id.as_str())
    );
    assert_eq!(
        serde_json::to_string(&refresh_claims()).unwrap(),
        concat!(
            r#"{"iss":"https://argus.example/t/acme","sub":"u-1","aud":"https://argus.example/t/acme","exp":1800086400,"#,
            r#""iat":1799999950,"jti":"computed","client_id":"web","scope":"read","resource":["https://api.example"],"#,
            r#""sid":"SESSION","fam":3,"gen":7,"jk":255,"acr":"urn:argus:acr:2","amr":["pwd","otp","mfa"],"#,
            r#""auth_time":1799999900}"#,
        )
        .replace("SESSION", session().session_id.as_str())
    );
}

#[test]
fn a_token_too_long_to_be_read_is_not_made() {
    let claims = AccessClaims {
        groups: vec!["g".repeat(8000)],
        ..access_claims()
    };
    assert_eq!(
        issue_access(&WORLD.access, &claims),
        Err(IssueError::TooLong)
    );
}

#[test]
fn a_token_of_too_many_values_to_be_read_is_not_made() {
    let of = |groups: usize| AccessClaims {
        groups: vec!["g".to_owned(); groups],
        ..access_claims()
    };
    let most = (1..400)
        .rev()
        .find(|groups| issue_access(&WORLD.access, &of(*groups)).is_ok())
        .unwrap();
    assert!((200..256).contains(&most), "{most}");
    let widest = issue_access(&WORLD.access, &of(most)).unwrap();
    assert!(verify_access(&widest, &for_api(), &WORLD.tenants).is_ok());
    assert_eq!(
        issue_access(&WORLD.access, &of(most + 1)),
        Err(IssueError::TooWide)
    );
}

#[test]
fn a_token_of_too_many_values_is_refused_before_its_signature_is_looked_at() {
    let refused = |header: &str, payload: &str| {
        let [header, payload] = [header, payload].map(|part| base64url::encode(part.as_bytes()));
        verify(
            &format!("{header}.{payload}.AA"),
            &for_api(),
            &WORLD.tenants,
        )
        .unwrap_err()
    };
    let kid = WORLD.access.kid();
    let header = |more: &str| format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{kid}"{more}}}"#);
    let many = format!(r#","x":[{}0]"#, r#"{"":0},"#.repeat(200));
    let iss = format!(r#"{{"iss":"{}""#, access_claims().issuer);
    assert_eq!(
        refused(&header(""), &format!("{iss}}}")),
        FaultClass::Signature
    );
    assert_eq!(
        refused(&header(""), &format!("{iss}{many}}}")),
        FaultClass::Json
    );
    assert_eq!(
        refused(&header(&many), &format!("{iss}}}")),
        FaultClass::Json
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a claim says comes back.
    #[test]
    fn claims_survive(scope in "[a-z ]{0,40}", groups in prop::collection::vec("\\PC{0,20}", 0..4), family in 1..u32::MAX, amr: u16, generation in 1..u32::MAX, jk: u8) {
        let session = SessionClaims { family, amr: Methods::from_bits(amr), ..session() };
        let claims = AccessClaims { scope: scope.clone(), groups, session: Some(session.clone()), ..access_claims() };
        let token = issue_access(&WORLD.access, &claims).unwrap();
        prop_assert_eq!(verify_access(&token, &for_api(), &WORLD.tenants).unwrap().1, claims);
        let claims = RefreshClaims { scope, session, generation, refresh_id_key: jk, ..refresh_claims() };
        let token = issue_refresh(&WORLD.refresh, &claims).unwrap();
        prop_assert_eq!(verify_refresh(&token, &Expected::refresh(NOW), &WORLD.tenants).unwrap().claims, claims);
    }

    /// Any text in a token's place is refused and never panics.
    #[test]
    fn no_text_verifies(text in "\\PC*", parts in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}") {
        prop_assert!(verify(&text, &for_api(), &WORLD.tenants).is_err());
        prop_assert!(verify(&parts, &for_api(), &WORLD.tenants).is_err());
    }
}

/// Every byte of a token, changed to every character that could stand in a token (and some that could not): refused.
#[test]
fn no_changed_byte_verifies() {
    let access = issue_access(&WORLD.access, &access_claims()).unwrap();
    let refresh = issue_refresh(&WORLD.refresh, &refresh_claims()).unwrap();
    let verifies = |token: &str| {
        verify(token, &for_api(), &WORLD.tenants).is_ok()
            || verify(token, &Expected::refresh(NOW), &WORLD.tenants).is_ok()
    };
    for token in [access, refresh] {
        assert!(verifies(&token));
        for at in 0..token.len() {
            let (before, after) = (&token[..at], &token[at + 1..]);
            assert!(!verifies(&format!("{before}{after}")), "without byte {at}");
            for byte in "ABcdwxYZ0189-_.=+/ \u{0}"
                .chars()
                .filter(|byte| !token[at..].starts_with(*byte))
            {
                assert!(
                    !verifies(&format!("{before}{byte}{after}")),
                    "{byte:?} for byte {at}"
                );
                assert!(
                    !verifies(&format!("{before}{byte}{}", &token[at..])),
                    "{byte:?} before byte {at}"
                );
            }
        }
    }
}
