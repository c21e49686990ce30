"""The table of refresh rotation, row by row, on a real server.

Written by hand from the rules, not from the function or its twin: the two could be wrong together.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from tests.support.records import ACTIVE, BOUND, BY_ROTATION, CONTESTED, ENDED, REBUILT, Record, tombstone, user_record
from tests.support.subject import IDLE, LIFE, Subject
from tests.support.valkey import Valkey

ROTATED, REPEATED, CURRENT, HELD = range(4)
MISSING, STALE, USER_MISSING, NEWER_FAMILY = range(10, 14)
IS_ENDED, IDLE_TIMEOUT, ABSOLUTE_TIMEOUT, USER_DISABLED, BEFORE, PROOF_REQUIRED = range(20, 26)
OLDER_FAMILY, IS_CONTESTED, PRINT_CHANGED, ANSWER_LATE, REPLAYED, REPLAYED_ENDED = range(30, 36)
EXPLAINED, UNEXPLAINED = 1, 2
GRACE, DEADLINE = 30, 10
DEBOUNCE = GRACE + DEADLINE
# A second may pass between the reading of the clock and the call.
SLACK = 5
CREATED = 1000
"""Seconds since the session of a row was created."""
GENERATION = 5
MINE, THEIRS = b"\1\1\0\0", b"\2\2\0\0"
FIRST_TRY, SECOND_TRY = b"try1", b"try2"
REPLAY = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """Arguments of `rotate`, in their order; `issued` is relative to now."""

    family: int = 2
    generation: int = GENERATION
    issued: int = -200
    proof: bool = False
    attempt: bytes = bytes(4)
    print: bytes = MINE
    grace: int = GRACE
    deadline: int = DEADLINE
    strict: bool = False
    may_rotate: bool = True
    end_on_replay: bool = False
    activity: bool = False
    idle: int = IDLE
    absolute_max: int = LIFE
    not_before: int = 0

    def arguments(self, now: int) -> list[bytes | int]:
        """As the function takes them."""
        fields: dict[str, Any] = asdict(self) | {"issued": now + self.issued}
        return [int(value) if isinstance(value, bool) else value for value in fields.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one call."""

    verdict: int
    adoption: int
    before: Record
    value: bytes

    @property
    def adopted(self) -> bool:
        """The token was newer than the record."""
        return self.adoption != 0

    @property
    def after(self) -> Record:
        """The living record that is there now."""
        return Record.unpack(self.value)

    @property
    def is_unchanged(self) -> bool:
        """The record is bit-identical."""
        return self.value == self.before.pack()


@pytest.fixture
def subject(valkey: Valkey) -> Subject:
    """A user of this test alone."""
    return Subject(valkey)


