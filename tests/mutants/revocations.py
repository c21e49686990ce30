"""Mutants of what services that verify by themselves are told."""

from typing import Final

from tests.mutants.model import Mutant

_STORES: Final = "tests/stores/test_revocations.py::"
_RPC: Final = "tests/rpc/test_revocations.py::"
_FAULTS: Final = "tests/faults/test_revocation_stream.py::"
_MIGRATION: Final = "storage/migrations/0005_revocations.sql"


def _break(part: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    file = f"python/argus/{part}"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=tests)


REVOCATIONS: Final = (
    _break(
        "revocations/store.py",
        "late-commits-missed",
        "What commits after something with a higher transaction id was read is never told.",
        "AND NOT pg_visible_in_snapshot(r.transaction, %(since)s::pg_snapshot) AND",
        "AND r.transaction >= pg_snapshot_xmax(%(since)s::pg_snapshot) AND",
        _STORES + "test_what_is_committed_late_is_not_missed",
    ),
    _break(
        _MIGRATION,
        "entry-gone-before-its-tokens",
        "An entry goes while tokens of its session are good.",
        "interval '35 seconds'\n",
        "interval '-60 seconds'\n",
        _RPC + "test_one_session",
    ),
    _break(
        _MIGRATION,
        "those-that-make-room-not-told",
        "A session that made room for another is not told.",
        "NEW.state = 'ended' AND OLD.state <> 'ended'",
        "NEW.state = 'ended' AND OLD.state <> 'ended' AND NEW.end_reason <> 'LIMIT'",
        _RPC + "test_one_that_makes_room",
    ),
    _break(
        "revocations/feed.py",
        "heartbeats-always-young",
        "A heartbeat says that all is known, though PostgreSQL was not read.",
        "                yield self._newest\n",
        "                yield replace(self._newest, state_time=datetime.now().astimezone())\n",
        _FAULTS + "test_nobody_is_told_more_than_a_frozen_postgresql_says",
    ),
    _break(
        "revocations/service.py",
        "another-postgresql-read-on",
        "A PostgreSQL that was started anew is read on from the transaction of the one before.",
        "is_another = reading.cursor.server != self._cursor.server",
        "is_another = False",
        _FAULTS + "test_another_postgresql_means_the_whole_list_again",
    ),
    _break(
        "revocations/service.py",
        "undelivered-ends-expire",
        "An end that Redis does not know leaves the list, and new tokens of its session pass.",
        "        await self._store.prolong(now=self._now())\n",
        "",
        _FAULTS + "test_an_end_stays_on_the_list_until_redis_knows_it",
    ),
    _break(
        "revocations/service.py",
        "resumed-as-if-all-were-known",
        "A token leads to what comes, and not to what has come since.",
        "since = here.before_all() if known is None or is_snapshot else known",
        "since = here.before_all() if known is None or is_snapshot else here",
        _FAULTS + "test_a_token_of_one_server_is_good_at_the_other",
    ),
    _break(
        "revocations/feed.py",
        "slow-watchers-miss-news",
        "A watcher that reads slowly goes on behind what it has not read.",
        "            if place < self._first:\n                raise OverloadedError(_PAUSE)\n",
        "            place = max(place, self._first)\n",
        _RPC + "test_one_that_reads_too_slowly_is_told_to_come_again",
    ),
    _break(
        "rpc/handlers.py",
        "streams-outlive-their-callers",
        "A stream goes on though its caller's token is over.",
        "if time() > trusted_until:",
        "if False:",
        _RPC + "test_a_stream_ends_with_its_callers_token",
    ),
)
