use proptest::prelude::*;

use super::*;

fn any_record() -> impl Strategy<Value = SessionRecord> {
    let numbers = any::<[u32; 9]>();
    let bytes = (
        any::<[u8; 8]>(),
        any::<[u8; 4]>(),
        any::<[u8; 4]>(),
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<[u8; 9]>(),
    );
    let rest = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<u8>(),
        any::<u16>(),
        any::<u8>(),
        any::<u16>(),
        any::<u8>(),
    );
    (numbers, bytes, rest).prop_map(|(numbers, bytes, rest)| {
        let [
            family,
            generation,
            made,
            created,
            idle_deadline,
            absolute_deadline,
            policy_revision,
            auth_time,
            _,
        ] = numbers;
        let (lineage, attempt, print, binding, device, context) = bytes;
        let (
            is_contested,
            is_bound,
            is_made_by_rotation,
            is_rebuilt,
            acr,
            amr,
            refresh_id_key,
            trust,
            risk,
        ) = rest;
        SessionRecord {
            state: if is_contested {
                State::Contested
            } else {
                State::Active
            },
            is_bound,
            is_made_by_rotation,
            is_rebuilt,
            lineage,
            family,
            generation,
            made,
            attempt,
            print,
            binding,
            device,
            created,
            idle_deadline,
            absolute_deadline,
            policy_revision,
            acr,
            amr,
            auth_time,
            refresh_id_key,
            trust,
            risk,
            context,
        }
    })
}

proptest! {
    /// What is packed is unpacked.
    #[test]
    fn a_record_survives_the_round_trip(record in any_record()) {
        let bytes = record.encode();
        prop_assert_eq!(bytes.len(), SessionRecord::SIZE);
        prop_assert_eq!(SessionRecord::decode(&bytes), Ok(record.clone()));
        prop_assert_eq!(Stored::decode(&bytes), Ok(Stored::Living(record)));
    }

    /// So are the small values.
    #[test]
    fn the_small_values_survive_the_round_trip(reason: u8, lineage: Lineage, time: u32, is_disabled: bool) {
        let tombstone = Tombstone { reason, lineage, ended_at: time };
        let user = UserRecord { is_disabled, lineage, not_before: time };
        let not_before = NotBefore { lineage, not_before: time };
        prop_assert_eq!(Tombstone::decode(&tombstone.encode()), Ok(tombstone));
        prop_assert_eq!(Stored::decode(&tombstone.encode()), Ok(Stored::Ended(tombstone)));
        prop_assert_eq!(UserRecord::decode(&user.encode()), Ok(user));
        prop_assert_eq!(NotBefore::decode(&not_before.encode()), Ok(not_before));
        prop_assert_eq!(tombstone.encode().len(), Tombstone::SIZE);
        prop_assert_eq!(user.encode().len(), UserRecord::SIZE);
        prop_assert_eq!(not_before.encode().len(), NotBefore::SIZE);
    }

    /// Any bytes are answered, and what is accepted is what encoding makes.
    #[test]
    fn decoding_is_strict(bytes in proptest::collection::vec(any::<u8>(), 0..110)) {
        if let Ok(record) = SessionRecord::decode(&bytes) {
            prop_assert_eq!(record.encode(), bytes.clone());
        }
        if let Ok(tombstone) = Tombstone::decode(&bytes) {
            prop_assert_eq!(tombstone.encode(), bytes.clone());
        }
        let _ = UserRecord::decode(&bytes);
        let _ = NotBefore::decode(&bytes);
    }

    /// A value is refused whatever a wrong first byte, state or length makes of it.
    #[test]
    fn a_changed_header_is_refused(record in any_record(), version in 2_u8.., state in 3_u8.., flags in 8_u8..) {
        for (position, value, error) in [(0, version, RecordError::Version), (1, state, RecordError::State), (2, flags, RecordError::State)] {
            let mut bytes = record.encode();
            bytes[position] = value;
            prop_assert_eq!(Stored::decode(&bytes), Err(error));
        }
        prop_assert_eq!(Stored::decode(&record.encode()[1..]), Err(RecordError::Length));
    }
}

#[test]
fn the_layout_is_the_documented_one() {
    let record = SessionRecord {
        state: State::Contested,
        is_bound: true,
        is_made_by_rotation: true,
        is_rebuilt: true,
        lineage: [0x11; 8],
        family: 0x2222_2222,
        generation: 0x3333_3333,
        made: 0x4444_4444,
        attempt: [0x55; 4],
        print: [0x66; 4],
        binding: [0x77; 16],
        device: [0x88; 16],
        created: 0x9999_9999,
        idle_deadline: 0xaaaa_aaaa,
        absolute_deadline: 0xbbbb_bbbb,
        policy_revision: 0xcccc_cccc,
        acr: 3,
        amr: 0xdddd,
        auth_time: 0xeeee_eeee,
        refresh_id_key: 7,
        trust: 0x0102,
        risk: 9,
        context: [0xff; 9],
    };
    let bytes = record.encode();
    assert_eq!(bytes[..3], [1, 2, 7]);
    let offsets = [3, 11, 15, 19, 23, 27, 31, 47, 63, 67, 71, 75, 80, 82, 90];
    let marks = [
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
    ];
    for (offset, mark) in offsets.into_iter().zip(marks) {
        assert_eq!(bytes[offset], mark, "at {offset}");
        assert_ne!(bytes[offset - 1], mark, "before {offset}");
    }
    assert_eq!((bytes[79], bytes[86]), (3, 7));
    assert_eq!(bytes[87..90], [1, 2, 9]);
    assert_eq!(record.trust(), Some(2.57));
    assert_eq!(SessionRecord { trust: 0, ..record }.trust(), None);
}

fn evidence(attempt_id: &str, strong: Option<&[u8]>, weak: Option<&[u8]>) -> Evidence {
    Evidence {
        attempt: attempt(attempt_id),
        print: print(strong, weak),
    }
}

#[test]
fn an_equal_attempt_is_the_same_holder() {
    let one = evidence("a", Some(b"cookie"), None);
    assert!(same_holder(&one, &evidence("a", Some(b"other"), None)));
    assert!(!same_holder(&one, &evidence("b", Some(b"other"), None)));
}

#[test]
fn the_strongest_evidence_that_both_have_decides() {
    let owner = evidence("", Some(b"cookie"), Some(b"firefox"));
    assert!(same_holder(
        &owner,
        &evidence("", Some(b"cookie"), Some(b"chrome"))
    ));
    assert!(!same_holder(
        &owner,
        &evidence("", Some(b"other"), Some(b"firefox"))
    ));
    assert!(same_holder(&owner, &evidence("", None, Some(b"firefox"))));
    assert!(!same_holder(&owner, &evidence("", None, Some(b"chrome"))));
}

#[test]
fn missing_evidence_is_never_changed() {
    let owner = evidence("a", Some(b"cookie"), None);
    let nothing = evidence("", None, None);
    assert!(same_holder(&owner, &nothing));
    assert!(same_holder(&nothing, &owner));
    assert!(same_holder(&nothing, &nothing));
    assert!(same_holder(&owner, &evidence("", None, Some(b"firefox"))));
}
