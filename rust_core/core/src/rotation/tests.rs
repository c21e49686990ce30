//! The rows of the table, each under its name.

mod generations;
mod properties;
mod refusals;

use super::*;
use crate::record::{attempt, print};

const LINEAGE: Lineage = *b"lineage!";
const OTHER: Lineage = *b"restart!";
const CREATED: u32 = 1_800_000_000;
const MADE: u32 = CREATED + 1000;
const GRACE: u32 = 30;
const DEBOUNCE: u32 = 40;

fn record() -> SessionRecord {
    SessionRecord {
        state: State::Active,
        is_bound: false,
        is_made_by_rotation: true,
        is_rebuilt: false,
        lineage: LINEAGE,
        family: 2,
        generation: 7,
        made: MADE,
        attempt: attempt("first"),
        print: print(Some(b"cookie"), None),
        binding: [0; 16],
        device: [9; 16],
        created: CREATED,
        idle_deadline: MADE + 28_800,
        absolute_deadline: CREATED + 86_400,
        policy_revision: 3,
        acr: 1,
        amr: 1,
        auth_time: CREATED,
        refresh_id_key: 0,
        trust: 0,
        risk: 0,
        context: [0; 9],
    }
}

fn user() -> UserRecord {
    UserRecord {
        is_disabled: false,
        lineage: LINEAGE,
        not_before: 0,
    }
}

fn presented(generation: u32) -> Presented {
    Presented {
        family: 2,
        generation,
        issued_at: MADE,
        has_proof: false,
        attempt: attempt("second"),
        print: print(Some(b"cookie"), None),
        grace: GRACE,
        deadline: DEBOUNCE - GRACE,
        is_strict: false,
        may_rotate: true,
        ends_on_replay: false,
        is_activity: false,
        idle: 28_800,
        absolute_max: 86_400,
        not_before: 0,
    }
}

fn decide(record: &SessionRecord, presented: &Presented, now: u32) -> Outcome {
    rotate(
        &record.encode(),
        &user().encode(),
        LINEAGE,
        presented,
        i64::from(now) * 1000,
    )
}

/// The verdict; the record must be bit-identical.
fn unchanged(record: &SessionRecord, presented: &Presented, now: u32) -> Verdict {
    let outcome = decide(record, presented, now);
    assert_eq!(outcome.record, record.encode());
    outcome.verdict
}

fn after(outcome: &Outcome) -> SessionRecord {
    SessionRecord::decode(&outcome.record).unwrap()
}
