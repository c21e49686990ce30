"""The laws of the functions that bring PostgreSQL's truth back: rebuild, rebuild_user."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.records import ACTIVE, BY_ROTATION, CONTESTED, REBUILT, tombstone, user_record
from tests.support.subject import DENY, END_OLDEST, Entry, Subject
from tests.support.valkey import Valkey

OLD = b"restart!"


@pytest.fixture
def subject(valkey: Valkey) -> Subject:
    """A user of this test alone."""
    return Subject(valkey)


def test_a_missing_record_is_written_with_the_lineage(subject: Subject) -> None:
    """A living session as it is given, an ended one as a tombstone; the key's life is the one asked for."""
    living, ended = subject.new_id(), subject.new_id()
    record = subject.record(generation=5)
    assert subject.rebuild(living, record.pack()) == 0
    assert subject.stored(living) == replace(record, lineage=subject.lineage, flags=REBUILT)
    assert subject.rebuild(ended, tombstone(bytes(8), 3, 77)) == 0
    assert subject.value(ended) == tombstone(subject.lineage, 3, 77)
    assert 86_390 < subject.valkey.client.ttl(subject.key(living)) <= 86_400


def test_a_rebuild_for_another_node_is_not_written(subject: Subject) -> None:
    """The node that asked was restarted or replaced since."""
    session_id = subject.new_id()
    assert subject.rebuild(session_id, subject.record().pack(), lineage=OLD) == 1
    assert subject.value(session_id) == b""
    assert Subject(subject.valkey, is_known=False).rebuild_user(lineage=OLD) == 1


def test_a_current_record_of_the_same_family_is_never_replaced(subject: Subject) -> None:
    """Another rebuild or a rotation was faster."""
    session_id = subject.sign_in()
    value = subject.value(session_id)
    assert subject.rebuild(session_id, subject.record(generation=9).pack()) == 2
    assert subject.value(session_id) == value


def test_a_newer_family_replaces_a_current_record_of_an_older_one(subject: Subject) -> None:
    """A step-up is in PostgreSQL and has not come here: nothing of the older family is kept, contested or not."""
    for state in (ACTIVE, CONTESTED):
        session_id = subject.new_id()
        subject.put(session_id, subject.record(state=state, generation=8, flags=BY_ROTATION, attempt=b"try1"))
        given = subject.record(family=2, made=subject.now)
        assert subject.rebuild(session_id, given.pack()) == 0
        stored = subject.stored(session_id)
        assert stored == replace(given, lineage=subject.lineage, flags=stored.flags)
        assert not stored.flags & BY_ROTATION


def test_an_older_family_never_comes_back(subject: Subject) -> None:
    """The rebuild has read the old family, the step-up writes the new one, the rebuild writes."""
    session_id = subject.sign_in()
    read_before = subject.record(generation=7).pack()
    assert subject.step_up(session_id, subject.record(family=2))[0] == 0
    value = subject.value(session_id)
    assert subject.rebuild(session_id, read_before) == 2
    assert subject.value(session_id) == value
    # The same where the record is another process's: PostgreSQL was set back.
    subject.put(session_id, subject.record(family=2, generation=3), lineage=OLD)
    assert subject.rebuild(session_id, read_before) == 0
    assert (subject.stored(session_id).family, subject.stored(session_id).generation) == (2, 3)


def test_an_end_replaces_a_current_record_and_is_never_replaced(subject: Subject) -> None:
    """What has ended in PostgreSQL has ended; the first end stays, and no family is newer than it."""
    session_id = subject.sign_in()
    assert subject.rebuild(session_id, tombstone(bytes(8), 3, 77)) == 0
    for later in (tombstone(bytes(8), 4, 99), subject.record().pack(), subject.record(family=5).pack()):
        assert subject.rebuild(session_id, later) == 2
    assert subject.value(session_id) == tombstone(subject.lineage, 3, 77)


def test_read_active_then_ended_then_rebuilt_stays_ended(subject: Subject) -> None:
    """The end overtakes a rebuild that has already read PostgreSQL."""
    session_id = subject.new_id()
    subject.put(session_id, subject.record(), lineage=OLD)
    read_before = subject.record().pack()
    subject.end(session_id)
    assert subject.rebuild(session_id, read_before) == 2
    assert len(subject.value(session_id)) == 15


