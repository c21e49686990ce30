//! Seeds that are texts: tokens, keys, proofs.

use argus_core::token::dpop::access_token_hash;
use argus_fuzz::forge::KEYS;
use argus_fuzz::vectors::Seed;
use argus_samples::{ISSUER, NOW, OTHER_ISSUER, OTHER_TENANT, RESOURCE, TENANT};
use serde_json::{Value, json};

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    [tokens(), keys(), proofs()].concat()
}

fn seed(target: &'static str, name: &str, text: impl Into<Vec<u8>>) -> Seed {
    (target, name.to_owned(), text.into())
}

/// An object with members changed; null takes one out.
fn changed(base: &Value, changes: &Value) -> Value {
    let mut object = base.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        object.insert(name.clone(), value.clone());
        if value.is_null() {
            object.remove(name);
        }
    }
    Value::Object(object)
}

fn access_claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "u-1", "aud": RESOURCE, "exp": NOW + 300, "iat": NOW,
        "jti": "AQEBAQEBAQEBAQEBAQEBAQ", "client_id": "web", "scope": "things.read",
        "sid": "AKsAAAAAAAAAAAAAAAAAAAAA", "fam": 1, "acr": "urn:argus:acr:1", "amr": ["pwd"], "auth_time": NOW - 9,
    })
}

fn refresh_claims() -> Value {
    let more = json!({"aud": ISSUER, "gen": 2, "jk": 0, "exp": NOW + 86_400});
    changed(&access_claims(), &more)
}

