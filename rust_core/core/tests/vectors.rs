//! Other people's vectors: attack cases on access tokens, RFC examples, Wycheproof.
//!
//! They are read from the folder `ARGUS_VECTORS`; where none is named or found each test says that it is skipped.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argus_core::token::compact::Compact;
use argus_core::token::{
    Algorithm, Audience, Expected, FaultClass, HttpRequest, HttpUri, SigningKey, TokenType,
    VerifyingKey, base64url, dpop, json, jwk, verify,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use support::{Tenant, Tenants, new_key};

/// A file of vectors, or `None` where no folder is named and none is at the usual place.
fn vectors(name: &str) -> Option<Value> {
    let named = std::env::var_os("ARGUS_VECTORS").map(PathBuf::from);
    let is_named = named.is_some();
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/standards/vectors");
    let path = named.unwrap_or_else(usual).join(name);
    if !is_named && !path.exists() {
        println!("skipped: no {name} (set ARGUS_VECTORS)");
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn number(value: &Value, name: &str) -> u32 {
    value[name].as_u64().unwrap().try_into().unwrap()
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let hex = text(value, name).as_bytes();
    hex.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The token of a case; one that is only described is made here.
fn case_token(case: &Value, basic: &str) -> String {
    if let Some(token) = case["token"].as_str() {
        return token.to_owned();
    }
    // Its signature can't be the right one without the private key; the size is looked at first.
    assert_eq!(text(case, "id"), "token-oversize-1MiB");
    let parts: Vec<&str> = basic.split('.').collect();
    let [header, payload, signature] = <[&str; 3]>::try_from(parts).unwrap();
    let claims = base64url::decode(payload).unwrap();
    let (claims, letters) = (String::from_utf8(claims).unwrap(), "A".repeat(1_000_000));
    let payload = claims.replacen('{', &format!("{{\"x\":\"{letters}\","), 1);
    format!(
        "{header}.{}.{signature}",
        base64url::encode(payload.as_bytes())
    )
}

#[test]
fn rfc_8725_attack_cases() {
    let Some(file) = vectors("jwt-attacks/cases.json") else {
        return;
    };
    let jwk = &file["jwks"]["keys"][0];
    let name = (TokenType::Access, text(jwk, "kid").to_owned());
    let key = jwk::verifying_key(&jwk.to_string()).unwrap();
    let tenants = Tenants(vec![Tenant {
        id: "t-1",
        issuer: text(&file, "issuer").to_owned().leak(),
        keys: HashMap::from([(name, (key, false))]),
    }]);
    let expected = Expected {
        leeway: number(&file, "leeway_s"),
        max_lifetime: Some(number(&file, "max_lifetime_s")),
        ..Expected::access(
            Audience::Resource(text(&file, "audience")),
            number(&file, "clock"),
        )
    };
    let cases = file["cases"].as_array().unwrap();
    let basic = text(&cases[0], "token");
    let mut wrong = Vec::new();
    for case in cases {
        let token = case_token(case, basic);
        let started = Instant::now();
        let fault = verify(&token, &expected, &tenants).err();
        if let Some(longest) = case["max_ms"].as_u64() {
            assert!(
                started.elapsed() <= Duration::from_millis(longest),
                "{case}"
            );
        }
        let found = fault.map_or("", FaultClass::name);
        assert_eq!(
            found.is_empty(),
            case["expect"] == "accept",
            "{}",
            text(case, "id")
        );
        if found != text(case, "error_class") {
            wrong.push(format!(
                "{}: {found}, not {}",
                text(case, "id"),
                text(case, "error_class")
            ));
        }
    }
    assert!(cases.len() >= 94, "{} cases", cases.len());
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn rfc_7638_thumbprints() {
    let Some(file) = vectors("jose/rfc7638_thumbprints.json") else {
        return;
    };
    let mut checked = 0;
    for vector in file.as_array().unwrap() {
        // Argus has no keys on curves of NIST.
        let Ok(key) = jwk::verifying_key(&vector["jwk"].to_string()) else {
            assert_eq!(vector["jwk"]["kty"], "EC");
            continue;
        };
        assert_eq!(key.members().thumbprint(), text(vector, "thumbprint"));
        checked += 1;
    }
    assert_eq!(checked, 2);
}

#[test]
fn rfc_7515_and_7520_rs256_examples() {
    if let Some(file) = vectors("jose/rfc7515_appendix_a.json") {
        let verdicts: Vec<bool> = file
            .as_array()
            .unwrap()
            .iter()
            .map(|vector| accepts(&vector["jwk"], text(vector, "jws")))
            .collect();
        assert_eq!(verdicts, [false, true, false], "HS256, RS256, ES256");
    }
    if let Some(file) = vectors("jose/rfc7520/4_1.rsa_v15_signature.json") {
        assert!(accepts(
            &file["input"]["key"],
            text(&file["output"], "compact")
        ));
    }
}

#[test]
fn rfc_8037_ed25519() {
    let Some(file) = vectors("jose/rfc8037_ed25519_jws.json") else {
        return;
    };
    let jwk = &file["input"]["key"];
    assert!(accepts(jwk, text(&file["output"], "compact")));
    let seed = base64url::decode(text(jwk, "d")).unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let key = SigningKey::from_pkcs8(pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
    assert_eq!(
        base64url::encode(pair.public_key().as_ref()),
        text(jwk, "x")
    );
    let signature = key
        .sign(text(&file["signing"], "sig-input").as_bytes())
        .unwrap();
    assert_eq!(base64url::encode(&signature), text(&file["signing"], "sig"));
}

/// Whether a JWS that need not be a token (any payload, no type) is good under a key, by the same parts that make the
/// verifier.
fn accepts(jwk: &Value, jws: &str) -> bool {
    let (Ok(key), Ok(compact)) = (jwk::verifying_key(&jwk.to_string()), Compact::decode(jws))
    else {
        return false;
    };
    let Ok(header) = json::parse_object(&compact.header) else {
        return false;
    };
    let algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(Algorithm::from_name);
    let signature = compact.signature(key.signature_len());
    algorithm == Some(key.algorithm())
        && signature.is_ok_and(|signature| key.verify(compact.signing_input, &signature).is_ok())
}

#[test]
fn wycheproof_json_web_signature() {
    let Some(file) = vectors("jose/wycheproof_json_web_signature.json") else {
        return;
    };
    let (mut accepted, mut refused) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let jwk = group.get("public").unwrap_or(&group["private"]);
        for test in group["tests"].as_array().unwrap() {
            let verdict = accepts(jwk, text(test, "jws"));
            let is_ours = jwk["alg"] == "RS256" && jwk.get("use").is_none_or(|one| one == "sig");
            assert!(!verdict || test["result"] == "valid", "{test}");
            assert_eq!(verdict, is_ours && test["result"] == "valid", "{test}");
            if verdict { accepted += 1 } else { refused += 1 }
        }
    }
    assert_eq!(accepted + refused, 276);
    assert!(accepted > 0, "some are good");
}

#[test]
fn wycheproof_rsa_signatures() {
    for bits in [2048, 3072] {
        let Some(file) = vectors(&format!("rsa/wycheproof_rsa_signature_{bits}_sha256.json"))
        else {
            return;
        };
        let mut accepted = 0;
        for group in file["testGroups"].as_array().unwrap() {
            let [modulus, exponent] = ["modulus", "publicExponent"].map(|name| {
                let bytes = bytes(&group["publicKey"], name);
                bytes[usize::from(bytes[0] == 0)..].to_vec()
            });
            let key = VerifyingKey::rsa(&modulus, &exponent).unwrap();
            for test in group["tests"].as_array().unwrap() {
                let verdict = key.verify(&bytes(test, "msg"), &bytes(test, "sig")).is_ok();
                // "Acceptable" is a signature with a missing NULL: refusing it is right (RFC 8017, 8.2.2).
                assert_eq!(
                    verdict,
                    test["result"] == "valid",
                    "{bits}: {}",
                    test["tcId"]
                );
                accepted += u32::from(verdict);
            }
        }
        assert!(accepted > 0, "some are good");
    }
}

#[test]
fn the_vectors_can_fail() {
    // Another key under the same name: what was good is not any more.
    let Some(file) = vectors("jwt-attacks/cases.json") else {
        return;
    };
    let key = new_key(Algorithm::Rs256);
    assert!(accepts(
        &file["jwks"]["keys"][0],
        text(&file["cases"][0], "token")
    ));
    assert!(!accepts(
        &serde_json::from_str(&key.public_jwk()).unwrap(),
        text(&file["cases"][0], "token")
    ));
}

#[test]
fn rfc_9449_proofs() {
    let Some(file) = vectors("oauth/rfc9449_dpop.json") else {
        return;
    };
    let request = &file["token_request"];
    let uri = HttpUri::parse(text(request, "htu")).unwrap();
    let is_proof = |case: &&Value| case["header"]["typ"] == "dpop+jwt";
    let cases = file["proofs_and_tokens"].as_array().unwrap();
    let mut count = 0;
    for case in cases.iter().filter(is_proof) {
        let request = HttpRequest {
            method: text(request, "htm"),
            uri: &uri,
            access_token: None,
        };
        let good = dpop::check(text(case, "jwt"), &request, number(&case["payload"], "iat"));
        let good = good.unwrap();
        assert_eq!(good.confirmation.thumbprint(), text(&file, "expected_jkt"));
        assert_eq!(good.token_id, text(&case["payload"], "jti"));
        count += 1;
    }
    assert!(count > 0, "no proofs in the file");
}
