use super::*;

const LINEAGE: Lineage = *b"lineage!";
const CREATED: u32 = 1_800_000_000;
const NOW: u32 = CREATED + 1000;
const IDLE: u32 = 3600;
const MAX: u32 = 86_400;

fn record() -> SessionRecord {
    SessionRecord {
        state: State::Active,
        is_bound: false,
        is_made_by_rotation: false,
        is_rebuilt: false,
        lineage: LINEAGE,
        family: 1,
        generation: 1,
        made: CREATED,
        attempt: [0; 4],
        print: [0; 4],
        binding: [0; 16],
        device: [0; 16],
        created: CREATED,
        idle_deadline: CREATED + IDLE,
        absolute_deadline: CREATED + MAX,
        policy_revision: 1,
        acr: 1,
        amr: 1,
        auth_time: CREATED,
        refresh_id_key: 0,
        trust: 0,
        risk: 0,
        context: [0; 9],
    }
}

fn touch_at(record: &SessionRecord, user: UserRecord, active: u32, now: u32) -> (Touched, Vec<u8>) {
    touch(
        &record.encode(),
        &user.encode(),
        LINEAGE,
        (active, IDLE, MAX, 0),
        i64::from(now) * 1000,
    )
}

fn user() -> UserRecord {
    UserRecord {
        is_disabled: false,
        lineage: LINEAGE,
        not_before: 0,
    }
}

fn idle_deadline(bytes: &[u8]) -> u32 {
    SessionRecord::decode(bytes).unwrap().idle_deadline
}

#[test]
fn a_use_now_sets_the_idle_deadline() {
    let (touched, bytes) = touch_at(&record(), user(), 0, NOW);
    assert_eq!((touched, idle_deadline(&bytes)), (Touched::Ok, NOW + IDLE));
    let long_idle = SessionRecord {
        idle_deadline: CREATED + 20_000,
        ..record()
    };
    assert_eq!(
        idle_deadline(&touch_at(&long_idle, user(), 0, NOW).1),
        NOW + IDLE,
        "a shortened policy bites"
    );
}

#[test]
fn a_late_report_only_extends() {
    assert_eq!(
        idle_deadline(&touch_at(&record(), user(), CREATED + 500, NOW).1),
        CREATED + 500 + IDLE
    );
    let used_since = SessionRecord {
        idle_deadline: CREATED + 900 + IDLE,
        ..record()
    };
    assert_eq!(
        idle_deadline(&touch_at(&used_since, user(), CREATED + 500, NOW).1),
        CREATED + 900 + IDLE
    );
    assert_eq!(
        idle_deadline(&touch_at(&record(), user(), NOW + 7, NOW).1),
        NOW + IDLE,
        "no use is in the future"
    );
}

#[test]
fn a_use_is_written_at_most_once_in_a_twentieth() {
    assert_eq!(
        touch_at(&record(), user(), 0, CREATED + IDLE / 20 - 1).1,
        record().encode()
    );
    assert_ne!(
        touch_at(&record(), user(), 0, CREATED + IDLE / 20).1,
        record().encode()
    );
}

#[test]
fn a_use_never_passes_the_absolute_deadline() {
    let old = SessionRecord {
        idle_deadline: CREATED + MAX - 1000,
        ..record()
    };
    assert_eq!(
        idle_deadline(&touch_at(&old, user(), 0, CREATED + MAX - 1001).1),
        CREATED + MAX
    );
}

