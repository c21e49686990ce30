"""When the lineage of a node changes: whenever writes may have been lost, on Valkey and on Redis.

`docs/concepts/rotation.md` and ADR 2 say why; ADR 14 what becomes of it under Sentinel.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.exceptions import ReadOnlyError

from tests.support.sentinel import wait_until
from tests.support.servers import KINDS
from tests.support.subject import Subject
from tests.support.valkey import Valkey

Start = Callable[[], Valkey]


@pytest.fixture(params=KINDS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts servers of one kind, which end with the test."""
    started: list[Valkey] = []

    def start() -> Valkey:
        server = Valkey(tmp_path / str(len(started)), kind=request.param)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def lineage(server: Valkey) -> bytes:
    """The lineage of a server."""
    return server.now_and_lineage()[1]


def test_it_is_another_one_in_every_server(start: Start) -> None:
    assert lineage(start()) != lineage(start())


def test_it_stays_as_long_as_nothing_can_be_lost(start: Start) -> None:
    """FLUSHALL among them: what is missing is rebuilt because it is missing."""
    server = start()
    before = lineage(server)
    server.client.set("key", "value")
    server.client.bgsave()
    wait_until("the snapshot is written", lambda: not server.info("persistence")["rdb_bgsave_in_progress"])
    server.client.flushall()
    server.client.function_flush()
    server.load()
    assert lineage(server) == before


def test_a_restart_changes_it(start: Start) -> None:
    """With all data, too."""
    server = start()
    before = lineage(server)
    server.restart()
    assert lineage(server) != before


def test_a_restart_from_an_older_snapshot_makes_every_record_stale(start: Start, tmp_path: Path) -> None:
    server = start()
    subject = Subject(server)
    session_id = subject.sign_in()
    server.client.save()
    shutil.copy(tmp_path / "0" / "dump.rdb", tmp_path / "older.rdb")
    subject.end(session_id)
    ended = lineage(server)
    server.client.save()
    server.stop()
    shutil.copy(tmp_path / "older.rdb", tmp_path / "0" / "dump.rdb")
    server.start()
    assert lineage(server) != ended
    assert subject.touch(session_id) == 1


def test_the_first_replica_changes_it_and_the_next_does_not(start: Start) -> None:
    """A harmless rebuild; the primary begins a new history when it first keeps one for others."""
    primary, first, second = start(), start(), start()
    alone = lineage(primary)
    first.follow(primary)
    followed = lineage(primary)
    assert followed != alone
    second.follow(primary)
    assert lineage(primary) == followed


def test_a_replica_answers_nothing(start: Start) -> None:
    """Not even a read: what it knows may be old."""
    primary, replica = start(), start()
    subject = Subject(primary)
    session_id = subject.sign_in()
    replica.follow(primary)
    assert replica.client.get(subject.key(session_id)) is not None
    with pytest.raises(ReadOnlyError):
        replica.call("stamped", [subject.key(session_id)])
    with pytest.raises(ReadOnlyError):
        replica.call("touch", [subject.key(session_id), subject.user], 0, 60, 60)


def test_a_promotion_makes_every_record_stale(start: Start) -> None:
    """The replica may have missed the last writes."""
    primary, replica = start(), start()
    replica.follow(primary)
    subject = Subject(primary)
    session_id = subject.sign_in()
    primary.client.wait(1, 5000)
    replica.promote()
    promoted = Subject(replica)
    promoted.user, promoted.index = subject.user, subject.index
    assert lineage(replica) != lineage(primary)
    assert replica.client.get(subject.key(session_id)) is not None
    assert replica.call("touch", [subject.key(session_id), subject.user], 0, 60, 60)[0] == 1


def test_a_node_that_was_demoted_and_promoted_back_has_another_one(start: Start) -> None:
    """By a partial resync, without a restart: what the other one wrote meanwhile may be missing."""
    one, other = start(), start()
    other.follow(one)
    subject = Subject(one)
    session_id, before = subject.sign_in(), lineage(one)
    one.client.wait(1, 5000)
    other.promote()
    one.follow(other)
    assert other.info("stats")["sync_partial_ok"] >= 1
    one.promote()
    assert lineage(one) != before
    assert subject.touch(session_id) == 1