@pytest.mark.parametrize(
    ("bound", "old", "expected"),
    [
        ({"generation": 4, "made": 100}, {"generation": 6, "made": 200}, {"generation": 6, "made": 200}),
        ({"generation": 6, "made": 200}, {"generation": 4, "made": 100}, {"generation": 6, "made": 200}),
        ({"generation": 6, "made": 201}, {"generation": 6, "made": 200}, {"generation": 6, "made": 200}),
        ({"family": 2}, {"generation": 6, "made": 200}, {"family": 2, "generation": 1}),
    ],
    ids=["the old record knows more", "PostgreSQL knows more", "the record is exact", "another family says nothing"],
)
def test_the_higher_generation_of_a_family_survives(
    subject: Subject, bound: dict[str, Any], old: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Bounds are written late: the record of a process that was restarted may know more."""
    session_id = subject.new_id()
    subject.put(session_id, subject.record(flags=BY_ROTATION, attempt=b"try1", print=b"1212", **old), lineage=OLD)
    given = subject.record(attempt=b"try0", **bound)
    assert subject.rebuild(session_id, given.pack()) == 0
    stored = subject.stored(session_id)
    assert stored == replace(
        given, lineage=subject.lineage, flags=stored.flags, attempt=stored.attempt, print=stored.print, **expected
    )
    is_of_old_record = stored.made == 200 and old["generation"] >= given.generation
    assert (stored.flags, stored.attempt) == (
        (BY_ROTATION | REBUILT, b"try1") if is_of_old_record else (REBUILT, b"try0")
    )


@pytest.mark.parametrize(
    ("in_postgresql", "in_record", "family", "expected"),
    [
        (ACTIVE, CONTESTED, 1, CONTESTED),
        (CONTESTED, ACTIVE, 1, CONTESTED),
        (ACTIVE, ACTIVE, 1, ACTIVE),
        (ACTIVE, CONTESTED, 2, ACTIVE),
    ],
    ids=["the record says so", "PostgreSQL says so", "nobody does", "a step-up has settled it since"],
)
def test_contested_if_either_says_so(
    subject: Subject, in_postgresql: int, in_record: int, family: int, expected: int
) -> None:
    """A contested family does not become good by a loss; a new family was proved for."""
    session_id = subject.new_id()
    subject.put(session_id, subject.record(state=in_record), lineage=OLD)
    assert subject.rebuild(session_id, subject.record(state=in_postgresql, family=family).pack()) == 0
    assert subject.stored(session_id).state == expected


@pytest.mark.parametrize("lost", ["nothing", "the process", "everything", "the family"])
def test_a_contest_that_postgresql_knows_outlives_what_is_on_its_way(subject: Subject, lost: str) -> None:
    """A rebuild read PostgreSQL before the contest, and writes after it."""
    session_id = subject.new_id()
    if lost == "nothing":
        subject.put(session_id, subject.record())
    elif lost != "everything":
        subject.put(session_id, subject.record(family=2 if lost == "the process" else 1), lineage=OLD)
    family = 1 if lost == "nothing" else 2
    assert subject.valkey.call("contest", [subject.key(session_id)], family)[0] == 0
    assert subject.rebuild(session_id, subject.record(family=family).pack()) == (2 if lost == "nothing" else 0)
    assert subject.stored(session_id).state == CONTESTED


def test_a_contest_changes_nothing_that_has_been_settled(subject: Subject) -> None:
    """By an end, or by a proof that began a newer family."""
    session_id, ended = subject.new_id(), subject.new_id()
    subject.put(session_id, subject.record(family=3))
    subject.end(ended)
    for one in (session_id, ended):
        before = subject.value(one)
        assert subject.valkey.call("contest", [subject.key(one)], 2)[0] == 0
        assert subject.value(one) == before


def test_ended_if_either_says_so(subject: Subject) -> None:
    """An end in the old record, in PostgreSQL, or in both: then the store's, which was the first to be seen."""
    for in_postgresql, in_record, expected in (
        (subject.record().pack(), tombstone(OLD, 3, 70), (3, 70)),
        (tombstone(bytes(8), 4, 80), replace(subject.record(), lineage=OLD).pack(), (4, 80)),
        (tombstone(bytes(8), 4, 80), tombstone(OLD, 3, 70), (3, 70)),
    ):
        session_id = subject.new_id()
        subject.valkey.client.set(subject.key(session_id), in_record)
        assert subject.rebuild(session_id, in_postgresql) == 0
        assert subject.value(session_id) == tombstone(subject.lineage, *expected)


def test_what_this_release_cannot_read_is_replaced(subject: Subject) -> None:
    """Garbage and other versions count as missing."""
    session_id = subject.new_id()
    for garbage in (b"garbage", subject.record(version=2, lineage=subject.lineage).pack()):
        subject.valkey.client.set(subject.key(session_id), garbage)
        assert subject.rebuild(session_id, subject.record().pack()) == 0
        assert subject.stored(session_id).version == 1


def test_user_and_index_are_rebuilt_together(valkey: Valkey) -> None:
    """Once; what the index held before is gone, a sign-in in flight is not: PostgreSQL does not know it yet."""
    subject = Subject(valkey)
    gone, in_flight = subject.sign_in(), subject.new_id()
    assert subject.reserve(in_flight) == [0]
    valkey.client.set(subject.user, user_record(OLD, not_before=90))
    assert (
        subject.rebuild_user([("one", Entry(moment=100)), ("two", Entry(moment=200))], not_before=50, disabled=0) == 0
    )
    assert gone not in subject.index_entries()
    assert set(subject.index_entries()) == {"one", "two", f"!{in_flight}"}
    assert valkey.client.get(subject.user) == user_record(subject.lineage, not_before=90)
    assert subject.rebuild_user() == 2
    assert subject.members() == {"one", "two"}


def test_a_sign_in_that_postgresql_has_by_now_is_counted_once(valkey: Valkey) -> None:
    """Its session is in what was read; its hold and its claims are over with it."""
    subject = Subject(valkey)
    victim, newcomer = subject.sign_in(), subject.new_id()
    assert subject.reserve(newcomer, limit=1, on_limit=END_OLDEST) == [0, victim, 1]
    valkey.client.delete(subject.user)
    assert subject.rebuild_user([(newcomer, subject.entry())]) == 0
    assert set(subject.index_entries()) == {newcomer}


def test_the_limit_holds_over_a_rebuild(valkey: Valkey) -> None:
    """The rebuilt sessions and the sign-in in flight count."""
    subject = Subject(valkey)
    assert subject.reserve(subject.new_id(), limit=3) == [0]
    valkey.client.delete(subject.user)
    assert subject.rebuild_user([("one", Entry(moment=100_000)), ("two", Entry(moment=200_000))]) == 0
    assert subject.reserve(subject.new_id(), limit=3, on_limit=DENY) == [2, 1, 3]
