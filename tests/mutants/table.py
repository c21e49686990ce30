"""Mutants of the rows of the rotation table (`rotate.lua`)."""

from typing import Final

from tests.mutants.model import Mutant

_ROWS: Final = "tests/stores/test_rotate_rows.py::"
_REFRESH: Final = "tests/rpc/engine/test_refresh.py::"


def _rotate(name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    file = "rust_core/core/src/lua/rotate.lua"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=tests)


TABLE: Final = (
    _rotate(
        "no-debounce",
        "A second refresh right after the first rotates once more.",
        "if not token.is_strict and session.by_rotation and age <=",
        "if not token.is_strict and session.by_rotation and age < 0 and age <=",
        _ROWS + "test_the_newest_token_is_repeated_inside_the_debounce",
        _REFRESH + "test_a_retry_gets_the_same_successor_and_a_second_tab_too",
    ),
    _rotate(
        "debounce-of-a-grace",
        "The debounce is a grace long, without the request deadline: a second rotation may overtake an answer.",
        "age <= token.grace + token.deadline",
        "age <= token.grace",
        _ROWS + "test_the_newest_token_is_repeated_inside_the_debounce",
    ),
    _rotate(
        "first-refresh-debounced",
        "The first refresh after a sign-in is debounced: the token that a thief saw at the sign-in stays good.",
        "not token.is_strict and session.by_rotation and age",
        "not token.is_strict and age",
        _ROWS + "test_the_first_refresh_always_rotates",
        _REFRESH + "test_the_first_refresh_rotates_and_its_bound_is_queued",
    ),
    _rotate(
        "age-may-be-negative",
        "A clock that went back makes an age below zero, and with it no debounce.",
        "local age = math.max(0, now - session.made)",
        "local age = (now - session.made) % 4294967296",
        _ROWS + "test_a_clock_that_went_back_is_no_age",
    ),
    _rotate(
        "rotates-without-bounds",
        "It rotates although PostgreSQL can't be told: a loss of Redis then brings long-replaced tokens back.",
        "elseif token.may_rotate and session.generation < U32_MAX then",
        "elseif session.generation < U32_MAX then",
        _ROWS + "test_while_bounds_cannot_be_written_the_newest_token_is_held",
        _REFRESH + "test_while_bounds_cannot_be_written_nothing_rotates",
    ),
    _rotate(
        "grace-of-a-debounce",
        "The grace is longer than the policy says, by the request deadline.",
        "elseif age > token.grace then",
        "elseif age > token.grace + token.deadline then",
        _ROWS + "test_one_behind_steps_up_and_changes_nothing",
        _REFRESH + "test_another_holder_inside_the_grace_and_a_late_answer_step_up",
    ),
    _rotate(
        "no-grace",
        "A lost answer always costs a step-up.",
        "elseif age > token.grace then",
        "elseif age >= 0 then",
        _ROWS + "test_one_behind_inside_the_grace_gets_the_current_token",
        _REFRESH + "test_a_retry_gets_the_same_successor_and_a_second_tab_too",
        "tests/property/test_cookie_jars.py::test_one_jar_whose_answers_arrive_is_never_refused",
        "tests/web/browser/test_tabs.py::test_ten_tabs_over_one_jar_never_meet_a_refusal",
    ),
    _rotate(
        "prints-not-compared",
        "Inside the grace anybody gets the current token, whatever the print.",
        "return mine == theirs",
        "return true",
        _ROWS + "test_one_behind_steps_up_and_changes_nothing",
        _REFRESH + "test_another_holder_inside_the_grace_and_a_late_answer_step_up",
    ),
    _rotate(
        "no-attempt-equals-no-attempt",
        "Two requests without an attempt id count as the same attempt, so prints are never looked at.",
        "if token.attempt ~= UNKNOWN and token.attempt == session.attempt then",
        "if token.attempt == session.attempt then",
        _ROWS + "test_one_behind_steps_up_and_changes_nothing",
    ),
    _rotate(
        "attempts-not-compared",
        "A retry with the same attempt id over another network is taken for a thief.",
        "if token.attempt ~= UNKNOWN and token.attempt == session.attempt then",
        "if false then",
        _ROWS + "test_one_behind_inside_the_grace_gets_the_current_token",
    ),
    _rotate(
        "replay-is-a-late-answer",
        "Two generations behind is answered like one: a theft is never told from a lost answer.",
        "return token.ends_on_replay and REPLAYED_ENDED or REPLAYED",
        "return ANSWER_LATE",
        _ROWS + "test_rfc_9700_4_14_2_two_behind_contests",
        _REFRESH + "test_rfc_9700_4_14_2_a_replay_contests_the_family",
    ),
    _rotate(
        "contest-not-kept",
        "A replay is answered by a step-up and forgotten: the thief's newest token goes on.",
        "session.state, is_changed = CONTESTED, true",
        "is_changed = false",
        _ROWS + "test_rfc_9700_4_14_2_two_behind_contests",
        _REFRESH + "test_rfc_9700_4_14_2_a_replay_contests_the_family",
    ),
    _rotate(
        "contested-goes-on",
        "The newest token of a contested family refreshes.",
        "elseif session.state == CONTESTED then\n    return IS_CONTESTED",
        "elseif session.state == ENDED then\n    return IS_CONTESTED",
        _ROWS + "test_another_family_or_a_contested_one_changes_nothing",
        _REFRESH + "test_rfc_9700_4_14_2_a_replay_contests_the_family",
    ),
    _rotate(
        "replay-never-ends",
        "The policy says to end the session on a replay, and it is contested only.",
        "return token.ends_on_replay and REPLAYED_ENDED or REPLAYED",
        "return REPLAYED",
        _ROWS + "test_two_behind_may_end_the_session",
        _REFRESH + "test_a_policy_may_end_the_session_on_replay",
    ),
    _rotate(
        "strict-has-a-grace",
        "Strict rotation accepts a generation twice.",
        "  elseif token.is_strict then\n    return REPLAYED_ENDED\n",
        "",
        _ROWS + "test_strict_every_refresh_rotates_and_no_generation_is_accepted_twice",
        _REFRESH + "test_strict_rotation_writes_the_bound_before_the_answer",
    ),
    _rotate(
        "older-family-looked-at",
        "A token of a family before the step-up is judged by its generation.",
        "elseif token.family < session.family then\n    return OLDER_FAMILY",
        "elseif token.family < 0 then\n    return OLDER_FAMILY",
        _ROWS + "test_another_family_or_a_contested_one_changes_nothing",
    ),
    _rotate(
        "newer-family-not-asked-about",
        "A family that this Redis has not heard of is judged by its generation, not by PostgreSQL.",
        "elseif token.family > session.family then\n    return NEWER_FAMILY",
        "elseif token.family < 0 then\n    return NEWER_FAMILY",
        _ROWS + "test_another_family_or_a_contested_one_changes_nothing",
    ),
    _rotate(
        "proof-not-asked-for",
        "A bound session's token refreshes without a proof.",
        "elseif session.bound == 1 and not token.has_proof then",
        "elseif session.bound == 9 and not token.has_proof then",
        _ROWS + "test_without_a_proof_a_bound_record_is_unchanged",
    ),
    _rotate(
        "proof-does-not-help",
        "A bound session whose answer was lost must step up.",
        "elseif session.bound == 1 then\n    return CURRENT",
        "elseif session.bound == 9 then\n    return CURRENT",
        _ROWS + "test_a_proof_gets_the_current_token_whatever_was_lost",
    ),
    _rotate(
        "nothing-adopted",
        "After a loss the client's token is newer than the record, and is refused for it.",
        "if token.generation <= session.generation then\n    return NOT_ADOPTED",
        "if token.generation <= session.generation or token.generation > 0 then\n    return NOT_ADOPTED",
        _ROWS + "test_a_newer_token_is_adopted_as_old_as_it_says",
        _REFRESH + "test_a_newer_token_than_the_store_knows_is_taken_over",
    ),
    _rotate(
        "no-alarm-without-a-loss",
        "A token that is newer than a record that lost nothing is adopted like any other: a stolen key makes no alarm.",
        "return session.rebuilt and EXPLAINED or UNEXPLAINED",
        "return EXPLAINED",
        _ROWS + "test_a_newer_token_is_an_alarm_where_nothing_was_lost",
    ),
    _rotate(
        "not-before-against-the-token",
        "A user-wide end is compared with the token's time: a refresh that races the end lives on.",
        "elseif session.created <= math.max(user.not_before, token.not_before) then",
        "elseif token.issued_at <= math.max(user.not_before, token.not_before) then",
        _ROWS + "test_what_was_created_before_an_end_is_refused_however_new_the_token",
    ),
    _rotate(
        "only-the-users-not-before",
        "Tenant- and client-wide ends don't reach the refresh.",
        "math.max(user.not_before, token.not_before)",
        "user.not_before",
        _ROWS + "test_what_was_created_before_an_end_is_refused_however_new_the_token",
        _REFRESH + "test_ended_timed_out_and_disabled_say_so",
    ),
    _rotate(
        "disabled-not-looked-at",
        "A disabled user refreshes.",
        "elseif user.disabled == 1 then\n    return USER_DISABLED",
        "elseif user.disabled == 9 then\n    return USER_DISABLED",
        _ROWS + "test_a_disabled_user_is_refused",
        _REFRESH + "test_ended_timed_out_and_disabled_say_so",
    ),
    _rotate(
        "a-refusal-is-a-use",
        "A thief who is refused keeps the session from timing out.",
        "if verdict <= HELD and token.is_activity then",
        "if token.is_activity then",
        _ROWS + "test_one_behind_steps_up_and_changes_nothing",
        _ROWS + "test_rfc_9700_4_14_2_two_behind_contests",
    ),
    _rotate(
        "one-behind-is-the-newest",
        "One behind counts as the newest: the replaced token rotates on its own.",
        "if token.generation == session.generation then",
        "if token.generation >= session.generation - 1 then",
        _ROWS + "test_one_behind_inside_the_grace_gets_the_current_token",
        _REFRESH + "test_another_holder_inside_the_grace_and_a_late_answer_step_up",
    ),
)
"""One or more for each row."""
