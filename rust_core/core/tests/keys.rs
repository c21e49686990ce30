//! Which keys are taken, and what is told of them.
//!
//! The keys in `data` were made with `openssl genpkey` and are public: never to be trusted.
#![allow(clippy::unwrap_used)]

mod support;

use argus_core::token::keys::{KeyRefused, RsaSize};
use argus_core::token::{Algorithm, SigningKey, VerifyingKey, generate_ed25519, generate_rsa, jwk};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use support::new_key;

fn jwk_of(key: &SigningKey) -> Value {
    serde_json::from_str(&key.public_jwk()).unwrap()
}

#[test]
fn rsa_keys_of_every_size_sign() {
    for size in RsaSize::ALL {
        let key = SigningKey::from_pkcs8(&generate_rsa(size).unwrap()).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Rs256);
        let signature = key.sign(b"message").unwrap();
        assert_eq!(signature.len(), size.modulus_len());
        assert_eq!(key.public().verify(b"message", &signature), Ok(()));
        assert!(key.public().verify(b"massage", &signature).is_err());
    }
    assert_eq!(RsaSize::from_bits(1024), None);
}

#[test]
fn a_key_is_the_same_each_time_it_is_read() {
    for der in [
        generate_rsa(RsaSize::Bits2048).unwrap(),
        generate_ed25519().unwrap(),
    ] {
        let [one, two] = [&der, &der].map(|der| SigningKey::from_pkcs8(der).unwrap());
        assert_eq!(one.kid(), two.kid());
        assert_eq!(one.sign(b"message"), two.sign(b"message"));
    }
}

#[test]
fn the_public_jwk_holds_nothing_private() {
    let rsa = new_key(Algorithm::Rs256);
    let names: Vec<String> = jwk_of(&rsa).as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(jwk_of(&rsa)["e"], "AQAB");
    let ed25519 = new_key(Algorithm::EdDsa);
    let names: Vec<String> = jwk_of(&ed25519)
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    for key in [rsa, ed25519] {
        let read = jwk::verifying_key(&key.public_jwk()).unwrap();
        assert_eq!(read.members().thumbprint(), key.kid());
        assert_eq!(read.algorithm(), key.algorithm());
        assert!(
            read.verify(b"message", &key.sign(b"message").unwrap())
                .is_ok()
        );
    }
}

#[test]
fn weak_and_foreign_private_keys_are_refused() {
    let refused = |der: &[u8]| SigningKey::from_pkcs8(der).unwrap_err();
    assert_eq!(
        refused(include_bytes!("data/rsa_1024.der")),
        KeyRefused::Malformed
    );
    assert_eq!(
        refused(include_bytes!("data/rsa_2560.der")),
        KeyRefused::Size
    );
    assert_eq!(
        refused(include_bytes!("data/rsa_2048_e3.der")),
        KeyRefused::Exponent
    );
    let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .unwrap();
    assert_eq!(refused(p256.as_ref()), KeyRefused::Malformed);
    for bytes in [&b""[..], b"-----BEGIN PRIVATE KEY-----", &[0x30; 100]] {
        assert_eq!(refused(bytes), KeyRefused::Malformed);
    }
}

#[test]
fn public_keys_for_anything_else_are_refused() {
    let jwk = jwk_of(&new_key(Algorithm::Rs256));
    let with = |name: &str, value: Value| {
        let mut changed = jwk.clone();
        changed[name] = value;
        jwk::verifying_key(&changed.to_string()).map(|_| ())
    };
    assert_eq!(with("key_ops", json!(["verify"])), Ok(()));
    for (name, value, refusal) in [
        ("kty", json!("oct"), KeyRefused::Unsupported),
        ("kty", json!("EC"), KeyRefused::Unsupported),
        ("kty", json!("OKP"), KeyRefused::Unsupported),
        ("use", json!("enc"), KeyRefused::Unsupported),
        ("use", json!(1), KeyRefused::Unsupported),
        ("key_ops", json!(["sign"]), KeyRefused::Unsupported),
        ("key_ops", json!("verify"), KeyRefused::Unsupported),
        ("alg", json!("PS256"), KeyRefused::Unsupported),
        ("alg", json!("HS256"), KeyRefused::Unsupported),
        ("e", json!("AQ"), KeyRefused::Exponent),
        ("e", json!("AQAA"), KeyRefused::Exponent),
        ("e", json!(""), KeyRefused::Exponent),
        ("e", json!("AQAB="), KeyRefused::Malformed),
        ("n", json!("AQAB"), KeyRefused::Size),
        ("n", json!(1), KeyRefused::Malformed),
    ] {
        assert_eq!(with(name, value.clone()), Err(refusal), "{name} {value}");
    }
    for modulus in [
        &[0x7f; 256][..],
        &[0xff; 255],
        &[0; 256],
        &[0xff; 1025],
        &[],
    ] {
        let refusal = VerifyingKey::rsa(modulus, &[1, 0, 1]).unwrap_err();
        assert_eq!(refusal, KeyRefused::Size, "{} bytes", modulus.len());
    }
    assert_eq!(
        VerifyingKey::ed25519(&[1; 31]).unwrap_err(),
        KeyRefused::Malformed
    );
}

#[test]
fn a_secret_is_never_shown() {
    let key = new_key(Algorithm::EdDsa);
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.kid()));
}
