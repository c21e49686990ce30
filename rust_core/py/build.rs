//! Puts a digest of the sources into the extension, so that a stale build is noticed.
//!
//! The digest is the SHA-256 (hex) of one line a file, `<SHA-256 of the file in hex>  <path>\n`, over all files of
//! `rust_core/core`, `rust_core/door`, `rust_core/engine`, `rust_core/load` and `rust_core/py` whose names end in `.rs` or `.lua` or are
//! `Cargo.toml`, in the order of their paths' bytes; paths are relative to `rust_core`, with `/`. So a shell in
//! `rust_core` gets it by
//!
//! ```sh
//! find core door engine load py \( -name '*.rs' -o -name '*.lua' -o -name Cargo.toml \) -type f |
//!     LC_ALL=C sort | xargs sha256sum | sha256sum
//! ```

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

const CRATES: [&str; 5] = ["core", "door", "engine", "load", "py"];

fn main() -> io::Result<()> {
    let root = Path::new("..");
    let mut paths = Vec::new();
    for name in CRATES {
        println!("cargo::rerun-if-changed=../{name}");
        collect(root, name, &mut paths)?;
    }
    paths.sort();
    let mut whole = Sha256::new();
    for path in &paths {
        let content = Sha256::digest(fs::read(root.join(path))?);
        whole.update(format!("{}  {path}\n", hex(&content)));
    }
    println!(
        "cargo::rustc-env=ARGUS_SOURCE_DIGEST={}",
        hex(&whole.finalize())
    );
    Ok(())
}

fn collect(root: &Path, folder: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        if entry.file_type()?.is_dir() {
            collect(root, &path, paths)?;
        } else if is_source(&name) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    let extension = Path::new(name)
        .extension()
        .and_then(|extension| extension.to_str());
    matches!(extension, Some("rs" | "lua")) || name == "Cargo.toml"
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
