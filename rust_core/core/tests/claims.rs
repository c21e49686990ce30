//! A good signature is not enough: the token must be for this place and this moment, and say all it has to say.
#![allow(clippy::unwrap_used)]

mod support;

use argus_core::token::{
    AccessClaims, Audience, Expected, Expiry, FaultClass, RefreshClaims, issue_access,
    issue_refresh, verify,
    verify::{LEEWAY, MAX_ACCESS_LIFE, MAX_REFRESH_LIFE},
    verify_access, verify_refresh,
};
use serde_json::{Value, json};
use support::sign;
use support::world::{
    API, ISSUER, NOW, WORLD, access_claims, client_claims, for_api, refresh_claims,
};

/// Verdict on an access token whose good payload had members changed (`null` takes one out).
fn with(changes: &Value) -> Result<AccessClaims, FaultClass> {
    let mut payload = serde_json::to_value(access_claims()).unwrap();
    let members = payload.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    let header = format!(
        r#"{{"alg":"RS256","typ":"at+jwt","kid":"{}"}}"#,
        WORLD.access.kid()
    );
    let token = sign(&WORLD.access, &header, &payload.to_string());
    verify_access(&token, &for_api(), &WORLD.tenants).map(|(_, claims)| claims)
}

#[test]
fn each_type_only_in_its_place() {
    let access = issue_access(&WORLD.access, &access_claims()).unwrap();
    let refresh = issue_refresh(&WORLD.refresh, &refresh_claims()).unwrap();
    assert_eq!(
        verify_refresh(&access, &Expected::refresh(NOW), &WORLD.tenants),
        Err(FaultClass::Typ)
    );
    assert_eq!(
        verify_access(&refresh, &for_api(), &WORLD.tenants),
        Err(FaultClass::Typ)
    );
    // A key of one ring does not make tokens of the other.
    let crossed = issue_access(&WORLD.refresh, &access_claims()).unwrap();
    assert_eq!(
        verify_access(&crossed, &for_api(), &WORLD.tenants),
        Err(FaultClass::Key)
    );
}

#[test]
fn a_token_for_a_resource_is_none_for_argus_itself() {
    let token = issue_access(&WORLD.access, &access_claims()).unwrap();
    let expected = Expected::access(Audience::Issuer, NOW);
    assert_eq!(
        verify_access(&token, &expected, &WORLD.tenants),
        Err(FaultClass::Aud)
    );
}

#[test]
fn the_key_decides_the_algorithm() {
    let header = format!(
        r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#,
        WORLD.access.kid()
    );
    let token = sign(
        &WORLD.access,
        &header,
        &serde_json::to_string(&access_claims()).unwrap(),
    );
    assert_eq!(
        verify_access(&token, &for_api(), &WORLD.tenants),
        Err(FaultClass::Alg)
    );
}

#[test]
fn one_tenants_key_makes_no_token_of_another() {
    let forged = issue_access(&WORLD.other, &access_claims()).unwrap();
    assert_eq!(
        verify_access(&forged, &for_api(), &WORLD.tenants),
        Err(FaultClass::Key)
    );
    let token = issue_access(&WORLD.access, &access_claims()).unwrap();
    assert!(verify_access(&token, &for_api().of_tenant("acme"), &WORLD.tenants).is_ok());
    assert_eq!(
        verify_access(&token, &for_api().of_tenant("other"), &WORLD.tenants),
        Err(FaultClass::Tenant)
    );
    assert_eq!(with(&json!({"tid": "other"})), Err(FaultClass::Tenant));
    assert_eq!(with(&json!({"tid": "acme"})), Ok(access_claims()));
}

#[test]
fn a_pulled_key_yields_no_access_and_is_reported_for_refresh() {
    let access = issue_access(&WORLD.pulled, &access_claims()).unwrap();
    assert_eq!(
        verify_access(&access, &for_api(), &WORLD.tenants),
        Err(FaultClass::Key)
    );
    let refresh = issue_refresh(&WORLD.pulled, &refresh_claims()).unwrap();
    let verified = verify_refresh(&refresh, &Expected::refresh(NOW), &WORLD.tenants).unwrap();
    assert!(verified.is_key_revoked);
    let (input, _) = refresh.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}", "A".repeat(86));
    assert_eq!(
        verify_refresh(&forged, &Expected::refresh(NOW), &WORLD.tenants),
        Err(FaultClass::Signature)
    );
}

#[test]
fn a_refresh_token_is_never_too_new() {
    let token = issue_refresh(&WORLD.refresh, &refresh_claims()).unwrap();
    let at = |now| verify_refresh(&token, &Expected::refresh(now), &WORLD.tenants).map(|_| ());
    assert_eq!(at(NOW), Ok(()));
    assert_eq!(at(NOW - 3600), Ok(()));
    assert_eq!(at(u32::MAX), Err(FaultClass::Exp));
}

