//! `DPoP` proofs: the RFC's examples, another library's proofs, and a bad one of every class of fault.
#![allow(clippy::unwrap_used)]

mod support;

use argus_core::token::dpop::{
    MAX_PROOF_AGE, MAX_PROOF_ID_LEN, MAX_PROOF_LEN, PROOF_LEEWAY, check,
};
use argus_core::token::{CheckedProof, FaultClass, HttpRequest, HttpUri, base64url};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::proofs::{ACCESS_TOKEN, Client, METHOD, NOW, URI};

fn check_for(
    proof: &str,
    method: &str,
    uri: &str,
    access_token: Option<&str>,
    now: u32,
) -> Result<CheckedProof, FaultClass> {
    let uri = HttpUri::parse(uri).unwrap();
    let request = HttpRequest {
        method,
        uri: &uri,
        access_token,
    };
    check(proof, &request, now)
}

fn checked(proof: &str) -> Result<CheckedProof, FaultClass> {
    check_for(proof, METHOD, URI, Some(ACCESS_TOKEN), NOW)
}

/// RFC 9449, figures 2 and 12: the proofs of a token request and of a request to a protected resource.
#[test]
fn rfc_9449_examples_are_good_at_their_time() {
    const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUk\
        lDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydi\
        I6IlAtMjU2In19";
    const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let token_request = format!(
        "{HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2\
        VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    );
    let resource_request = format!(
        "{HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm\
        90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFby\
        J9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let good = check_for(&token_request, "POST", URI, None, 1_562_262_616).unwrap();
    assert_eq!(good.confirmation.thumbprint(), THUMBPRINT);
    assert_eq!(good.token_id, "-BwC3ESc6acc2lTc");
    let resource = "https://resource.example.org/protectedresource";
    let good = check_for(
        &resource_request,
        "GET",
        resource,
        Some(TOKEN),
        1_562_262_618,
    )
    .unwrap();
    assert_eq!(good.confirmation.thumbprint(), THUMBPRINT);
    let other = check_for(
        &resource_request,
        "GET",
        resource,
        Some("other"),
        1_562_262_618,
    );
    assert_eq!(other, Err(FaultClass::Ath));
}

/// Made by the npm package `dpop`: every algorithm that it and Argus know.
#[test]
fn proofs_of_another_library_are_good() {
    let made: Value =
        serde_json::from_str(include_str!("data/dpop_proofs_of_another_library.json")).unwrap();
    let token = made["access_token"].as_str();
    let resource = "https://resource.example.org/protectedresource";
    let proofs = made["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 4);
    for proof in proofs {
        let (refresh, verify) = (
            proof["refresh"].as_str().unwrap(),
            proof["verify"].as_str().unwrap(),
        );
        let now = 1_795_340_505;
        for good in [
            check_for(refresh, "POST", URI, None, now).unwrap(),
            check_for(verify, "GET", resource, token, now).unwrap(),
        ] {
            assert_eq!(
                good.confirmation.thumbprint(),
                proof["jkt"],
                "{}",
                proof["alg"]
            );
        }
        assert_eq!(
            check_for(refresh, "POST", URI, token, now),
            Err(FaultClass::Ath)
        );
    }
}

#[test]
fn a_header_may_say_what_does_not_matter() {
    let client = Client::new();
    for header in [
        json!({}),
        json!({"typ": "DPoP+JWT"}),
        json!({"typ": "application/dpop+jwt"}),
        json!({"kid": "../../etc/passwd", "foo": 1}),
        json!({"jwk": client.jwk(&json!({"kid": "a", "use": "sig", "alg": "ES256", "key_ops": ["verify"], "ext": true}))}),
    ] {
        assert!(
            checked(&client.proof(&header, &json!({}))).is_ok(),
            "{header}"
        );
    }
    for claims in [
        json!({"nonce": "any", "exp": NOW + 1, "nbf": NOW, "foo": [1]}),
        json!({"htu": "HTTPS://SERVER.example.com:443/x/../token?a#b"}),
        json!({"jti": "j".repeat(MAX_PROOF_ID_LEN)}),
    ] {
        assert!(
            checked(&client.proof(&json!({}), &claims)).is_ok(),
            "{claims}"
        );
    }
}

#[test]
fn bad_headers_are_refused_by_class() {
    let client = Client::new();
    let jwk = |changes: Value| json!({"jwk": client.jwk(&changes)});
    let (x, y) = (
        client.header["jwk"]["x"].clone(),
        client.header["jwk"]["y"].clone(),
    );
    let not_on_the_curve = base64url::encode(&[1; 32]);
    let cases = [
        (
            FaultClass::Typ,
            vec![
                json!({"typ": "JWT"}),
                json!({"typ": "at+jwt"}),
                json!({"typ": null}),
                json!({"typ": 1}),
            ],
        ),
        (
            FaultClass::Alg,
            ["none", "None", "HS256", "ES384", "es256", "RS1", ""]
                .into_iter()
                .map(|alg| json!({"alg": alg}))
                .chain([json!({"alg": null}), json!({"alg": ["ES256"]})])
                .collect(),
        ),
        (
            FaultClass::Key,
            vec![
                json!({"jwk": null, "kid": "a"}),
                json!({"jwk": "a"}),
                json!({"jwk": [client.jwk(&json!({}))]}),
                json!({"alg": "EdDSA"}),
                json!({"alg": "RS256"}),
                json!({"jku": "https://a.example/"}),
                json!({"x5c": []}),
                json!({"x5t#S256": "a"}),
                jwk(json!({"d": "AA"})),
                jwk(json!({"k": "AA"})),
                jwk(json!({"oth": []})),
                jwk(json!({"kty": "oct"})),
                jwk(json!({"crv": "P-384"})),
                jwk(json!({"crv": null})),
                jwk(json!({"use": "enc"})),
                jwk(json!({"key_ops": ["sign"]})),
                jwk(json!({"alg": "ES384"})),
                jwk(json!({"alg": 1})),
                jwk(json!({"y": null})),
                jwk(json!({"x": y, "y": x})),
                jwk(json!({"x": not_on_the_curve})),
                jwk(json!({"x": "AA"})),
                jwk(json!({"x": 1})),
            ],
        ),
        (
            FaultClass::Crit,
            vec![
                json!({"crit": ["htm"], "htm": 1}),
                json!({"crit": []}),
                json!({"b64": true}),
            ],
        ),
        (
            FaultClass::Claims,
            vec![json!({"cty": "JWT"}), json!({"zip": "DEF"})],
        ),
    ];
    for (class, headers) in cases {
        for header in headers {
            let proof = client.proof(&header, &json!({}));
            assert_eq!(checked(&proof), Err(class), "{header}");
        }
    }
}

#[test]
fn bad_claims_are_refused_by_class() {
    let client = Client::new();
    let cases = [
        (
            FaultClass::Claims,
            vec![
                json!({"jti": null}),
                json!({"jti": ""}),
                json!({"jti": 1}),
                json!({"jti": "a\u{7}"}),
                json!({"jti": "j".repeat(MAX_PROOF_ID_LEN + 1)}),
            ],
        ),
        (
            FaultClass::Htm,
            vec![
                json!({"htm": "GET"}),
                json!({"htm": "post"}),
                json!({"htm": null}),
                json!({"htm": ["POST"]}),
            ],
        ),
        (
            FaultClass::Htu,
            vec![
                json!({"htu": "http://server.example.com/token"}),
                json!({"htu": "https://server.example.com/token/"}),
                json!({"htu": "https://server.example.com.evil.example/token"}),
                json!({"htu": "/token"}),
                json!({"htu": null}),
                json!({"htu": 1}),
            ],
        ),
        (
            FaultClass::Iat,
            vec![
                json!({"iat": null}),
                json!({"iat": "1800000000"}),
                json!({"iat": 1_800_000_000.5}),
                json!({"iat": -1}),
                json!({"iat": u64::from(NOW) * 1000}),
                json!({"iat": NOW - MAX_PROOF_AGE - 1}),
                json!({"iat": NOW + PROOF_LEEWAY + 1}),
            ],
        ),
        (
            FaultClass::Exp,
            vec![json!({"exp": NOW}), json!({"exp": "later"})],
        ),
        (
            FaultClass::Nbf,
            vec![json!({"nbf": NOW + PROOF_LEEWAY + 1})],
        ),
        (
            FaultClass::Ath,
            vec![
                json!({"ath": null}),
                json!({"ath": ""}),
                json!({"ath": ACCESS_TOKEN}),
            ],
        ),
    ];
    for (class, all) in cases {
        for claims in all {
            let proof = client.proof(&json!({}), &claims);
            assert_eq!(checked(&proof), Err(class), "{claims}");
        }
    }
}

#[test]
fn bad_forms_are_refused_by_class() {
    let client = Client::new();
    let (header, claims) = (
        Value::Object(client.header.clone()).to_string(),
        Value::Object(client.claims.clone()).to_string(),
    );
    let good = client.sign(&header, &claims);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let of_another = Client::new().sign(&header, &claims);
    let twice = |text: &str| text.replacen('{', r#"{"htm":"POST","alg":"ES256","#, 1);
    let long = format!("{{\"x\":\"{}\",{}", "a".repeat(MAX_PROOF_LEN), &claims[1..]);
    for (class, proof) in [
        (FaultClass::Size, client.sign(&header, &long)),
        (FaultClass::Structure, String::new()),
        (FaultClass::Structure, input.to_owned()),
        (FaultClass::Structure, format!("{good}.{signature}")),
        (FaultClass::Structure, format!("{good}, {good}")),
        (FaultClass::Base64, format!("{good}=")),
        (FaultClass::Base64, format!("{good} ")),
        (FaultClass::Json, client.sign(&twice(&header), &claims)),
        (FaultClass::Json, client.sign(&header, &twice(&claims))),
        (FaultClass::Json, client.sign("[]", &claims)),
        (FaultClass::Json, client.sign(&header, "\"POST\"")),
        (FaultClass::Signature, of_another),
        (FaultClass::Signature, format!("{input}.")),
        (
            FaultClass::Signature,
            format!("{input}.{}", &signature[..signature.len() - 2]),
        ),
        (
            FaultClass::Signature,
            format!("{input}.{}", base64url::encode(&[0; 64])),
        ),
    ] {
        assert_eq!(checked(&proof), Err(class), "{proof}");
    }
    assert!(checked(&good).is_ok());
}

/// Weak RSA keys, and one with a second thumbprint.
#[test]
fn rsa_keys_have_one_form_and_enough_bits() {
    let client = Client::new();
    let modulus = |bits: usize| [&[0x80][..], &vec![1; bits / 8 - 1]].concat();
    let key = |modulus: &[u8], exponent: &[u8]| json!({"kty": "RSA", "n": base64url::encode(modulus), "e": base64url::encode(exponent)});
    let class = |jwk: Value| {
        checked(&client.proof(&json!({"alg": "PS256", "jwk": jwk}), &json!({}))).unwrap_err()
    };
    // A good key, and a signature that is of another one.
    assert_eq!(
        class(key(&modulus(2048), &[1, 0, 1])),
        FaultClass::Signature
    );
    for bad in [
        key(&modulus(1024), &[1, 0, 1]),
        key(&modulus(2040), &[1, 0, 1]),
        key(&modulus(8192), &[1, 0, 1]),
        key(&modulus(2048), &[1]),
        key(&modulus(2048), &[2]),
        key(&modulus(2048), &[0, 1, 0, 1]),
        key(&[&[0], &modulus(2048)[..]].concat(), &[1, 0, 1]),
    ] {
        assert_eq!(class(bad.clone()), FaultClass::Key, "{bad}");
    }
}

#[test]
fn a_proof_is_good_for_a_minute_and_a_clock_a_little_ahead() {
    let proof = Client::new().proof(&json!({}), &json!({}));
    let at = |now| check_for(&proof, METHOD, URI, None, now).map(|_| ());
    assert_eq!(at(NOW - PROOF_LEEWAY), Ok(()));
    assert_eq!(at(NOW - PROOF_LEEWAY - 1), Err(FaultClass::Iat));
    assert_eq!(at(NOW + MAX_PROOF_AGE), Ok(()));
    assert_eq!(at(NOW + MAX_PROOF_AGE + 1), Err(FaultClass::Iat));
    assert_eq!(at(0), Err(FaultClass::Iat));
    assert_eq!(at(u32::MAX), Err(FaultClass::Iat));
}

proptest! {
    /// One changed character anywhere: never good, unless it is the same proof (case of nothing, padding of nothing).
    #[test]
    fn a_changed_proof_is_refused(place: prop::sample::Index, letter in "[A-Za-z0-9_.-]") {
        let proof = Client::new().proof(&json!({}), &json!({}));
        let place = place.index(proof.len());
        let mut changed = proof.clone();
        changed.replace_range(place..=place, &letter);
        prop_assert_eq!(checked(&changed).is_ok(), changed == proof);
    }

    /// Anything at all is answered.
    #[test]
    fn nothing_panics(header in ".{0,60}", claims in ".{0,60}", text in ".{0,80}") {
        prop_assert!(checked(&Client::new().sign(&header, &claims)).is_err());
        prop_assert!(checked(&text).is_err());
    }
}
