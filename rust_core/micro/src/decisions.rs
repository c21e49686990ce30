//! Records, rotation and ids.

use argus_core::ids::Keyspace;
use argus_core::record::{SessionRecord, State, Stored, UserRecord};
use argus_core::rotation::{Presented, Verdict, rotate};
use argus_core::token::RefreshIdKey;

use crate::{NOW, Work};

const LINEAGE: [u8; 8] = [1; 8];

pub(crate) fn works() -> Vec<Work> {
    let record = record();
    let (value, stored) = (record.encode(), record.encode());
    let user = UserRecord {
        is_disabled: false,
        lineage: LINEAGE,
        not_before: 0,
    }
    .encode();
    let keyspace = Keyspace::new(&[9; 32]).unwrap();
    let session_id = keyspace.session_id("acme", "u-1", [1; 16]);
    let ids = RefreshIdKey::new(0, &[3; 32]).unwrap();
    vec![
        Work::new("session record, decode", move || {
            Stored::decode(&value).unwrap()
        }),
        Work::new("session record, encode", move || record.encode()),
        Work::new("rotation, decide", move || {
            let now_ms = i64::from(NOW) * 1000;
            let outcome = rotate(&stored, &user, LINEAGE, &presented(), now_ms);
            assert_eq!(outcome.verdict, Verdict::Rotated);
            outcome
        }),
        Work::new("session id, make", move || {
            keyspace.session_id("acme", "u-1", [1; 16])
        }),
        Work::new("refresh token id, compute", move || {
            ids.token_id(&session_id, 1, 2)
        }),
    ]
}

fn record() -> SessionRecord {
    SessionRecord {
        state: State::Active,
        is_bound: false,
        is_made_by_rotation: true,
        is_rebuilt: false,
        lineage: LINEAGE,
        family: 1,
        generation: 7,
        made: NOW - 100,
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
        context: [5; 12],
    }
}

fn presented() -> Presented {
    Presented {
        family: 1,
        generation: 7,
        issued_at: NOW - 100,
        has_proof: false,
        attempt: [2; 4],
        print: [3; 4],
        grace: 30,
        deadline: 10,
        is_strict: false,
        may_rotate: true,
        ends_on_replay: false,
        is_activity: true,
        idle: 3600,
        absolute_max: 86_400,
        not_before: 0,
    }
}
