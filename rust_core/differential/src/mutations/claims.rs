//! Changes of single claims.

use argus_core::token::TokenType;
use fastrand::Rng;

use super::{Mutation, mutation};
use crate::draft::Draft;
use crate::values::{escaped, heavy, number, pick, quoted, text, value};
use crate::world::{API, ISSUER, NOW, OTHER_ISSUER, World};

pub(super) const ALL: [Mutation; 16] = [
    mutation("claim.missing", claim_missing),
    mutation("claim.other_type", claim_other_type),
    mutation("claim.other_text", claim_other_text),
    mutation("claim.unknown", claim_unknown),
    mutation("claim.heavy", |_, draft, random| {
        draft.claims.set("more", heavy(random));
    }),
    mutation("claim.number", |_, draft, random| {
        draft.claims.set("more", number(random));
    }),
    mutation("claim.escaped", claim_escaped),
    mutation("time.shifted", time_shifted),
    mutation("time.odd", time_odd),
    mutation("iss", iss),
    mutation("aud", aud),
    mutation("place", place),
    mutation("session", session),
    mutation("amr", amr),
    mutation("cnf", cnf),
    mutation("lists", lists),
];

fn a_claim(draft: &Draft, random: &mut Rng) -> String {
    let names = draft.claims.names();
    names[random.usize(..names.len().max(1))].clone()
}

fn claim_missing(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = a_claim(draft, random);
    draft.claims.remove(&name);
}

fn claim_other_type(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = a_claim(draft, random);
    draft.claims.set(&name, value(random, 2));
}

fn claim_other_text(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = pick(random, &["sub", "jti", "client_id", "scope", "iss", "sid"]);
    let long = "s".repeat(random.usize(250..260));
    let value = match random.u8(..5) {
        0 => quoted(&long),
        1 => quoted(""),
        2 => pick(
            random,
            &[
                "\"a\\u0000b\"",
                "\"\\n\"",
                "\"\\u0085\"",
                "\" \"",
                "\"\\u007f\"",
            ],
        )
        .to_owned(),
        _ => quoted(&text(random)),
    };
    draft.claims.set(name, value);
}

fn claim_unknown(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = text(random);
    draft
        .claims
        .set(name.trim_start_matches('"'), value(random, 3));
}

fn claim_escaped(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = a_claim(draft, random);
    let written = draft.claims.get(&name).unwrap_or_default();
    if let Ok(text) = serde_json::from_str::<String>(written) {
        let value = escaped(random, &text);
        draft.claims.set(&name, value);
    }
}

fn time_shifted(_: &World, draft: &mut Draft, random: &mut Rng) {
    const BY: [i64; 16] = [
        -1_000_000_000,
        -90 * 86_400,
        -3_601,
        -3_600,
        -6,
        -5,
        -1,
        0,
        1,
        4,
        5,
        6,
        3_300,
        3_600,
        7_776_000,
        2_000_000_000,
    ];
    let name = pick(random, &["exp", "iat", "nbf", "auth_time"]);
    let time = i64::from(NOW) + BY[random.usize(..BY.len())];
    draft.claims.set(name, time.to_string());
}

fn time_odd(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = pick(random, &["exp", "iat", "nbf", "auth_time"]);
    let time = NOW + 200;
    let value = match random.u8(..8) {
        0 => format!("{time}.0"),
        1 => format!("{time}.5"),
        2 => format!("{time}000"),
        3 => format!("\"{time}\""),
        4 => format!("{}e8", f64::from(time) / 1e8),
        5 => format!("-{time}"),
        6 => number(random),
        _ => pick(
            random,
            &[
                "null",
                "true",
                "[]",
                "{}",
                "\"\"",
                "\"tomorrow\"",
                "-0",
                "2e308",
            ],
        )
        .to_owned(),
    };
    draft.claims.set(name, value);
}

fn iss(_: &World, draft: &mut Draft, random: &mut Rng) {
    let value = match random.u8(..6) {
        0 => quoted(OTHER_ISSUER),
        1 => quoted(&format!("{ISSUER}/")),
        2 => quoted(&ISSUER.to_uppercase()),
        3 => format!("[{}]", quoted(ISSUER)),
        4 => quoted(&ISSUER.replace("https", "http")),
        _ => escaped(random, ISSUER),
    };
    draft.claims.set("iss", value);
}