fn tokens() -> Vec<Seed> {
    let (rsa, ed25519) = (KEYS.rsa.kid(), KEYS.ed25519.kid());
    let (pulled, other) = (KEYS.pulled.kid(), KEYS.other.kid());
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": ed25519});
    let of = |name: &str, header_changes: Value, claim_changes: Value| {
        let header = changed(&header, &header_changes);
        let claims = changed(&access_claims(), &claim_changes);
        seed("token", name, format!("{header}\n{claims}"))
    };
    let refresh_under = |kid: &str, name: &str, claim_changes: Value| {
        let header = changed(&header, &json!({"typ": "rt+jwt", "kid": kid}));
        let claims = changed(&refresh_claims(), &claim_changes);
        seed("token", name, format!("{header}\n{claims}"))
    };
    let refresh = |name: &str, claim_changes: Value| refresh_under(ed25519, name, claim_changes);
    let text = |name: &str, claims: &str| seed("token", name, format!("{header}\n{claims}"));
    let client = json!({
        "sub": "web", "sid": null, "fam": null, "acr": null, "amr": null, "auth_time": null,
    });
    let short = access_claims().to_string();
    let with = |more: &str| format!("{{{more},{}", &short[1..]);
    vec![
        of("good-access-of-a-session", json!({}), json!({})),
        of("good-access-of-a-client", json!({}), client),
        of(
            "good-access-rs256",
            json!({"alg": "RS256", "kid": rsa}),
            json!({}),
        ),
        of(
            "good-access-media-type",
            json!({"typ": "Application/AT+jwt"}),
            json!({}),
        ),
        of(
            "good-access-unknown-header",
            json!({"x": [1, {"y": 2}]}),
            json!({}),
        ),
        of(
            "good-access-audiences",
            json!({}),
            json!({"aud": ["a", RESOURCE]}),
        ),
        of("good-access-bound", json!({}), json!({"cnf": {"jkt": "k"}})),
        of(
            "good-access-bound-mtls",
            json!({}),
            json!({"cnf": {"x5t#S256": "k"}}),
        ),
        of(
            "good-access-groups",
            json!({}),
            json!({"groups": ["a", "ü"]}),
        ),
        of(
            "good-access-tid-and-use",
            json!({}),
            json!({"tid": TENANT, "token_use": "access"}),
        ),
        of("good-access-nbf", json!({}), json!({"nbf": NOW})),
        of("good-access-leeway", json!({}), json!({"iat": NOW + 5})),
        text(
            "good-access-spaces-and-escapes",
            &with(r#" "\u0078" : [ -1.5e-3 , null ] "#),
        ),
        refresh("good-refresh", json!({})),
        refresh(
            "good-refresh-more",
            json!({"resource": [RESOURCE], "groups": ["a"]}),
        ),
        refresh(
            "good-refresh-bound",
            json!({"cnf": {"jkt": "k"}, "jk": 255, "gen": 7}),
        ),
        refresh(
            "good-refresh-bound-mtls",
            json!({"cnf": {"x5t#S256": "k"}, "acr": "urn:argus:acr:3"}),
        ),
        refresh(
            "good-refresh-methods",
            json!({"amr": ["mfa", "pwd", "otp", "pwd"], "groups": ["b", "a"], "resource": []}),
        ),
        refresh_under(
            other,
            "good-refresh-of-another-tenant",
            json!({"iss": OTHER_ISSUER, "aud": OTHER_ISSUER, "tid": OTHER_TENANT}),
        ),
        refresh_under(pulled, "good-refresh-under-a-pulled-key", json!({})),
        refresh_under(other, "bad-refresh-under-anothers-key", json!({})),
        of(
            "good-access-step-up",
            json!({}),
            json!({"acr": "urn:argus:acr:2", "amr": ["otp", "mfa"], "cnf": {"jkt": "k"}, "groups": ["g"]}),
        ),
        of(
            "good-access-with-claims-of-a-refresh-token",
            json!({}),
            json!({"gen": "x", "jk": 256, "resource": 1}),
        ),
        of(
            "good-access-of-another-tenant",
            json!({"kid": other}),
            json!({"iss": OTHER_ISSUER, "tid": OTHER_TENANT}),
        ),
        of("bad-under-anothers-key", json!({"kid": other}), json!({})),
        of(
            "bad-of-another-tenant-under-our-key",
            json!({}),
            json!({"iss": OTHER_ISSUER}),
        ),
        of(
            "bad-tenant-that-there-is",
            json!({}),
            json!({"tid": OTHER_TENANT}),
        ),
        of("bad-under-a-pulled-key", json!({"kid": pulled}), json!({})),
        of("bad-alg-none", json!({"alg": "none"}), json!({})),
        of("bad-alg-of-another-key", json!({"kid": rsa}), json!({})),
        of("bad-alg-hs256", json!({"alg": "HS256"}), json!({})),
        of("bad-kid-unknown", json!({"kid": "../../etc"}), json!({})),
        of("bad-key-brought", json!({"jwk": {"kty": "OKP"}}), json!({})),
        of("bad-crit", json!({"crit": ["exp"]}), json!({})),
        of("bad-typ", json!({"typ": "JWT"}), json!({})),
        of("bad-typ-and-claims", json!({"typ": "rt+jwt"}), json!({})),
        of("bad-nested", json!({"cty": "JWT"}), json!({})),
        of("bad-exp-now", json!({}), json!({"exp": NOW})),
        of(
            "bad-exp-milliseconds",
            json!({}),
            json!({"exp": 1_800_000_300_000_u64}),
        ),
        of("bad-exp-text", json!({}), json!({"exp": "1800000300"})),
        of("bad-lifetime", json!({}), json!({"exp": NOW + 86_401})),
        of("bad-nbf", json!({}), json!({"nbf": NOW + 6})),
        of("bad-iat", json!({}), json!({"iat": NOW + 6})),
        of(
            "bad-issuer",
            json!({}),
            json!({"iss": format!("{ISSUER}/")}),
        ),
        of(
            "bad-audience",
            json!({}),
            json!({"aud": [format!("{RESOURCE}/")]}),
        ),
        of("bad-tenant", json!({}), json!({"tid": "other"})),
        of("bad-use", json!({}), json!({"token_use": "refresh"})),
        of(
            "bad-sid",
            json!({}),
            json!({"sid": "AKsAAAAAAAAAAAAAAAAAAAA="}),
        ),
        of("bad-family", json!({}), json!({"fam": 0})),
        of(
            "bad-cnf",
            json!({}),
            json!({"cnf": {"jkt": "k", "x5t#S256": "k"}}),
        ),
        of("bad-amr", json!({}), json!({"amr": ["magic"]})),
        text("bad-duplicate", &with(r#""exp":1"#)),
        text("bad-duplicate-inside", &with(r#""x":{"a":1,"\u0061":2}"#)),
        text(
            "bad-exp-float",
            &short.replace("\"exp\":1800000300", "\"exp\":1800000300.0"),
        ),
        text(
            "bad-deep",
            &with(&format!("\"x\":{}{}", "[".repeat(16), "]".repeat(16))),
        ),
        text("bad-digits", &with("\"x\":123456789012345678901")),
        text("bad-surrogate", &with(r#""x":"\ud83d""#)),
        text("bad-nan", &with("\"x\":NaN")),
        text("bad-mark", &format!("\u{feff}{short}")),
        text("bad-trailing", &format!("{short}{{}}")),
        text("bad-array", &format!("[{short}]")),
        // What costs the most memory for its length: many small objects.
        text(
            "good-wasteful",
            &with(&format!("\"x\":[{}1]", r#"{"":0},"#.repeat(119))),
        ),
        text(
            "bad-wasteful",
            &with(&format!("\"x\":[{}1]", r#"{"":0},"#.repeat(700))),
        ),
        seed("token", "bad-empty", ""),
        seed("token", "bad-dots", "..."),
        seed("token", "bad-three-empty-parts", ".."),
        seed("token", "bad-padding", "e30=.e30.AA"),
        seed("token", "bad-alphabet", "e30.e+/0.AA"),
        seed("token", "bad-trailing-bits", "e31.e30.AA"),
        seed("token", "bad-long", format!("e30.{}.AA", "A".repeat(8200))),
        seed("token", "bad-not-utf-8", [b'e', 0xff, b'.', b'.']),
    ]
}

fn keys() -> Vec<Seed> {
    let rsa: Value = serde_json::from_str(&KEYS.rsa.public_jwk()).unwrap();
    let ed25519: Value = serde_json::from_str(&KEYS.ed25519.public_jwk()).unwrap();
    // The key of RFC 7517's kind: a point of P-256, here its base point.
    let p256 = json!({
        "kty": "EC", "crv": "P-256", "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
        "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
    });
    let of = |name: &str, key: &Value, changes: Value| {
        seed("jwk", name, changed(key, &changes).to_string())
    };
    vec![
        of("good-rsa", &rsa, json!({})),
        of(
            "good-rsa-bare",
            &rsa,
            json!({"use": null, "alg": null, "kid": null}),
        ),
        of("good-rsa-for-ps256", &rsa, json!({"alg": "PS256"})),
        of(
            "good-rsa-operations",
            &rsa,
            json!({"key_ops": ["sign", "verify"]}),
        ),
        of("good-rsa-exponent-3", &rsa, json!({"e": "Aw"})),
        of("good-rsa-private", &rsa, json!({"d": "AQ"})),
        of("good-ed25519", &ed25519, json!({})),
        of(
            "good-ed25519-other-name",
            &ed25519,
            json!({"alg": "Ed25519"}),
        ),
        of("good-p256", &p256, json!({})),
        of("bad-p256-off-the-curve", &p256, json!({"y": p256["x"]})),
        of("bad-p256-private", &p256, json!({"d": "AQ"})),
        of("bad-rsa-even", &rsa, json!({"e": "Ag"})),
        of("bad-rsa-exponent-1", &rsa, json!({"e": "AQ"})),
        of("bad-rsa-exponent-zero", &rsa, json!({"e": "AAEAAQ"})),
        of("bad-rsa-small", &rsa, json!({"n": "A".repeat(171) + "A"})),
        of("bad-rsa-for-encryption", &rsa, json!({"use": "enc"})),
        of("bad-rsa-operations", &rsa, json!({"key_ops": ["sign"]})),
        of("bad-rsa-rs512", &rsa, json!({"alg": "RS512"})),
        of("bad-ed25519-short", &ed25519, json!({"x": "AQ"})),
        of("bad-ed448", &ed25519, json!({"crv": "Ed448"})),
        seed("jwk", "bad-oct", r#"{"kty":"oct","k":"AQ"}"#),
        seed("jwk", "bad-twice", r#"{"kty":"oct","kty":"RSA"}"#),
        seed("jwk", "bad-empty", ""),
        seed("jwk", "bad-array", "[]"),
        seed("jwk", "bad-kty-number", r#"{"kty":1}"#),
    ]
}

fn proofs() -> Vec<Seed> {
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": "@"});
    let claims = json!({
        "jti": "-BwC3ESc6acc2lTc", "htm": "POST", "htu": "https://server.example.com/token", "iat": NOW,
    });
    let of = |name: &str, header_changes: Value, claim_changes: Value| {
        let header = changed(&header, &header_changes);
        let claims = changed(&claims, &claim_changes);
        seed("proof", name, format!("{header}\n{claims}"))
    };
    let uri = |name: &str, uri: &str| of(name, json!({}), json!({"htu": uri}));
    let jwk: Value = serde_json::from_str(&KEYS.ed25519.public_jwk()).unwrap();
    let rsa: Value = serde_json::from_str(&KEYS.rsa.public_jwk()).unwrap();
    vec![
        of("good-plain", json!({}), json!({})),
        of(
            "good-for-a-token",
            json!({}),
            json!({"ath": access_token_hash("an access token")}),
        ),
        of("good-times", json!({}), json!({"exp": NOW + 1, "nbf": NOW})),
        of("good-oldest", json!({}), json!({"iat": NOW - 60})),
        of("good-key-written-out", json!({"jwk": jwk}), json!({})),
        of(
            "good-other-name",
            json!({"alg": "Ed25519", "jwk": changed(&jwk, &json!({"alg": null}))}),
            json!({}),
        ),
        uri("good-query", "https://server.example.com/token?a#b"),
        uri(
            "good-spelling",
            "HTTPS://Server.Example.com:443/x/../%74oken",
        ),
        uri("bad-other-port", "https://server.example.com:444/token"),
        uri("bad-user", "https://me@server.example.com/token"),
        uri("bad-not-a-uri", "https://[::1/token"),
        of("bad-method", json!({}), json!({"htm": "post"})),
        of("bad-too-old", json!({}), json!({"iat": NOW - 61})),
        of("bad-too-new", json!({}), json!({"iat": NOW + 6})),
        of("bad-no-id", json!({}), json!({"jti": ""})),
        of("bad-typ", json!({"typ": "JWT"}), json!({})),
        of("bad-alg", json!({"alg": "none"}), json!({})),
        of(
            "bad-other-key",
            json!({"jwk": rsa, "alg": "RS256"}),
            json!({}),
        ),
        of(
            "bad-private-key",
            json!({"jwk": changed(&jwk, &json!({"d": "AQ"}))}),
            json!({}),
        ),
        of("bad-jku", json!({"jku": "https://a.example/"}), json!({})),
        of("bad-no-key", json!({"jwk": null}), json!({})),
        seed("proof", "bad-uri-alone", "https://a.example:/%c3%bc/../?q"),
        seed("proof", "bad-empty", ""),
    ]
}