def present(subject: Subject, *, age: int = 500, **changes: Any) -> Answer:
    """Presents a token to a record of generation 5 and family 2 that was rotated `age` ago by the holder of MINE.

    Args:
        subject: Whose session it is.
        age: Seconds since the record's generation was made.
        changes: `record_…` fields of the record, all others of the presented token.
    """
    of_record = {name.removeprefix("record_"): changes.pop(name) for name in list(changes) if name.startswith("record")}
    now, session_id = subject.now, subject.new_id()
    fields: dict[str, Any] = {"family": 2, "generation": GENERATION, "flags": BY_ROTATION, "print": MINE}
    fields |= {"attempt": FIRST_TRY, "created": now - CREATED, "made": now - age}
    # A use would be worth a write: where nothing is written, none was counted.
    fields |= {"idle_deadline": now + IDLE // 2} | of_record
    before = subject.put(session_id, subject.record(**fields))
    answer = _rotate(subject, session_id, Presented(**changes), now)
    assert answer[3] == subject.value(session_id), "the answer says what the key holds"
    return Answer(verdict=answer[0], adoption=answer[4], before=before, value=answer[3])


def _rotate(subject: Subject, session_id: str, presented: Presented, now: int) -> list[Any]:
    return subject.valkey.call("rotate", [subject.key(session_id), subject.user], *presented.arguments(now))


def test_the_newest_token_rotates(subject: Subject) -> None:
    """G+1, made now, by rotation; who presented it is remembered, the rest stays."""
    answer = present(subject, age=DEBOUNCE + 1, attempt=SECOND_TRY, print=THEIRS)
    assert answer.verdict == ROTATED
    assert 0 <= answer.after.made - (answer.before.made + DEBOUNCE + 1) <= SLACK
    changed: dict[str, Any] = {
        "generation": GENERATION + 1,
        "made": answer.after.made,
        "attempt": SECOND_TRY,
        "print": THEIRS,
    }
    assert answer.after == replace(answer.before, **changed)


def test_the_first_refresh_always_rotates(subject: Subject) -> None:
    """G that was made by a sign-in or step-up has no debounce."""
    answer = present(subject, age=0, record_flags=0, record_generation=1, generation=1)
    assert (answer.verdict, answer.after.generation, answer.after.flags) == (ROTATED, 2, BY_ROTATION)


@pytest.mark.parametrize("age", [0, GRACE + 1, DEBOUNCE - SLACK])
def test_the_newest_token_is_repeated_inside_the_debounce(subject: Subject, age: int) -> None:
    """Grace and deadline together: an answer may be as late as that."""
    answer = present(subject, age=age, print=THEIRS)
    assert (answer.verdict, answer.is_unchanged) == (REPEATED, True)


def test_a_clock_that_went_back_is_no_age(subject: Subject) -> None:
    """Age is never negative."""
    assert present(subject, age=-100).verdict == REPEATED


def test_while_bounds_cannot_be_written_the_newest_token_is_held(subject: Subject) -> None:
    """An access token only."""
    answer = present(subject, may_rotate=False)
    assert (answer.verdict, answer.is_unchanged) == (HELD, True)


def test_the_last_generation_is_held(subject: Subject) -> None:
    """A generation is an u32, and never begins anew."""
    answer = present(subject, record_generation=2**32 - 1, generation=2**32 - 1)
    assert (answer.verdict, answer.is_unchanged) == (HELD, True)


@pytest.mark.parametrize("changes", [{"print": MINE}, {"print": THEIRS, "attempt": FIRST_TRY}, {"print": bytes(4)}])
def test_one_behind_inside_the_grace_gets_the_current_token(subject: Subject, changes: dict[str, Any]) -> None:
    """The same print, the same attempt, or nothing that says it is another's."""
    answer = present(subject, age=GRACE - SLACK, generation=GENERATION - 1, **changes)
    assert (answer.verdict, answer.is_unchanged) == (CURRENT, True)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"age": GRACE - SLACK, "print": THEIRS}, PRINT_CHANGED),
        ({"age": GRACE - SLACK, "print": THEIRS, "attempt": SECOND_TRY}, PRINT_CHANGED),
        ({"age": GRACE - SLACK, "print": THEIRS, "record_attempt": bytes(4)}, PRINT_CHANGED),
        ({"age": GRACE + 1}, ANSWER_LATE),
        ({"age": GRACE + 1, "attempt": FIRST_TRY}, ANSWER_LATE),
    ],
    ids=["another print", "another attempt", "no attempt on either side", "after the grace", "the same attempt, late"],
)
def test_one_behind_steps_up_and_changes_nothing(subject: Subject, changes: dict[str, Any], verdict: int) -> None:
    """Somebody else's, or a lost answer: the newest token goes on either way, and no use is counted."""
    answer = present(subject, generation=GENERATION - 1, activity=True, **changes)
    assert (answer.verdict, answer.is_unchanged) == (verdict, True)


@pytest.mark.parametrize("age", [0, 500])
def test_rfc_9700_4_14_2_two_behind_contests(subject: Subject, age: int) -> None:
    """Whenever it comes; the generation stays, and the idle deadline too."""
    answer = present(subject, age=age, generation=GENERATION - 2, activity=True)
    assert (answer.verdict, answer.after) == (REPLAYED, replace(answer.before, state=CONTESTED))


