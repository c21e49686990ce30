use super::*;

const NODE: Lineage = *b"thisnode";
const OLD: Lineage = *b"restart!";
const TOMBSTONE: Tombstone = Tombstone {
    reason: 4,
    lineage: OLD,
    ended_at: 80,
};

fn record() -> SessionRecord {
    SessionRecord {
        state: State::Active,
        is_bound: false,
        is_made_by_rotation: false,
        is_rebuilt: false,
        lineage: OLD,
        family: 2,
        generation: 5,
        made: 100,
        attempt: [0; 4],
        print: [0; 4],
        binding: [0; 16],
        device: [0; 16],
        created: 50,
        idle_deadline: 1000,
        absolute_deadline: 5000,
        policy_revision: 1,
        acr: 1,
        amr: 1,
        auth_time: 50,
        refresh_id_key: 0,
        trust: 0,
        risk: 0,
        context: [0; 9],
    }
}

/// What is written over `old`.
fn written(old: &SessionRecord, given: &SessionRecord) -> SessionRecord {
    let (rebuilt, value) = rebuild(&old.encode(), NODE, NODE, Stored::Living(given.clone()));
    assert_eq!(rebuilt, Rebuilt::Written);
    SessionRecord::decode(&value).unwrap()
}

#[test]
fn a_missing_record_is_written_with_stamp_and_mark() {
    for nothing in [&b""[..], b"garbage"] {
        let (rebuilt, value) = rebuild(nothing, NODE, NODE, Stored::Living(record()));
        let expected = SessionRecord {
            lineage: NODE,
            is_rebuilt: true,
            ..record()
        };
        assert_eq!((rebuilt, value), (Rebuilt::Written, expected.encode()));
    }
    let (_, value) = rebuild(b"", NODE, NODE, Stored::Ended(TOMBSTONE));
    let expected = Tombstone {
        lineage: NODE,
        ..TOMBSTONE
    };
    assert_eq!(value, expected.encode());
}

#[test]
fn it_is_a_compare_and_set() {
    let current = SessionRecord {
        lineage: NODE,
        ..record()
    };
    let newer = SessionRecord {
        generation: 9,
        ..record()
    };
    let stored = current.encode();
    let outcome = rebuild(&stored, NODE, NODE, Stored::Living(newer.clone()));
    assert_eq!(outcome, (Rebuilt::Exists, stored.clone()));
    let ended = Tombstone {
        lineage: NODE,
        ..TOMBSTONE
    }
    .encode();
    let next_family = SessionRecord {
        family: 3,
        ..record()
    };
    let outcome = rebuild(&ended, NODE, NODE, Stored::Living(next_family));
    assert_eq!(outcome, (Rebuilt::Exists, ended));
    let other = rebuild(&record().encode(), NODE, OLD, Stored::Living(newer));
    assert_eq!(other, (Rebuilt::OtherLineage, record().encode()));
}

#[test]
fn an_end_overtakes_a_current_record_and_nothing_overtakes_an_end() {
    let current = SessionRecord {
        lineage: NODE,
        ..record()
    };
    let (rebuilt, value) = rebuild(&current.encode(), NODE, NODE, Stored::Ended(TOMBSTONE));
    let ended = Tombstone {
        lineage: NODE,
        ..TOMBSTONE
    };
    assert_eq!((rebuilt, value.clone()), (Rebuilt::Written, ended.encode()));
    for given in [
        Stored::Living(record()),
        Stored::Ended(Tombstone {
            ended_at: 90,
            ..TOMBSTONE
        }),
    ] {
        let outcome = rebuild(&value, NODE, NODE, given);
        assert_eq!(outcome, (Rebuilt::Exists, value.clone()));
    }
}

#[test]
fn an_older_family_never_comes_back() {
    let newer = SessionRecord {
        family: 3,
        generation: 1,
        ..record()
    };
    let expected = SessionRecord {
        lineage: NODE,
        is_rebuilt: true,
        ..newer.clone()
    };
    assert_eq!(written(&newer, &record()), expected);
    let current = SessionRecord {
        lineage: NODE,
        ..newer
    }
    .encode();
    let outcome = rebuild(&current, NODE, NODE, Stored::Living(record()));
    assert_eq!(outcome, (Rebuilt::Exists, current));
}

#[test]
fn a_current_record_of_an_older_family_is_behind() {
    let current = SessionRecord {
        lineage: NODE,
        state: State::Contested,
        generation: 7,
        idle_deadline: 2000,
        ..record()
    };
    let stepped_up = SessionRecord {
        family: 3,
        generation: 1,
        ..record()
    };
    let expected = SessionRecord {
        lineage: NODE,
        is_rebuilt: true,
        idle_deadline: 2000,
        ..stepped_up.clone()
    };
    assert_eq!(written(&current, &stepped_up), expected);
}

#[test]
fn the_higher_generation_of_a_family_survives_with_its_maker() {
    let old = SessionRecord {
        generation: 6,
        made: 200,
        is_made_by_rotation: true,
        attempt: *b"try1",
        print: *b"1212",
        ..record()
    };
    let expected = SessionRecord {
        lineage: NODE,
        is_rebuilt: true,
        ..old.clone()
    };
    assert_eq!(written(&old, &record()), expected);
    assert_eq!(written(&record(), &old), expected);
    let other_family = SessionRecord { family: 1, ..old };
    assert_eq!(written(&other_family, &record()).generation, 5);
}

#[test]
fn contested_and_ended_if_either_says_so() {
    let contested = SessionRecord {
        state: State::Contested,
        ..record()
    };
    assert_eq!(written(&contested, &record()).state, State::Contested);
    assert_eq!(written(&record(), &contested).state, State::Contested);
    let of_older_family = SessionRecord {
        family: 1,
        ..contested
    };
    assert_eq!(
        written(&of_older_family, &record()).state,
        State::Active,
        "a step-up has settled it since"
    );
    let later = Tombstone {
        ended_at: 90,
        ..TOMBSTONE
    };
    for (old, given) in [
        (record().encode(), Stored::Ended(TOMBSTONE)),
        (TOMBSTONE.encode(), Stored::Living(record())),
        (TOMBSTONE.encode(), Stored::Ended(later)),
    ] {
        let expected = Tombstone {
            lineage: NODE,
            ..TOMBSTONE
        };
        let outcome = rebuild(&old, NODE, NODE, given);
        assert_eq!(outcome, (Rebuilt::Written, expected.encode()));
    }
}

#[test]
fn a_use_that_either_knows_of_counts_and_the_absolute_deadline_holds() {
    let used = |idle_deadline| SessionRecord {
        idle_deadline,
        family: 1,
        ..record()
    };
    assert_eq!(written(&used(1500), &record()).idle_deadline, 1500);
    assert_eq!(written(&used(900), &record()).idle_deadline, 1000);
    assert_eq!(written(&used(9000), &record()).idle_deadline, 5000);
}
