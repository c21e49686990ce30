//! What holds for every case.

use proptest::prelude::*;

use super::*;

#[test]
fn every_verdict_has_one_code_and_one_kind() {
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::from_code(i64::from(verdict.code())), Some(verdict));
        let kinds = [
            verdict.is_yes(),
            verdict.needs_rebuild(),
            verdict.is_refused(),
            verdict.is_step_up(),
        ];
        assert_eq!(
            kinds.into_iter().filter(|kind| *kind).count(),
            1,
            "{verdict:?}"
        );
    }
    assert_eq!(Verdict::from_code(4), None);
    assert_eq!(Verdict::from_code(-1), None);
}

proptest! {
    /// A token of g only ever yields g+1 or the newest one, and without a yes nobody gets anything new.
    #[test]
    fn the_generation_never_falls_and_only_a_yes_raises_it(
        generation in 1_u32..12, stored in 1_u32..12, age in 0_u32..100, flags: [bool; 8],
    ) {
        let [is_bound, has_proof, by_rotation, is_strict, may_rotate, ends_on_replay, is_activity, same] = flags;
        let before = SessionRecord { generation: stored, is_bound, is_made_by_rotation: by_rotation, ..record() };
        let print = if same { before.print } else { [5; 4] };
        let token = Presented { has_proof, print, is_strict, may_rotate, ends_on_replay, is_activity, ..presented(generation) };
        let outcome = decide(&before, &token, MADE + age);
        let now = match Stored::decode(&outcome.record).unwrap() {
            Stored::Ended(_) => {
                prop_assert_eq!(outcome.verdict, Verdict::ReplayedEnded);
                return Ok(());
            }
            Stored::Living(after) => after.generation,
        };
        let expected = match outcome.verdict {
            Verdict::Rotated => stored.max(generation) + 1,
            verdict if verdict.is_yes() => stored.max(generation),
            _ => stored,
        };
        prop_assert_eq!(now, expected);
        prop_assert_eq!(outcome.adoption.is_adopted(), outcome.verdict.is_yes() && generation > stored);
    }

    /// Hostile values of the keys are answered, too.
    #[test]
    fn any_bytes_are_answered(session in proptest::collection::vec(any::<u8>(), 0..110), user in proptest::collection::vec(any::<u8>(), 0..20), now_ms: i64) {
        let _ = rotate(&session, &user, LINEAGE, &presented(7), now_ms);
    }
}
