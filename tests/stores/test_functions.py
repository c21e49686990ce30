"""The laws of the Redis functions, on a real server: reads, ends, deadlines, not-before, lineage."""

import secrets
from dataclasses import replace

import pytest
from redis.exceptions import ResponseError

from argus import _core
from tests.support.records import CONTESTED, NO_LINEAGE, Record, not_before_value, tombstone, user_record
from tests.support.subject import IDLE, LIFE, Subject
from tests.support.valkey import Valkey

ADMIN, USER, IDLE_TIMEOUT, ABSOLUTE_TIMEOUT = 3, 2, 4, 5


@pytest.fixture
def subject(valkey: Valkey) -> Subject:
    """A user of this test alone."""
    return Subject(valkey)


def test_two_releases_run_side_by_side(valkey: Valkey) -> None:
    """Library and functions carry a digest of their source, so another release's stay as they are."""
    name = _core.function_library_name()
    other = _core.function_library().replace(name, "argus_00000000")
    valkey.client.function_load(other, replace=True)
    loaded = {entry[1].decode() for entry in valkey.client.function_list()}
    assert {name, "argus_00000000"} <= loaded
    valkey.client.function_delete("argus_00000000")


def test_every_answer_begins_with_status_time_and_lineage(subject: Subject) -> None:
    """Reads answer what the keys hold, and empty where there is none."""
    session_id = subject.sign_in()
    status, now_ms, lineage, session, user = subject.valkey.call("read", [subject.key(session_id), subject.user])
    assert (status, session, user) == (0, subject.value(session_id), user_record(lineage))
    assert abs(now_ms - subject.valkey.now_and_lineage()[0]) < 60_000
    assert len(lineage) == 8
    assert subject.valkey.call("read", [subject.key("nobody")])[3:] == [b"", b""]
    assert subject.valkey.call("stamped", [subject.user])[3:] == [user]
    assert subject.valkey.call("stamped", [subject.key("nobody")])[3:] == [b""]


def test_reads_write_nothing(subject: Subject) -> None:
    """The others refuse to be called as if they were reads."""
    session_id = subject.sign_in()
    client = subject.valkey.client
    assert client.fcall_ro(_core.function_name("read"), 1, subject.key(session_id))[0] == 0
    with pytest.raises(ResponseError, match="write flag"):
        client.fcall_ro(_core.function_name("release"), 1, subject.index, session_id)


def test_a_restart_from_a_snapshot_makes_every_record_stale(valkey: Valkey) -> None:
    """The values come back, their lineage does not: nothing is decided before a rebuild."""
    subject = Subject(valkey)
    session_id = subject.sign_in()
    before, value = subject.lineage, subject.value(session_id)
    valkey.restart()
    assert subject.lineage != before
    assert subject.value(session_id) == value
    assert subject.touch(session_id) == 1
    assert subject.expire(session_id) == [1]
    assert subject.reserve(subject.new_id()) == [1]
    assert subject.create(subject.new_id()) == 1


def test_a_promotion_makes_every_record_stale(valkey: Valkey) -> None:
    """A server that followed another one for a while may have lost writes, though it was never restarted."""
    subject = Subject(valkey)
    session_id = subject.sign_in()
    before = subject.lineage
    valkey.client.replicaof("127.0.0.1", "1")
    valkey.client.replicaof("NO", "ONE")
    assert subject.lineage != before
    assert subject.touch(session_id) == 1
    assert subject.expire(session_id) == [1]


def test_an_end_keeps_the_first_moment_and_reason(subject: Subject) -> None:
    """A second end returns the first."""
    session_id = subject.sign_in()
    at = subject.now
    assert subject.end(session_id, reason=ADMIN, at=at) == (at, ADMIN)
    assert subject.end(session_id, reason=USER, at=at + 5) == (at, ADMIN)
    assert subject.value(session_id) == tombstone(subject.lineage, ADMIN, at)
    assert subject.members() == set()
    assert 0 < subject.valkey.client.ttl(subject.key(session_id)) <= LIFE


