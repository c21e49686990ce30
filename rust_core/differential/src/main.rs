//! Makes mutated tokens and says, one line of JSON each, what Argus and `jsonwebtoken` make of them.
//!
//! `argus-differential SEED FIRST COUNT`: the token of a number depends on the seed and the number alone.
#![allow(
    clippy::unwrap_used,
    reason = "a tool: what it can't make or say ends it"
)]

mod draft;
mod mutations;
mod oracle;
mod values;
mod world;

use std::io::{BufWriter, Write as _, stdout};
use std::process::ExitCode;

use argus_core::token::compact::Compact;
use argus_core::token::{TokenType, json};
use serde_json::{Map, Value};

use crate::draft::Draft;
use crate::oracle::Oracle;
use crate::world::World;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    let Ok([seed, first, count]) = <[u64; 3]>::try_from(numbers) else {
        eprintln!("usage: argus-differential SEED FIRST COUNT");
        return ExitCode::FAILURE;
    };
    let world = World::new();
    let oracle = Oracle::new(&world);
    let mut out = BufWriter::new(stdout().lock());
    let mut say = |value: &Value| writeln!(out, "{value}");
    let mut said = say(&world.describe());
    for number in first..first + count {
        // Whoever listens has gone.
        if said.is_err() {
            return ExitCode::FAILURE;
        }
        said = say(&line(&world, &oracle, seed, number));
    }
    ExitCode::SUCCESS
}

fn line(world: &World, oracle: &Oracle, seed: u64, number: u64) -> Value {
    let mut random = fastrand::Rng::with_seed(seed.rotate_left(32) ^ number);
    let mut draft = Draft::good(world, &mut random);
    let mutated = mutations::mutate(world, &mut draft, &mut random);
    let token_type = draft.token_type;
    let token = draft.finish(world, &mut random);
    let mut line = Map::new();
    let mut set = |name: &str, value: Value| line.insert(name.to_owned(), value);
    set("number", number.into());
    set("mutated", mutated.into());
    set("type", token_type.name().into());
    set("token", token.as_str().into());
    let others = oracle.judge(token_type, &token);
    match world.judge(token_type, &token) {
        Ok(read) => {
            let claims = payload(&token);
            set(
                "differs",
                differs(&read, &claims, others.as_ref().ok()).into(),
            );
            set("claims", claims);
        }
        Err(fault) => {
            set("fault", fault.name().into());
        }
    }
    match others {
        Ok(_) => set("jsonwebtoken", "".into()),
        Err(refusal) => set("jsonwebtoken", refusal.into()),
    };
    Value::Object(line)
}

/// The payload of an accepted token, by Argus's own reader.
fn payload(token: &str) -> Value {
    let compact = Compact::decode(token).unwrap();
    Value::Object(json::parse_object(&compact.payload).unwrap())
}

/// What Argus reads in another way than it is written, or than the oracle reads it; empty: nothing.
fn differs(read: &Value, claims: &Value, oracle: Option<&Value>) -> String {
    if oracle.is_some_and(|theirs| theirs != claims) {
        return "jsonwebtoken reads other claims".to_owned();
    }
    let wrong = read.as_object().unwrap().iter().find(|(name, value)| {
        let written = claims.get(name.as_str());
        written.map(|written| normal(name, written)) != Some(normal(name, value))
    });
    wrong
        .map(|(name, _)| format!("the claim {name} is read as another"))
        .unwrap_or_default()
}

/// A claim's value without what doesn't matter: one audience or a list of one, methods in any order.
fn normal(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("aud", Value::String(_)) => Value::Array(vec![value.clone()]),
        ("amr", Value::Array(methods)) => {
            let mut methods: Vec<&str> = methods.iter().filter_map(Value::as_str).collect();
            methods.sort_unstable();
            methods.dedup();
            methods.into()
        }
        _ => value.clone(),
    }
}

/// The other type of token.
pub(crate) const fn other(token_type: TokenType) -> TokenType {
    match token_type {
        TokenType::Access => TokenType::Refresh,
        TokenType::Refresh => TokenType::Access,
    }
}