#[test]
fn a_session_that_is_over_is_not_touched() {
    assert_eq!(
        touch_at(&record(), user(), 0, CREATED + IDLE),
        (Touched::IdleTimeout, record().encode())
    );
    let used = SessionRecord {
        idle_deadline: CREATED + MAX,
        ..record()
    };
    assert_eq!(
        touch_at(&used, user(), 0, CREATED + MAX),
        (Touched::AbsoluteTimeout, used.encode())
    );
    for user in [
        UserRecord {
            is_disabled: true,
            ..user()
        },
        UserRecord {
            not_before: CREATED,
            ..user()
        },
    ] {
        assert_eq!(
            touch_at(&record(), user, 0, NOW),
            (Touched::Ended, record().encode())
        );
    }
    let tombstone = Tombstone {
        reason: 1,
        lineage: LINEAGE,
        ended_at: CREATED,
    }
    .encode();
    assert_eq!(
        touch(&tombstone, b"", LINEAGE, (0, IDLE, MAX, 0), 0),
        (Touched::Ended, tombstone)
    );
}

#[test]
fn a_token_tells_a_rebuilt_record_of_a_use_that_was_lost() {
    let now = CREATED + IDLE + 500;
    let seen_at = |is_rebuilt, seen| {
        let record = SessionRecord {
            is_rebuilt,
            ..record()
        };
        touch(
            &record.encode(),
            &user().encode(),
            LINEAGE,
            (0, IDLE, MAX, seen),
            i64::from(now) * 1000,
        )
    };
    let (touched, bytes) = seen_at(true, CREATED + 600);
    assert_eq!((touched, idle_deadline(&bytes)), (Touched::Ok, now + IDLE));
    for (is_rebuilt, seen) in [(false, CREATED + 600), (true, CREATED + 500), (true, 0)] {
        assert_eq!(seen_at(is_rebuilt, seen).0, Touched::IdleTimeout);
    }
}

#[test]
fn a_contested_session_is_not_extended() {
    let contested = SessionRecord {
        state: State::Contested,
        ..record()
    };
    assert_eq!(
        touch_at(&contested, user(), 0, NOW),
        (Touched::Ok, contested.encode())
    );
}

#[test]
fn what_another_process_wrote_decides_nothing() {
    let stale = SessionRecord {
        lineage: [7; 8],
        ..record()
    };
    assert_eq!(touch_at(&stale, user(), 0, NOW).0, Touched::Missing);
    assert_eq!(
        touch_at(
            &record(),
            UserRecord {
                lineage: [7; 8],
                ..user()
            },
            0,
            NOW
        )
        .0,
        Touched::Missing
    );
    assert_eq!(
        expire(&stale.encode(), LINEAGE, MAX, i64::MAX).0,
        Expired::Missing
    );
    assert_eq!(expire(b"", LINEAGE, MAX, i64::MAX).0, Expired::Missing);
}

#[test]
fn a_session_ends_when_its_deadline_passed_not_when_somebody_looked() {
    let expire_at = |record: &SessionRecord, now: u32| {
        expire(&record.encode(), LINEAGE, MAX, i64::from(now) * 1000)
    };
    let tombstone = |reason, ended_at| {
        Tombstone {
            reason,
            lineage: LINEAGE,
            ended_at,
        }
        .encode()
    };
    assert_eq!(
        expire_at(&record(), CREATED + IDLE - 1),
        (Expired::NotDue, record().encode())
    );
    let ended = expire_at(&record(), CREATED + IDLE + 50);
    assert_eq!(
        ended,
        (
            Expired::IdleTimeout,
            tombstone(REASON_IDLE_TIMEOUT, CREATED + IDLE)
        )
    );
    assert_eq!(
        expire(&ended.1, LINEAGE, MAX, i64::MAX),
        (Expired::EndedBefore, ended.1.clone())
    );
    let used = SessionRecord {
        idle_deadline: CREATED + MAX,
        ..record()
    };
    let expected = (
        Expired::AbsoluteTimeout,
        tombstone(REASON_ABSOLUTE_TIMEOUT, CREATED + MAX),
    );
    assert_eq!(expire_at(&used, CREATED + MAX + 50), expected);
}

#[test]
fn seconds_are_cut_to_what_a_record_holds() {
    assert_eq!(
        (seconds(1999), seconds(-1), seconds(i64::MAX)),
        (1, 0, u32::MAX)
    );
}