def test_an_end_is_written_where_no_record_is(subject: Subject) -> None:
    """A session that the store has forgotten stays ended, whatever a rebuild then brings."""
    session_id, at = subject.new_id(), subject.now
    assert subject.end(session_id, at=at) == (at, 1)
    assert subject.rebuild(session_id, subject.record().pack()) == 2
    assert subject.value(session_id) == tombstone(subject.lineage, 1, at)


def test_an_end_of_another_lineage_stays_the_first_and_becomes_current(subject: Subject) -> None:
    """What an older process ended, ended then."""
    session_id, at = subject.new_id(), subject.now
    subject.valkey.client.set(subject.key(session_id), tombstone(b"restart!", ADMIN, at - 9))
    assert subject.end(session_id, at=at) == (at - 9, ADMIN)
    assert subject.value(session_id) == tombstone(subject.lineage, ADMIN, at - 9)


def test_ends_are_written_in_a_full_store(subject: Subject) -> None:
    """Memory that has run out stops new sessions, not the end of one."""
    session_id = subject.sign_in()
    subject.valkey.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="maxmemory"):
            subject.reserve(subject.new_id())
        assert subject.end(session_id, reason=ADMIN)[1] == ADMIN
        assert subject.set_user(disabled=1) == 0
    finally:
        subject.valkey.client.config_set("maxmemory", 0)


def test_asvs_7_3_1_a_session_ends_when_its_idle_deadline_passed(subject: Subject) -> None:
    """Not due before; then ended at the deadline, exactly once, and out of the index."""
    session_id = subject.sign_in()
    assert subject.expire(session_id) == [0]
    late = subject.now - 100
    subject.put(session_id, subject.record(created=late - IDLE, idle_deadline=late))
    assert subject.expire(session_id) == [3, late, IDLE_TIMEOUT]
    assert subject.expire(session_id) == [2, late, IDLE_TIMEOUT]
    assert subject.value(session_id) == tombstone(subject.lineage, IDLE_TIMEOUT, late)
    assert subject.members() == set()


def test_asvs_7_3_2_a_session_ends_when_its_absolute_deadline_passed(subject: Subject) -> None:
    """By its own deadline, or by a policy that was shortened since."""
    own, shortened = subject.sign_in(), subject.sign_in()
    late = subject.now - 100
    subject.put(own, subject.record(created=late - LIFE, absolute_deadline=late))
    subject.put(shortened, subject.record(created=late - 500))
    assert subject.expire(own) == [4, late, ABSOLUTE_TIMEOUT]
    assert subject.expire(shortened, longest=500) == [4, late, ABSOLUTE_TIMEOUT]


