//! Changes of single members of a header, and of who signs.

use argus_core::token::Algorithm;
use fastrand::Rng;

use super::{Mutation, mutation};
use crate::draft::{Draft, Signature, another};
use crate::other;
use crate::values::{escaped, pick, quoted, value};
use crate::world::{Signer, World};

pub(super) const ALL: [Mutation; 10] = [
    mutation("header.alg", header_alg),
    mutation("header.typ", header_typ),
    mutation("header.kid", header_kid),
    mutation("header.key", header_key),
    mutation("header.crit", header_crit),
    mutation("header.content", header_content),
    mutation("header.unknown", header_unknown),
    mutation("key.other", key_other),
    mutation("key.other_with_its_name", key_other_with_its_name),
    mutation("key.hmac", key_hmac),
];

fn header_alg(_: &World, draft: &mut Draft, random: &mut Rng) {
    let odd = [
        "\"none\"",
        "\"None\"",
        "\"NONE\"",
        "\"HS256\"",
        "\"HS512\"",
        "\"RS512\"",
        "\"PS256\"",
        "\"ES256\"",
        "\"rs256\"",
        "\"EdDSA\"",
        "\"RS256\"",
        "\"Ed25519\"",
        "\"\"",
        "null",
        "1",
        "[\"RS256\"]",
        "\"RS256 \"",
    ];
    match random.u8(..8) {
        0 => draft.header.remove("alg"),
        1 => {
            let said = draft.header.get("alg").unwrap_or_default();
            let algorithm =
                Algorithm::from_name(said.trim_matches('"')).unwrap_or(Algorithm::Rs256);
            draft.header.set("alg", quoted(another(algorithm).name()));
        }
        _ => draft.header.set("alg", pick(random, &odd)),
    }
    if random.u8(..8) == 0 {
        draft.signature = Signature::Missing;
    }
}

fn header_typ(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = draft.token_type.name();
    let value = match random.u8(..8) {
        0 => return draft.header.remove("typ"),
        1 => quoted(&name.to_uppercase()),
        2 => quoted(&format!("application/{name}")),
        3 => quoted(&format!("Application/{name}")),
        4 => quoted(other(draft.token_type).name()),
        _ => pick(
            random,
            &[
                "\"JWT\"",
                "\"jwt\"",
                "\"dpop+jwt\"",
                "\"at+jwt \"",
                "\"x/at+jwt\"",
                "\"\"",
                "null",
                "7",
                "[\"at+jwt\"]",
            ],
        )
        .to_owned(),
    };
    draft.header.set("typ", value);
}

fn header_kid(world: &World, draft: &mut Draft, random: &mut Rng) {
    let signer = Signer::ALL[random.usize(..Signer::ALL.len())];
    let value = match random.u8(..6) {
        0 => return draft.header.remove("kid"),
        1 | 2 => quoted(world.key(signer).kid()),
        3 => {
            let kid = draft.header.get("kid").unwrap_or("\"\"").to_lowercase();
            escaped(random, kid.trim_matches('"'))
        }
        _ => pick(
            random,
            &[
                "\"\"",
                "null",
                "1",
                "\"*\"",
                "\"../../dev/null\"",
                "\"x' OR 1=1--\"",
                "\"a\\r\\nb: c\"",
                "\"k\"",
                "[\"k\"]",
            ],
        )
        .to_owned(),
    };
    draft.header.set("kid", value);
}

fn header_key(world: &World, draft: &mut Draft, random: &mut Rng) {
    let name = pick(random, &["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"]);
    let value = match name {
        "jwk" => world.key(Signer::Attacker).public_jwk(),
        "x5c" => "[\"MIIB\"]".to_owned(),
        _ => quoted("https://evil.example/key"),
    };
    draft.header.add(name, value);
    if random.bool() {
        draft.signature = Signature::By(Signer::Attacker);
    }
}

fn header_crit(_: &World, draft: &mut Draft, random: &mut Rng) {
    let crit = pick(
        random,
        &[
            "[]",
            "[\"exp\"]",
            "[\"b64\"]",
            "[\"kid\"]",
            "\"b64\"",
            "null",
            "[1]",
        ],
    );
    match random.u8(..4) {
        0 => draft
            .header
            .set("b64", pick(random, &["true", "false", "0"])),
        1 => {
            draft.header.set("b64", "true");
            draft.header.set("crit", "[\"b64\"]");
        }
        _ => draft.header.set("crit", crit),
    }
}

fn header_content(_: &World, draft: &mut Draft, random: &mut Rng) {
    let (name, value) = [
        ("cty", "\"JWT\""),
        ("cty", "\"json\""),
        ("zip", "\"DEF\""),
        ("enc", "\"A128GCM\""),
    ][random.usize(..4)];
    draft.header.set(name, value);
}

fn header_unknown(_: &World, draft: &mut Draft, random: &mut Rng) {
    draft.header.set(
        pick(random, &["foo", "iss", "x", "nonce"]),
        value(random, 2),
    );
}

fn key_other(_: &World, draft: &mut Draft, random: &mut Rng) {
    draft.signature = Signature::By(Signer::ALL[random.usize(..Signer::ALL.len())]);
}

fn key_other_with_its_name(world: &World, draft: &mut Draft, random: &mut Rng) {
    let signer = Signer::ALL[random.usize(..Signer::ALL.len())];
    let key = world.key(signer);
    let header = &mut draft.header;
    header.set("kid", quoted(key.kid()));
    header.set("alg", quoted(key.algorithm().name()));
    draft.signature = Signature::By(signer);
}

fn key_hmac(_: &World, draft: &mut Draft, random: &mut Rng) {
    draft.header.set(
        "alg",
        pick(random, &["\"HS256\"", "\"RS256\"", "\"EdDSA\""]),
    );
    draft.signature = Signature::Hmac;
}
