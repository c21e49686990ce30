//! Writes the seeds of fuzzing: `cargo run -p argus-fuzz --example seeds -- own` those in `rust_core/fuzz/corpus`,
//! `… -- vectors FOLDER` other people's cases out of `ARGUS_VECTORS`, which are not part of the project, into a folder.
//!
//! A seed's name begins with what must become of it: `good-` is accepted, `bad-` is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::too_many_lines,
    reason = "a tool of the workshop, which may fail loudly, and lists of cases"
)]

mod binary;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use argus_fuzz::vectors;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (folder, seeds) = match arguments[..] {
        ["own"] => {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
            (corpus, [texts::all(), binary::all()].concat())
        }
        ["vectors", folder] => (PathBuf::from(folder), vectors::all()),
        _ => panic!("say: own, or: vectors FOLDER"),
    };
    for (target, name, bytes) in &seeds {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
    println!("{} seeds in {}", seeds.len(), folder.display());
}
