//! Makes the committed Rust code from `proto/`, in `rust_core/engine/src/proto`.
//!
//! Run it from the root of the repository: `cargo run -p argus-generate`; with `--check` it writes nothing and fails
//! when the committed files are not what it would write.

mod access;
mod redact;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

/// The hot services and what is between Python and the engine; what they import comes along.
const SOURCES: [&str; 2] = [
    "argus/v1/token_service.proto",
    "argus/internal/v1/engine.proto",
];

const HEADER: &str = "// Generated from proto/ by `make generate`; changes here are lost.\n\n";

fn main() -> Result<(), Box<dyn Error>> {
    let target = PathBuf::from("rust_core/engine/src/proto");
    let made = generate()?;
    let differing: Vec<&String> = made
        .iter()
        .filter(|(name, text)| {
            std::fs::read_to_string(target.join(name)).ok().as_ref() != Some(*text)
        })
        .map(|(name, _)| name)
        .collect();
    if std::env::args().any(|argument| argument == "--check") {
        if differing.is_empty() {
            return Ok(());
        }
        return Err(format!("not what proto/ says: {differing:?}; run `make generate`.").into());
    }
    std::fs::create_dir_all(&target)?;
    for name in &differing {
        std::fs::write(target.join(name), &made[*name])?;
    }
    println!("{} files, {} of them changed", made.len(), differing.len());
    Ok(())
}

/// The text of every generated file by its name.
fn generate() -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new([Path::new("proto")])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(SOURCES)?;
    let pool = compiler.descriptor_pool();
    let redacted = redact::redacted(&pool)?;

    let folder = std::env::temp_dir().join(format!("argus-generate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = prost_build::Config::new()
        .out_dir(&folder)
        // The same answer is the same bytes: a HashMap's order is another each time.
        .btree_map(["."])
        .skip_debug(redacted.iter().map(redact::Redacted::path))
        .compile_fds(compiler.file_descriptor_set());
    let mut made = BTreeMap::new();
    for package in ["argus.v1", "argus.internal.v1"] {
        let text = std::fs::read_to_string(folder.join(format!("{package}.rs")));
        let debugs = redacted
            .iter()
            .filter(|one| one.package == package)
            .map(redact::Redacted::debug);
        made.insert(
            format!("{package}.rs"),
            format!("{HEADER}{}{}", text?, debugs.collect::<String>()),
        );
    }
    std::fs::remove_dir_all(&folder)?;
    outcome?;
    made.insert(
        "access.rs".to_owned(),
        format!("{HEADER}{}", access::table(&pool)?),
    );
    Ok(made)
}
