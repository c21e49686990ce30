//! Other people's vectors as seeds. They are no part of the project: they are read from the folder `ARGUS_VECTORS`, or
//! from the one beside the project where none is named.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A seed: target, name, bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// Every text in the vectors that looks like a token, as a token and as a proof, and every key; nothing where there are
/// no vectors.
#[must_use]
pub fn all() -> Vec<Seed> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/standards/vectors");
    let folder = std::env::var_os("ARGUS_VECTORS").map_or_else(usual, PathBuf::from);
    let mut seeds = Vec::new();
    for kind in ["jwt-attacks", "jose", "jose/rfc7520", "oauth"] {
        let files = fs::read_dir(folder.join(kind)).into_iter().flatten();
        for file in files.filter_map(Result::ok) {
            let content = fs::read(file.path()).unwrap_or_default();
            if let Ok(value) = serde_json::from_slice(&content) {
                collect(&value, &mut seeds);
            }
        }
    }
    seeds
}

fn collect(value: &Value, seeds: &mut Vec<Seed>) {
    let mut add = |target, text: &str| {
        let name = format!("vector-{}", seeds.len());
        seeds.push((target, name, text.as_bytes().to_vec()));
    };
    match value {
        Value::String(text) if text.contains('.') && text.len() > 20 => {
            add("token", text);
            add("proof", text);
        }
        Value::Object(members) => {
            if members.contains_key("kty") {
                add("jwk", &value.to_string());
            }
            members.values().for_each(|member| collect(member, seeds));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, seeds)),
        _ => {}
    }
}
