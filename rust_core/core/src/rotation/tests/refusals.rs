//! The rows that don't look at the generation.

use super::*;

#[test]
fn a_missing_record_is_rebuilt() {
    for value in [&b""[..], b"something else"] {
        let outcome = rotate(value, &user().encode(), LINEAGE, &presented(7), 0);
        assert_eq!(
            (outcome.verdict, outcome.record.is_empty()),
            (Verdict::Missing, true)
        );
    }
}

#[test]
fn a_record_of_another_lineage_decides_nothing() {
    let tombstone = Tombstone {
        reason: 1,
        lineage: OTHER,
        ended_at: MADE,
    }
    .encode();
    let living = SessionRecord {
        lineage: OTHER,
        ..record()
    }
    .encode();
    for value in [tombstone, living] {
        let outcome = rotate(
            &value,
            &user().encode(),
            LINEAGE,
            &presented(7),
            i64::from(MADE) * 1000,
        );
        assert_eq!(
            (outcome.verdict, outcome.record.is_empty()),
            (Verdict::Stale, true)
        );
    }
}

#[test]
fn a_user_record_that_is_missing_or_stale_is_rebuilt() {
    let stale = UserRecord {
        lineage: OTHER,
        is_disabled: true,
        ..user()
    }
    .encode();
    for value in [Vec::new(), stale] {
        let outcome = rotate(
            &record().encode(),
            &value,
            LINEAGE,
            &presented(7),
            i64::from(MADE) * 1000,
        );
        assert_eq!(outcome.verdict, Verdict::UserMissing);
    }
}

#[test]
fn an_ended_session_is_refused_even_before_its_user_is_known() {
    let tombstone = Tombstone {
        reason: 1,
        lineage: LINEAGE,
        ended_at: MADE,
    }
    .encode();
    let outcome = rotate(
        &tombstone,
        b"",
        LINEAGE,
        &presented(7),
        i64::from(MADE) * 1000,
    );
    assert_eq!(
        (outcome.verdict, outcome.record),
        (Verdict::Ended, tombstone)
    );
}

#[test]
fn the_idle_deadline_is_the_first_second_that_is_over() {
    let idle = record().idle_deadline;
    assert_eq!(
        unchanged(&record(), &presented(7), idle),
        Verdict::IdleTimeout
    );
    assert_eq!(
        decide(&record(), &presented(7), idle - 1).verdict,
        Verdict::Rotated
    );
}

#[test]
fn the_absolute_deadline_counts_whatever_the_use() {
    let used = SessionRecord {
        idle_deadline: CREATED + 86_400,
        ..record()
    };
    assert_eq!(
        unchanged(&used, &presented(7), CREATED + 86_400),
        Verdict::AbsoluteTimeout
    );
    assert_eq!(
        unchanged(&record(), &presented(7), CREATED + 90_000),
        Verdict::IdleTimeout,
        "the first to pass is named"
    );
}

#[test]
fn a_shortened_absolute_deadline_bites_and_a_longer_one_does_not() {
    let shorter = Presented {
        absolute_max: 2000,
        ..presented(7)
    };
    assert_eq!(
        unchanged(&record(), &shorter, CREATED + 2000),
        Verdict::AbsoluteTimeout
    );
    let used = SessionRecord {
        idle_deadline: CREATED + 86_400,
        ..record()
    };
    let longer = Presented {
        absolute_max: u32::MAX,
        ..presented(7)
    };
    assert_eq!(
        unchanged(&used, &longer, CREATED + 86_400),
        Verdict::AbsoluteTimeout
    );
}

#[test]
fn a_disabled_user_is_refused() {
    let disabled = UserRecord {
        is_disabled: true,
        ..user()
    }
    .encode();
    let outcome = rotate(
        &record().encode(),
        &disabled,
        LINEAGE,
        &presented(7),
        i64::from(MADE) * 1000,
    );
    assert_eq!(
        (outcome.verdict, outcome.record),
        (Verdict::UserDisabled, record().encode())
    );
}

#[test]
fn not_before_is_compared_with_the_creation() {
    let of_user = |not_before| {
        let user = UserRecord {
            not_before,
            ..user()
        }
        .encode();
        rotate(
            &record().encode(),
            &user,
            LINEAGE,
            &presented(7),
            i64::from(MADE) * 1000,
        )
        .verdict
    };
    assert_eq!(
        (of_user(CREATED), of_user(CREATED - 1)),
        (Verdict::NotBefore, Verdict::Repeated)
    );
    let of_client = Presented {
        not_before: CREATED,
        ..presented(7)
    };
    assert_eq!(unchanged(&record(), &of_client, MADE), Verdict::NotBefore);
}

#[test]
fn a_bound_record_needs_a_proof_and_stays_as_it_is_without() {
    let bound = SessionRecord {
        is_bound: true,
        ..record()
    };
    for generation in [1, 6, 7, 8] {
        assert_eq!(
            unchanged(&bound, &presented(generation), MADE + 100),
            Verdict::ProofRequired
        );
    }
}

#[test]
fn an_older_family_steps_up_and_changes_nothing() {
    let older = Presented {
        family: 1,
        ..presented(9)
    };
    assert_eq!(
        unchanged(&record(), &older, MADE + 100),
        Verdict::OlderFamily
    );
}

#[test]
fn a_newer_family_is_read_from_postgresql() {
    let newer = Presented {
        family: 3,
        ..presented(1)
    };
    assert_eq!(
        unchanged(&record(), &newer, MADE + 100),
        Verdict::NewerFamily
    );
}

#[test]
fn a_contested_family_steps_up_whatever_is_presented() {
    let contested = SessionRecord {
        state: State::Contested,
        ..record()
    };
    for generation in [1, 6, 7, 8] {
        assert_eq!(
            unchanged(&contested, &presented(generation), MADE + 100),
            Verdict::Contested
        );
    }
}
