"""The laws of the function that begins a new refresh family: step_up."""

from dataclasses import replace

import pytest

from tests.support.records import ACTIVE, BY_ROTATION, CONTESTED, tombstone, user_record
from tests.support.subject import Subject
from tests.support.valkey import Valkey

OLD = b"restart!"


@pytest.fixture
def subject(valkey: Valkey) -> Subject:
    """A user of this test alone."""
    return Subject(valkey)


@pytest.mark.parametrize("state", [ACTIVE, CONTESTED])
def test_a_new_family_begins_clean(subject: Subject, state: int) -> None:
    """Nothing of the older one is kept; the key's life is the one asked for, and the index knows the session."""
    session_id = subject.new_id()
    subject.put(
        session_id, subject.record(state=state, generation=9, flags=BY_ROTATION, attempt=b"try1", print=b"1212")
    )
    given = subject.record(family=2)
    status, value = subject.step_up(session_id, given)
    assert status == 0
    assert value == subject.value(session_id)
    assert subject.stored(session_id) == replace(given, lineage=subject.lineage)
    assert 86_440 < subject.valkey.client.ttl(subject.key(session_id)) <= 86_460
    assert {sid: one.moment for sid, one in subject.index_entries().items()} == {session_id: given.created * 1000}


def test_families_only_rise(subject: Subject) -> None:
    """A slower step-up comes after a faster one, or twice: the newest family stays as it is by now."""
    session_id = subject.sign_in()
    assert subject.step_up(session_id, subject.record(family=3))[0] == 0
    value = subject.value(session_id)
    for family in (1, 2, 3):
        assert subject.step_up(session_id, subject.record(family=family, generation=5)) == (3, value)
    assert subject.value(session_id) == value


def test_what_ended_stays_ended(subject: Subject) -> None:
    """The end came after PostgreSQL had the family and before this: the first end is told."""
    session_id = subject.sign_in()
    subject.end(session_id, reason=3, at=77)
    assert subject.step_up(session_id, subject.record(family=2)) == (2, tombstone(subject.lineage, 3, 77))
    assert subject.value(session_id) == tombstone(subject.lineage, 3, 77)
    assert subject.index_entries() == {}


def test_a_disabled_user_or_a_not_before_ends_it_too(subject: Subject) -> None:
    """Both may be here before the tombstones are."""
    first, second = subject.sign_in(), subject.sign_in()
    value = subject.value(first)
    assert subject.set_user(disabled=1) == 0
    assert subject.step_up(first, subject.record(family=2)) == (2, value)
    assert subject.set_user(disabled=0, not_before=subject.stored(second).created) == 0
    assert subject.step_up(second, subject.record(family=2))[0] == 2
    assert subject.stored(second).family == 1


def test_what_this_node_did_not_write_is_rebuilt_first(subject: Subject) -> None:
    """No record, one of another process, or a user that is not known: nothing is written."""
    missing, stale, orphan = subject.new_id(), subject.new_id(), subject.sign_in()
    subject.put(stale, subject.record(), lineage=OLD)
    before = subject.value(stale)
    for session_id in (missing, stale):
        assert subject.step_up(session_id, subject.record(family=2)) == (1, b"")
    assert (subject.value(missing), subject.value(stale)) == (b"", before)
    for user in (None, user_record(OLD)):
        if user is None:
            subject.valkey.client.delete(subject.user)
        else:
            subject.valkey.client.set(subject.user, user)
        assert subject.step_up(orphan, subject.record(family=2))[0] == 1
        assert subject.stored(orphan).family == 1