def test_two_behind_may_end_the_session(subject: Subject) -> None:
    """By policy."""
    answer = present(subject, generation=GENERATION - 2, end_on_replay=True)
    ended_at = int.from_bytes(answer.value[11:15], "big")
    assert (answer.verdict, answer.value) == (REPLAYED_ENDED, tombstone(subject.lineage, REPLAY, ended_at))
    assert 0 <= subject.now - ended_at <= SLACK


@pytest.mark.parametrize("generation", [0, GENERATION - 2, GENERATION - 1])
def test_a_proof_gets_the_current_token_whatever_was_lost(subject: Subject, generation: int) -> None:
    """Bound: no step-up for a lost answer, however late."""
    bound: dict[str, Any] = {"record_flags": BOUND | BY_ROTATION, "proof": True, "print": THEIRS}
    answer = present(subject, generation=generation, **bound)
    assert (answer.verdict, answer.is_unchanged) == (CURRENT, True)
    assert present(subject, **bound).verdict == ROTATED


@pytest.mark.parametrize("generation", [0, GENERATION - 1, GENERATION, GENERATION + 3])
def test_without_a_proof_a_bound_record_is_unchanged(subject: Subject, generation: int) -> None:
    """Whatever is presented: not even taken over."""
    answer = present(subject, record_flags=BOUND | BY_ROTATION, generation=generation)
    assert (answer.verdict, answer.is_unchanged, answer.adopted) == (PROOF_REQUIRED, True, False)


def test_a_newer_token_is_adopted_as_old_as_it_says(subject: Subject) -> None:
    """G := g, made := iat: inside its debounce it is repeated, and its holder is unknown."""
    answer = present(subject, generation=GENERATION + 3, issued=-5)
    assert (answer.verdict, answer.adopted, answer.after.generation) == (REPEATED, True, GENERATION + 3)
    assert (answer.after.attempt, answer.after.print) == (bytes(4), bytes(4))
    assert abs(answer.after.made - (answer.before.made + 500 - 5)) <= SLACK


def test_a_newer_token_is_an_alarm_where_nothing_was_lost(subject: Subject) -> None:
    """A loss goes along with a rebuild; without one, nothing explains the token."""
    for flags, adoption in ((BY_ROTATION | REBUILT, EXPLAINED), (BY_ROTATION, UNEXPLAINED)):
        answer = present(subject, generation=GENERATION + 1, record_flags=flags)
        assert (answer.verdict, answer.adoption, answer.after.flags) == (ROTATED, adoption, flags)


def test_a_newer_token_that_is_old_is_adopted_and_rotated(subject: Subject) -> None:
    """It goes on below in the table."""
    answer = present(subject, generation=GENERATION + 3, issued=-DEBOUNCE - 1)
    assert (answer.verdict, answer.adopted, answer.after.generation) == (ROTATED, True, GENERATION + 4)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"family": 1}, OLDER_FAMILY),
        ({"family": 1, "generation": GENERATION + 3}, OLDER_FAMILY),
        ({"family": 1, "generation": 0}, OLDER_FAMILY),
        ({"family": 3}, NEWER_FAMILY),
        ({"family": 3, "generation": 1}, NEWER_FAMILY),
        ({"record_state": CONTESTED}, IS_CONTESTED),
        ({"record_state": CONTESTED, "generation": GENERATION - 1}, IS_CONTESTED),
        ({"record_state": CONTESTED, "generation": GENERATION + 1}, IS_CONTESTED),
    ],
)
def test_another_family_or_a_contested_one_changes_nothing(
    subject: Subject, changes: dict[str, Any], verdict: int
) -> None:
    """An older family steps up, a newer one is asked about, a contested one waits for a proof."""
    answer = present(subject, activity=True, **changes)
    assert (answer.verdict, answer.is_unchanged) == (verdict, True)


