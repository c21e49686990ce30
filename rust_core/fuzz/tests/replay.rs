//! The seeds of fuzzing and what fuzzing found, through the same laws, with an ordinary compiler.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use argus_fuzz::{Outcome, TARGETS, Target, vectors};

/// Every seed of a target, by name.
fn seeds(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, fs::read(file.path()).unwrap())
        })
        .collect()
}

#[test]
fn every_seed_keeps_the_laws_and_has_the_verdict_in_its_name() {
    for target in TARGETS {
        let (mut accepted, mut refused) = (0, 0);
        for (name, bytes) in seeds(&target) {
            println!("{}/{name}", target.name);
            let outcome = (target.check)(&bytes);
            let expected = match name.split('-').next() {
                Some("good") => Some(Outcome::Accepted),
                Some("bad") => Some(Outcome::Refused),
                _ => None,
            };
            assert!(
                expected.is_none_or(|expected| outcome == expected),
                "{name}: {outcome:?}"
            );
            match outcome {
                Outcome::Accepted => accepted += 1,
                Outcome::Refused => refused += 1,
            }
        }
        assert!(
            accepted >= 4 && refused >= 6,
            "{}: {accepted} and {refused}",
            target.name
        );
    }
}

/// Every seed cut short and with every bit of its first bytes turned: what libFuzzer does first.
#[test]
fn every_seed_keeps_the_laws_when_it_is_damaged() {
    for target in TARGETS {
        for (name, bytes) in seeds(&target) {
            println!("{}/{name}", target.name);
            let step = (bytes.len() / 16).max(1);
            for len in (0..bytes.len()).step_by(step) {
                (target.check)(&bytes[..len]);
            }
            for bit in 0..bytes.len().min(8) * 8 {
                let mut damaged = bytes.clone();
                let at = (bit * step).min(bytes.len() * 8 - 1);
                damaged[at / 8] ^= 1 << (at % 8);
                (target.check)(&damaged);
            }
        }
    }
}

#[test]
fn every_seed_is_fit_for_every_target() {
    for target in TARGETS {
        for other in TARGETS {
            for bytes in seeds(&other).values() {
                (target.check)(bytes);
            }
        }
    }
}

/// Third parties' vectors, which are no part of the project.
#[test]
fn other_peoples_vectors_keep_the_laws() {
    let seeds = vectors::all();
    if seeds.is_empty() {
        println!("skipped: no vectors (set ARGUS_VECTORS)");
        return;
    }
    let mut keys = 0;
    for (name, _, bytes) in &seeds {
        let target = TARGETS.iter().find(|target| target.name == *name).unwrap();
        let outcome = (target.check)(bytes);
        keys += u32::from(outcome == Outcome::Accepted);
    }
    assert!(
        seeds.len() > 300 && keys > 10,
        "{} vectors, {keys} good keys",
        seeds.len()
    );
}
