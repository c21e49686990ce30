//! The rows on the generation, and what follows from them.

use super::*;

#[test]
fn a_newer_generation_is_adopted_and_then_judged() {
    let debounced = decide(
        &record(),
        &Presented {
            issued_at: MADE + 60,
            ..presented(9)
        },
        MADE + 100,
    );
    assert_eq!(
        (debounced.verdict, debounced.adoption),
        (Verdict::Repeated, Adoption::Unexplained)
    );
    let adopted = after(&debounced);
    assert_eq!(
        (
            adopted.generation,
            adopted.made,
            adopted.is_made_by_rotation
        ),
        (9, MADE + 60, true)
    );
    assert_eq!(
        (adopted.attempt, adopted.print),
        ([0; 4], [0; 4]),
        "who made it is unknown"
    );

    let rotated = decide(&record(), &presented(9), MADE + 100);
    assert_eq!(
        (rotated.verdict, after(&rotated).generation),
        (Verdict::Rotated, 10)
    );
}

#[test]
fn only_a_rebuild_explains_an_adoption_and_rotations_do_not_forget_it() {
    let rebuilt = SessionRecord {
        is_rebuilt: true,
        ..record()
    };
    let rotated = decide(&rebuilt, &presented(7), MADE + 100);
    assert_eq!(rotated.verdict, Verdict::Rotated);
    assert!(after(&rotated).is_rebuilt);
    let newer = presented(9);
    assert_eq!(
        decide(&after(&rotated), &newer, MADE + 200).adoption,
        Adoption::Explained
    );
    assert_eq!(
        decide(&record(), &newer, MADE + 200).adoption,
        Adoption::Unexplained
    );
    for adoption in Adoption::ALL {
        let code = i64::from(adoption.code());
        assert_eq!(Adoption::from_code(code), Some(adoption));
    }
    assert_eq!(Adoption::from_code(3), None);
}

#[test]
fn a_token_tells_a_rebuilt_record_of_a_use_that_was_lost() {
    let now = record().idle_deadline + 100;
    let token = |is_activity| Presented {
        is_activity,
        issued_at: now - 50,
        ..presented(7)
    };
    let rebuilt = SessionRecord {
        is_rebuilt: true,
        ..record()
    };
    let outcome = decide(&rebuilt, &token(true), now);
    assert_eq!(outcome.verdict, Verdict::Rotated);
    assert_eq!(after(&outcome).idle_deadline, now + 28_800);
    for (record, token) in [(&rebuilt, token(false)), (&record(), token(true))] {
        assert_eq!(unchanged(record, &token, now), Verdict::IdleTimeout);
    }
}

#[test]
fn the_newest_token_inside_the_debounce_is_repeated() {
    assert_eq!(
        unchanged(&record(), &presented(7), MADE + DEBOUNCE),
        Verdict::Repeated
    );
    assert_eq!(
        unchanged(&record(), &presented(7), MADE - 5),
        Verdict::Repeated,
        "a clock set back makes no age"
    );
    assert_eq!(
        decide(&record(), &presented(7), MADE + DEBOUNCE + 1).verdict,
        Verdict::Rotated
    );
}

#[test]
fn the_first_refresh_after_a_sign_in_always_rotates() {
    let signed_in = SessionRecord {
        is_made_by_rotation: false,
        ..record()
    };
    let outcome = decide(&signed_in, &presented(7), MADE);
    assert_eq!(outcome.verdict, Verdict::Rotated);
    assert!(after(&outcome).is_made_by_rotation);
}

#[test]
fn the_newest_token_rotates() {
    let now = MADE + DEBOUNCE + 1;
    let outcome = decide(&record(), &presented(7), now);
    let expected = SessionRecord {
        generation: 8,
        made: now,
        attempt: attempt("second"),
        print: presented(7).print,
        ..record()
    };
    assert_eq!(
        outcome,
        Outcome {
            verdict: Verdict::Rotated,
            record: expected.encode(),
            adoption: Adoption::None
        }
    );
}

#[test]
fn nothing_is_spent_while_rotation_is_held() {
    let held = Presented {
        may_rotate: false,
        ..presented(7)
    };
    assert_eq!(unchanged(&record(), &held, MADE + 100), Verdict::Held);
    let newer = decide(
        &record(),
        &Presented {
            generation: 9,
            ..held
        },
        MADE + 100,
    );
    assert_eq!(
        (newer.verdict, after(&newer).generation),
        (Verdict::Held, 9),
        "what the store had lost is kept"
    );
}

