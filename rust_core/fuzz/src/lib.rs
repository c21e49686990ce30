//! What is fuzzed: everything that reads bytes of a stranger, with the laws that hold whatever the bytes are.
//!
//! A target takes any bytes and panics where a law is broken. libFuzzer finds the bytes (`make fuzz`, `fuzz_targets`);
//! an ordinary `cargo test` replays the seeds in `corpus` through the same functions (`tests/replay.rs`), so that what
//! was found once stays found without libFuzzer, a nightly compiler or a clock.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a panic is how a broken law is reported, and all that most callers want"
)]

pub mod forge;
pub mod jwk;
mod memory;
pub mod proof;
pub mod record;
pub mod request;
pub mod token;
pub mod vectors;

/// What became of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They were taken, and every law on what is taken held.
    Accepted,
    /// They were refused, and every law on refusals held.
    Refused,
}

impl Outcome {
    fn of(is_accepted: bool) -> Self {
        if is_accepted {
            Self::Accepted
        } else {
            Self::Refused
        }
    }
}

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name: of its program, of the folder of its seeds, of its dictionary.
    pub name: &'static str,
    /// Checks the laws for some bytes.
    pub check: fn(&[u8]) -> Outcome,
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "token",
        check: token::check,
    },
    Target {
        name: "jwk",
        check: jwk::check,
    },
    Target {
        name: "proof",
        check: proof::check,
    },
    Target {
        name: "record",
        check: record::check,
    },
    Target {
        name: "request",
        check: request::check,
    },
];