def test_a_deadline_that_passed_refuses(subject: Subject) -> None:
    """The idle one, the absolute one, and one that the policy has shortened since."""
    now = subject.now
    assert present(subject, record_idle_deadline=now).verdict == IDLE_TIMEOUT
    over = present(subject, record_idle_deadline=now, record_absolute_deadline=now, activity=True)
    assert (over.verdict, over.is_unchanged) == (ABSOLUTE_TIMEOUT, True)
    assert present(subject, absolute_max=CREATED - 1).verdict == ABSOLUTE_TIMEOUT


def test_a_use_never_moves_the_idle_deadline_past_the_absolute_one(subject: Subject) -> None:
    """And moves it as far as the policy says else."""
    now = subject.now
    near = present(subject, record_idle_deadline=now + 60, record_absolute_deadline=now + 600, activity=True)
    assert (near.verdict, near.after.idle_deadline) == (ROTATED, now + 600)
    far = present(subject, record_idle_deadline=now + 60, activity=True)
    assert 0 <= far.after.idle_deadline - (now + IDLE) <= SLACK
    passive = present(subject, record_idle_deadline=now + 60)
    assert (passive.verdict, passive.after.idle_deadline) == (ROTATED, now + 60)


def test_a_disabled_user_is_refused(subject: Subject) -> None:
    """Whatever the token."""
    subject.set_user(disabled=1)
    answer = present(subject)
    assert (answer.verdict, answer.is_unchanged) == (USER_DISABLED, True)


@pytest.mark.parametrize("by_user", [True, False], ids=["of the user", "of tenant or client"])
def test_what_was_created_before_an_end_is_refused_however_new_the_token(subject: Subject, by_user: bool) -> None:
    """A refresh that races the end gets a token that was issued after it; the session was not."""
    moment = subject.now - CREATED + 100
    if by_user:
        subject.set_user(not_before=moment)
    answer = present(subject, issued=-1, not_before=0 if by_user else moment)
    assert (answer.verdict, answer.is_unchanged) == (BEFORE, True)
    later = present(subject, issued=-1, record_created=moment + 1, not_before=0 if by_user else moment)
    assert later.verdict == ROTATED


def test_strict_every_refresh_rotates_and_no_generation_is_accepted_twice(subject: Subject) -> None:
    """No debounce, no grace; anything older ends the session at once."""
    assert present(subject, age=0, strict=True).verdict == ROTATED
    for generation in (GENERATION - 1, 0):
        answer = present(subject, age=0, strict=True, generation=generation)
        assert (answer.verdict, answer.value[1]) == (REPLAYED_ENDED, ENDED)
    bound = present(
        subject, age=0, strict=True, generation=GENERATION - 1, record_flags=BOUND | BY_ROTATION, proof=True
    )
    assert bound.verdict == REPLAYED_ENDED


def test_only_this_nodes_record_decides(subject: Subject) -> None:
    """No record, one of another process, and a tombstone of either."""
    now, session_id = subject.now, subject.new_id()

    def verdict() -> int:
        return int(_rotate(subject, session_id, Presented(generation=1, family=1), now)[0])

    assert verdict() == MISSING
    subject.put(session_id, subject.record(state=ACTIVE), lineage=b"restart!")
    assert verdict() == STALE
    subject.valkey.client.set(subject.key(session_id), tombstone(b"restart!", 3, now))
    assert verdict() == STALE
    subject.valkey.client.set(subject.key(session_id), tombstone(subject.lineage, 3, now))
    assert verdict() == IS_ENDED


def test_only_this_nodes_user_decides(subject: Subject) -> None:
    """The per-user record obeys the same rule."""
    for value in (b"", user_record(b"restart!"), user_record(b"restart!", disabled=1)):
        subject.valkey.client.set(subject.user, value)
        answer = present(subject)
        assert (answer.verdict, answer.is_unchanged) == (USER_MISSING, True)