#[test]
fn the_last_generation_there_is_does_not_rotate() {
    let last = SessionRecord {
        generation: u32::MAX,
        ..record()
    };
    assert_eq!(
        unchanged(&last, &presented(u32::MAX), MADE + 100),
        Verdict::Held
    );
}

#[test]
fn a_bound_older_token_with_proof_gets_the_current_one() {
    let bound = SessionRecord {
        is_bound: true,
        ..record()
    };
    for generation in [1, 6] {
        let with_proof = Presented {
            has_proof: true,
            ..presented(generation)
        };
        assert_eq!(
            unchanged(&bound, &with_proof, MADE + 5000),
            Verdict::Current
        );
    }
}

#[test]
fn one_behind_inside_the_grace_with_the_same_print_gets_the_current_one() {
    assert_eq!(
        unchanged(&record(), &presented(6), MADE + GRACE),
        Verdict::Current
    );
    let retry = Presented {
        attempt: attempt("first"),
        print: print(Some(b"other"), None),
        ..presented(6)
    };
    assert_eq!(
        unchanged(&record(), &retry, MADE + GRACE),
        Verdict::Current,
        "the same attempt"
    );
    let unknown = Presented {
        print: [0; 4],
        ..presented(6)
    };
    assert_eq!(
        unchanged(&record(), &unknown, MADE + GRACE),
        Verdict::Current,
        "missing is never changed"
    );
}

#[test]
fn one_behind_inside_the_grace_with_another_print_steps_up() {
    let other = Presented {
        print: print(Some(b"other"), None),
        ..presented(6)
    };
    assert_eq!(
        unchanged(&record(), &other, MADE + GRACE),
        Verdict::PrintChanged
    );
}

#[test]
fn one_behind_after_the_grace_steps_up() {
    assert_eq!(
        unchanged(&record(), &presented(6), MADE + GRACE + 1),
        Verdict::AnswerLate
    );
}

#[test]
fn two_behind_contests_the_family() {
    for now in [MADE, MADE + 5000] {
        let outcome = decide(&record(), &presented(5), now);
        assert_eq!(outcome.verdict, Verdict::Replayed);
        assert_eq!(
            after(&outcome),
            SessionRecord {
                state: State::Contested,
                ..record()
            }
        );
    }
}

#[test]
fn two_behind_ends_the_session_where_the_policy_says_so() {
    let outcome = decide(
        &record(),
        &Presented {
            ends_on_replay: true,
            ..presented(5)
        },
        MADE + 5000,
    );
    let tombstone = Tombstone {
        reason: REASON_REPLAY,
        lineage: LINEAGE,
        ended_at: MADE + 5000,
    };
    assert_eq!(
        (outcome.verdict, outcome.record),
        (Verdict::ReplayedEnded, tombstone.encode())
    );
}

#[test]
fn rfc_9700_4_14_2_strict_rotates_always_and_ends_at_any_older_token() {
    let bound = SessionRecord {
        is_bound: true,
        ..record()
    };
    let strict = |generation| Presented {
        is_strict: true,
        has_proof: true,
        ..presented(generation)
    };
    assert_eq!(decide(&bound, &strict(7), MADE).verdict, Verdict::Rotated);
    for generation in [1, 6] {
        assert_eq!(
            decide(&bound, &strict(generation), MADE).verdict,
            Verdict::ReplayedEnded
        );
    }
}

#[test]
fn activity_is_written_with_every_yes_and_at_most_once_in_a_twentieth() {
    let now = MADE + 28_800 / 20;
    let active = |generation| Presented {
        is_activity: true,
        ..presented(generation)
    };
    assert_eq!(
        after(&decide(&record(), &active(7), now)).idle_deadline,
        now + 28_800
    );
    let held = Presented {
        may_rotate: false,
        ..active(7)
    };
    assert_eq!(
        after(&decide(&record(), &held, now)).idle_deadline,
        now + 28_800
    );
    assert_eq!(
        unchanged(&record(), &held, now - 1),
        Verdict::Held,
        "it moved by less than idle/20"
    );
    let short = Presented {
        idle: 60,
        ..active(7)
    };
    assert_eq!(
        after(&decide(&record(), &short, now)).idle_deadline,
        now + 60,
        "a shortened policy bites"
    );
    let long = Presented {
        idle: u32::MAX,
        ..active(7)
    };
    assert_eq!(
        after(&decide(&record(), &long, now)).idle_deadline,
        CREATED + 86_400,
        "never after the absolute deadline"
    );
}
