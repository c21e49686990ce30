//! Records, rotation and ids.

use argus_core::ids::Keyspace;
use argus_core::record::{SessionRecord, Stored, UserRecord};
use argus_core::rotation::{Presented, Verdict, rotate};
use argus_core::token::RefreshIdKey;
use argus_samples::NOW;

use crate::Work;

pub(crate) fn works() -> Vec<Work> {
    let record = SessionRecord {
        made: NOW - 100,
        ..argus_samples::record()
    };
    let lineage = record.lineage;
    let (value, stored) = (record.encode(), record.encode());
    let user = UserRecord {
        is_disabled: false,
        lineage,
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
            let outcome = rotate(&stored, &user, lineage, &presented(), now_ms);
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
