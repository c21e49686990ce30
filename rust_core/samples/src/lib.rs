//! What the crates that only try, measure and compare things have in common. All keys here are public knowledge: never
//! to be trusted.
//!
//! Everything is the same in every run: what was found once is found again, and what was counted once is counted again.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "for tools of the workshop, which may fail loudly where they can't begin"
)]

#[cfg(feature = "engine")]
pub mod offline;

use argus_core::record::{SessionRecord, State};
use aws_lc_rs::signature::Ed25519KeyPair;

/// When it is, where the time is told. Seconds since 1970.
pub const NOW: u32 = 1_800_000_000;

/// A tenant.
pub const TENANT: &str = "acme";

/// Its issuer.
pub const ISSUER: &str = "https://argus.test/t/acme";

/// Another tenant.
pub const OTHER_TENANT: &str = "other";

/// Its issuer.
pub const OTHER_ISSUER: &str = "https://argus.test/t/other";

/// What access tokens are for.
pub const RESOURCE: &str = "https://api.test";

/// An RSA key of 2048 bits, as PKCS #8 DER.
pub const RSA: &[u8] = include_bytes!("../data/rsa_2048.der");

/// The Ed25519 key of a seed, as PKCS #8 DER.
#[must_use]
pub fn ed25519(seed: u8) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    pair.to_pkcs8v1().unwrap().as_ref().to_vec()
}

/// A session's record, made at [`NOW`].
#[must_use]
pub const fn record() -> SessionRecord {
    SessionRecord {
        state: State::Active,
        is_bound: false,
        is_made_by_rotation: true,
        is_rebuilt: false,
        lineage: [1; 8],
        family: 1,
        generation: 7,
        made: NOW,
        attempt: [2; 4],
        print: [3; 4],
        binding: [0; 16],
        device: [4; 16],
        created: NOW - 1000,
        idle_deadline: NOW + 3600,
        absolute_deadline: NOW + 86_400,
        policy_revision: 1,
        acr: 1,
        amr: 1,
        auth_time: NOW - 1000,
        refresh_id_key: 0,
        trust: 8_001,
        risk: 5,
        context: [5; 9],
    }
}