fn aud(_: &World, draft: &mut Draft, random: &mut Rng) {
    let right = match draft.token_type {
        TokenType::Access => API,
        TokenType::Refresh => ISSUER,
    };
    let value = match random.u8(..11) {
        0 => "[]".to_owned(),
        1 => quoted(&format!("{right}/")),
        2 => format!("[{},1]", quoted(right)),
        3 => format!("[[{}]]", quoted(right)),
        4 => format!("[{0},{0}]", quoted(right)),
        5 => format!("[null,{}]", quoted(right)),
        6 => format!("{{\"aud\":{}}}", quoted(right)),
        7 => quoted(&right[..right.len() - 1]),
        8 => format!("[{}]", quoted(right)),
        9 => format!("[{},\"\"]", quoted(right)),
        _ => quoted(if right == API { ISSUER } else { API }),
    };
    draft.claims.set("aud", value);
}

fn place(_: &World, draft: &mut Draft, random: &mut Rng) {
    if random.bool() {
        draft.claims.set(
            "tid",
            pick(
                random,
                &[
                    "\"other\"",
                    "\"acme\"",
                    "\"ACME\"",
                    "null",
                    "1",
                    "[\"acme\"]",
                ],
            ),
        );
    } else {
        let uses = [
            "\"access\"",
            "\"refresh\"",
            "\"Access\"",
            "null",
            "1",
            "\"id\"",
        ];
        draft.claims.set("token_use", pick(random, &uses));
    }
}

fn session(world: &World, draft: &mut Draft, random: &mut Rng) {
    let name = pick(random, &["sid", "fam", "gen", "jk", "acr", "auth_time"]);
    let cut = &world.session_id[1..];
    let values = [
        "0",
        "-1",
        "1",
        "1.0",
        "1e0",
        "255",
        "256",
        "4294967295",
        "4294967296",
        "true",
        "null",
        "\"1\"",
        "\"\"",
        "\"urn:argus:acr:0\"",
        "\"urn:argus:acr:4\"",
        "\"urn:argus:acr:2\"",
        "\"URN:argus:acr:1\"",
        "[]",
    ];
    let value = if name == "sid" && random.bool() {
        quoted(cut)
    } else {
        pick(random, &values).to_owned()
    };
    draft.claims.set(name, value);
}

fn amr(_: &World, draft: &mut Draft, random: &mut Rng) {
    let values = [
        "\"pwd\"",
        "[]",
        "[\"pwd\",\"pwd\"]",
        "[\"otp\",\"pwd\"]",
        "[\"magic\"]",
        "[\"PWD\"]",
        "[1]",
        "[null]",
        "[[\"pwd\"]]",
        "{}",
        "null",
        "[\"pwd \"]",
        "[\"tel\",\"sc\",\"mca\"]",
    ];
    draft.claims.set("amr", pick(random, &values));
}

fn cnf(_: &World, draft: &mut Draft, random: &mut Rng) {
    let values = [
        "{}",
        "{\"jkt\":\"k\"}",
        "{\"x5t#S256\":\"c\"}",
        "{\"jkt\":\"k\",\"x5t#S256\":\"c\"}",
        "{\"jwk\":{}}",
        "{\"jkt\":1}",
        "\"k\"",
        "null",
        "[]",
        "{\"jkt\":\"k\",\"more\":1}",
        "{\"JKT\":\"k\"}",
        "{\"jkt\":\"\"}",
    ];
    draft.claims.set("cnf", pick(random, &values));
}

fn lists(_: &World, draft: &mut Draft, random: &mut Rng) {
    let name = pick(random, &["groups", "resource"]);
    let values = [
        "[]",
        "[\"a\",\"a\"]",
        "[1]",
        "[null]",
        "\"a\"",
        "{}",
        "null",
        "[\"\"]",
        "[[\"a\"]]",
        "[\"\\u00e9\"]",
    ];
    draft.claims.set(name, pick(random, &values));
}