#[test]
fn leeway_is_for_clocks_ahead_and_never_lengthens_a_life() {
    let at = |now| {
        let token = issue_access(&WORLD.access, &access_claims()).unwrap();
        let expected = Expected { now, ..for_api() };
        verify_access(&token, &expected, &WORLD.tenants).map(|_| ())
    };
    assert_eq!(at(NOW + 299), Ok(()));
    assert_eq!(at(NOW + 300), Err(FaultClass::Exp));
    assert_eq!(at(NOW - 5), Ok(()));
    assert_eq!(at(NOW - 6), Err(FaultClass::Iat));
    assert_eq!(at(u32::MAX), Err(FaultClass::Exp));
    assert!(with(&json!({"nbf": NOW + 5})).is_ok());
    assert_eq!(with(&json!({"nbf": NOW + 6})), Err(FaultClass::Nbf));
    assert!(with(&json!({"auth_time": NOW + 5})).is_ok());
    assert_eq!(
        with(&json!({"auth_time": NOW + 6})),
        Err(FaultClass::Claims)
    );
}

#[test]
fn a_token_that_is_over_can_be_read_for_revocation() {
    let token = issue_access(&WORLD.access, &access_claims()).unwrap();
    let expected = Expected {
        expiry: Expiry::Ignore,
        ..Expected::access(Audience::Any, NOW + 1_000_000)
    };
    assert_eq!(
        verify(&token, &expected, &WORLD.tenants)
            .unwrap()
            .claims
            .expires,
        NOW + 300
    );
}

#[test]
fn a_session_token_has_all_that_belongs_to_one() {
    for name in [
        "fam",
        "acr",
        "amr",
        "auth_time",
        "sid",
        "sub",
        "jti",
        "client_id",
        "iat",
    ] {
        assert_eq!(
            with(&json!({name: null})),
            Err(FaultClass::Claims),
            "{name}"
        );
    }
    for changes in [
        json!({"fam": 0}),
        json!({"fam": -1}),
        json!({"fam": 4_294_967_296_u64}),
        json!({"sid": "s-1"}),
        json!({"acr": "urn:argus:acr:4"}),
        json!({"acr": 2}),
        json!({"amr": ["pwd", 1]}),
        json!({"amr": ["magic"]}),
        json!({"auth_time": "1"}),
        json!({"scope": ["read"]}),
        json!({"groups": "staff"}),
        json!({"cnf": {}}),
        json!({"cnf": {"kid": "k"}}),
        json!({"cnf": {"jkt": "a", "x5t#S256": "b"}}),
        json!({"sub": ""}),
        json!({"sub": "a\nb"}),
        json!({"jti": "j".repeat(256)}),
        json!({"client_id": 1}),
    ] {
        assert_eq!(with(&changes), Err(FaultClass::Claims), "{changes}");
    }
}

#[test]
fn times_are_whole_seconds() {
    for (name, class) in [
        ("exp", FaultClass::Exp),
        ("iat", FaultClass::Iat),
        ("nbf", FaultClass::Nbf),
    ] {
        for value in [
            json!("1"),
            json!(1.5),
            json!(1e9),
            json!(-1),
            json!(true),
            json!([]),
            json!(1_800_000_000_000_u64),
        ] {
            assert_eq!(with(&json!({name: value})), Err(class), "{name} {value}");
        }
    }
}

#[test]
fn a_client_token_is_of_the_client_itself() {
    let as_user = AccessClaims {
        subject: "u-1".to_owned(),
        ..client_claims()
    };
    let token = issue_access(&WORLD.access, &as_user).unwrap();
    let expected = Expected::access(Audience::Issuer, NOW);
    assert_eq!(
        verify_access(&token, &expected, &WORLD.tenants),
        Err(FaultClass::Claims)
    );
}

#[test]
fn no_token_lives_longer_than_a_policy_allows() {
    let exp = |lifetime: u32| with(&json!({"exp": NOW + lifetime})).map(|_| ());
    assert_eq!(exp(MAX_ACCESS_LIFE), Ok(()));
    assert_eq!(exp(MAX_ACCESS_LIFE + 1), Err(FaultClass::Lifetime));
    let refresh = |lifetime: u32| {
        let claims = RefreshClaims {
            expires: NOW + lifetime,
            issued: NOW,
            ..refresh_claims()
        };
        let token = issue_refresh(&WORLD.refresh, &claims).unwrap();
        verify_refresh(&token, &Expected::refresh(NOW), &WORLD.tenants).map(|_| ())
    };
    assert_eq!(refresh(MAX_REFRESH_LIFE), Ok(()));
    assert_eq!(
        refresh(MAX_REFRESH_LIFE + LEEWAY + 1),
        Err(FaultClass::Lifetime)
    );
}

#[test]
fn a_refresh_token_is_for_its_issuer_alone() {
    let mut payload = serde_json::to_value(refresh_claims()).unwrap();
    let kid = WORLD.refresh.kid();
    let header = format!(r#"{{"alg":"EdDSA","typ":"rt+jwt","kid":"{kid}"}}"#);
    for (audience, verdict) in [
        (json!([ISSUER]), Ok(())),
        (json!([ISSUER, API]), Err(FaultClass::Aud)),
        (json!([API]), Err(FaultClass::Aud)),
    ] {
        payload["aud"] = audience;
        let token = sign(&WORLD.refresh, &header, &payload.to_string());
        let read = verify_refresh(&token, &Expected::refresh(NOW), &WORLD.tenants);
        assert_eq!(read.map(|_| ()), verdict, "{payload}");
    }
}