def test_a_use_is_written_at_most_once_in_a_twentieth(subject: Subject) -> None:
    """The idle deadline moves on by a use, in steps; the life of the key stays."""
    session_id = subject.sign_in()
    record = subject.stored(session_id)
    near = subject.put(session_id, replace(record, idle_deadline=record.idle_deadline - IDLE // 20 + 60))
    assert subject.touch(session_id) == 0
    assert subject.value(session_id) == near.pack()
    subject.put(session_id, replace(record, idle_deadline=record.idle_deadline - IDLE // 20))
    assert subject.touch(session_id) == 0
    assert subject.stored(session_id).idle_deadline >= record.idle_deadline
    assert subject.valkey.client.ttl(subject.key(session_id)) > LIFE - 60


def test_a_late_report_of_a_use_never_shortens(subject: Subject) -> None:
    """Offline verifiers report in any order."""
    session_id = subject.sign_in()
    record = subject.stored(session_id)
    assert subject.touch(session_id, active=record.created - 600) == 0
    assert subject.stored(session_id) == record


def test_a_session_that_is_over_cannot_be_touched(subject: Subject) -> None:
    """Each way of being over has its status, and nothing is written."""
    session_id, now = subject.sign_in(), subject.now
    for status, record in (
        (3, subject.record(created=now - 90, idle_deadline=now)),
        (4, subject.record(created=now - 90, idle_deadline=now, absolute_deadline=now)),
        (0, subject.record(state=CONTESTED, idle_deadline=now + 9)),
        (1, subject.record(version=2)),
    ):
        stored = subject.put(session_id, record)
        assert (subject.touch(session_id), subject.value(session_id)) == (status, stored.pack())
    subject.put(session_id, subject.record())
    subject.set_user(disabled=1)
    assert subject.touch(session_id) == 2
    subject.end(session_id)
    assert subject.touch(session_id) == 2
    assert subject.touch(subject.new_id()) == 1


def test_rotation_keeps_the_life_of_the_key(subject: Subject) -> None:
    """Neither a rotation nor the end by a replay changes for how long the session is remembered."""
    session_id = subject.sign_in()
    policy = (bytes(4), bytes(4), 30, 10, 0, 1, 1, 1, IDLE, LIFE, 0)
    for generation, verdict in ((1, 0), (2, 1), (0, 35)):
        args = (1, generation, subject.now, 0, *policy)
        assert subject.valkey.call("rotate", [subject.key(session_id), subject.user], *args)[0] == verdict
        assert subject.valkey.client.ttl(subject.key(session_id)) > LIFE


def test_a_not_before_only_rises(subject: Subject) -> None:
    """Out-of-order ends of a tenant leave the latest."""
    key = f"a1:nb:{secrets.token_hex(8)}"
    for given, stored in ((500, 500), (400, 500), (600, 600)):
        assert subject.valkey.call("set_not_before", [key], "", given)[0] == 0
        assert subject.valkey.client.get(key) == not_before_value(subject.lineage, stored)


def test_a_not_before_is_rebuilt_by_compare_and_set(subject: Subject) -> None:
    """Only on the node that was asked; what a process before left counts for nothing."""
    key = f"a1:nb:{secrets.token_hex(8)}"
    subject.valkey.client.set(key, not_before_value(b"restart!", 900))
    assert subject.valkey.call("set_not_before", [key], b"restart!", 500)[0] == 1
    assert subject.valkey.client.get(key) == not_before_value(b"restart!", 900)
    assert subject.valkey.call("set_not_before", [key], subject.lineage, 500)[0] == 0
    assert subject.valkey.client.get(key) == not_before_value(subject.lineage, 500)


def test_a_known_user_is_changed_in_place(subject: Subject) -> None:
    """Disabled and not-before are set apart, and not-before only rises."""
    subject.set_user(not_before=50)
    subject.set_user(disabled=1, not_before=40)
    assert subject.valkey.client.get(subject.user) == user_record(subject.lineage, disabled=1, not_before=50)
    subject.set_user(disabled=0)
    assert subject.valkey.client.get(subject.user) == user_record(subject.lineage, not_before=50)


@pytest.mark.parametrize("stale", [b"", user_record(b"restart!", not_before=70)])
def test_a_change_of_an_unknown_user_waits_for_the_rebuild(valkey: Valkey, stale: bytes) -> None:
    """A rebuild that had read the user before it was disabled must not bring it back."""
    subject = Subject(valkey, is_known=False)
    if stale:
        valkey.client.set(subject.user, stale)
    subject.set_user(disabled=1, not_before=60)
    subject.set_user(not_before=20)
    value = valkey.client.get(subject.user)
    assert isinstance(value, bytes)
    assert value[2:10] == NO_LINEAGE
    assert subject.rebuild_user(disabled=0, not_before=10) == 0
    expected = user_record(subject.lineage, disabled=1, not_before=70 if stale else 60)
    assert valkey.client.get(subject.user) == expected
    assert valkey.client.ttl(subject.user) == -1


def test_a_record_survives_the_functions_whole(subject: Subject) -> None:
    """What a function does not decide on stays as it was given."""
    record = Record(
        created=subject.now,
        idle_deadline=subject.now + IDLE,
        absolute_deadline=subject.now + LIFE,
        flags=3,
        family=2**32 - 1,
        generation=2**32 - 1,
        made=2**32 - 1,
        attempt=b"\xff\x00\xff\x00",
        print=b"\x00\xff\x00\xff",
        binding=bytes(range(16)),
        device=bytes(range(240, 256)),
        context=b"\r\n\0" * 4,
    )
    session_id = subject.new_id()
    subject.reserve(session_id)
    assert subject.create(session_id, record) == 0
    assert subject.stored(session_id) == replace(record, lineage=subject.lineage)
