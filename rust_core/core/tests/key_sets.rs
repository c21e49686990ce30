//! Which keys of an issuer's set are taken.
#![allow(clippy::unwrap_used)]

mod support;

use argus_core::token::jwk_set::{
    EntryRefused, KeySet, MAX_NAME_LEN, MAX_SET_LEN, NotAKeySet, read,
};
use argus_core::token::keys::KeyRefused;
use argus_core::token::{Algorithm, SigningKey};
use serde_json::{Value, json};
use support::new_key;

fn jwk_of(key: &SigningKey) -> Value {
    serde_json::from_str(&key.public_jwk()).unwrap()
}

fn read_of(keys: &[Value]) -> KeySet {
    read(json!({"keys": keys, "more": 1}).to_string().as_bytes()).unwrap()
}

#[test]
fn keys_are_found_by_name_whatever_stands_beside_them() {
    let (rsa, ed25519) = (new_key(Algorithm::Rs256), new_key(Algorithm::EdDsa));
    let set = read_of(&[json!({"kty": "EC"}), jwk_of(&rsa), jwk_of(&ed25519)]);
    assert_eq!(set.keys.len(), 2);
    for key in [&rsa, &ed25519] {
        let signature = key.sign(b"message").unwrap();
        assert_eq!(set.keys[key.kid()].verify(b"message", &signature), Ok(()));
    }
    assert_eq!(set.refused, [(String::new(), EntryRefused::Nameless)]);
    assert!(read_of(&[]).keys.is_empty());
}

/// A token may not have so many values; a set has keys for as many as its length lets in.
#[test]
fn a_set_may_have_many_keys() {
    let one = jwk_of(&new_key(Algorithm::EdDsa));
    let named = |number: usize| {
        let mut key = one.clone();
        key["kid"] = number.to_string().into();
        key
    };
    let many: Vec<Value> = (0..300).map(named).collect();
    assert_eq!(read_of(&many).keys.len(), 300);
}

/// J13 of the checklist: what is no key to verify with, is none, and takes none of the others along.
#[test]
fn keys_that_do_not_verify_are_left_out() {
    let good = jwk_of(&new_key(Algorithm::EdDsa));
    let rsa = jwk_of(&new_key(Algorithm::Rs256));
    let with = |name: &str, value: Value| {
        let mut changed = rsa.clone();
        changed[name] = value;
        changed
    };
    let unsupported = EntryRefused::Key(KeyRefused::Unsupported);
    let exponent = EntryRefused::Key(KeyRefused::Exponent);
    for (entry, refusal) in [
        (json!({"kty": "oct", "kid": "k"}), unsupported),
        (
            json!({"kty": "oct", "kid": "k", "k": "AQAB"}),
            EntryRefused::Private,
        ),
        (with("d", json!("AQAB")), EntryRefused::Private),
        (with("use", json!("enc")), unsupported),
        (with("key_ops", json!(["sign"])), unsupported),
        (with("alg", json!("HS256")), unsupported),
        (with("alg", json!("none")), unsupported),
        (
            with("n", json!("AQAB")),
            EntryRefused::Key(KeyRefused::Size),
        ),
        (with("e", json!("AQ")), exponent),
        (with("e", json!("AQAA")), exponent),
        (with("kid", json!("")), EntryRefused::Nameless),
        (with("kid", json!(7)), EntryRefused::Nameless),
        (
            with("kid", json!("k".repeat(MAX_NAME_LEN + 1))),
            EntryRefused::Nameless,
        ),
    ] {
        let set = read_of(&[entry.clone(), good.clone()]);
        assert_eq!(set.refused.len(), 1, "{entry}");
        assert_eq!(set.refused[0].1, refusal, "{entry}");
        assert_eq!(set.keys.len(), 1, "{entry}");
    }
}

#[test]
fn a_name_of_two_keys_is_the_name_of_none() {
    let mut one = jwk_of(&new_key(Algorithm::Rs256));
    let other = jwk_of(&new_key(Algorithm::EdDsa));
    one["kid"] = other["kid"].clone();
    let set = read_of(&[one.clone(), other.clone()]);
    assert!(set.keys.is_empty());
    assert!(
        set.refused
            .iter()
            .all(|(_, why)| *why == EntryRefused::Ambiguous)
    );
    // One that could not be used in any case takes nobody's name.
    one["use"] = json!("enc");
    assert_eq!(read_of(&[one, other]).keys.len(), 1);
}

#[test]
fn what_is_no_key_set_is_refused_whole() {
    let padded = |len: usize| format!("{{\"keys\":[]{}}}", " ".repeat(len - 11));
    assert!(read(padded(MAX_SET_LEN).as_bytes()).is_ok());
    for text in [
        &padded(MAX_SET_LEN + 1),
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kid":"a","kid":"b"}]}"#,
        "\u{feff}{\"keys\":[]}",
    ] {
        assert_eq!(read(text.as_bytes()).err(), Some(NotAKeySet), "{text:.40}");
    }
}
