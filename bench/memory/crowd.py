"""Sessions in a Redis, as Argus writes them: its functions, its keys, its records."""

import secrets
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeAlias

from argus import _core
from argus.base.ids import new_id
from argus.sessions.index_entry import index_entry
from argus.sessions.live_store import HOLD
from argus.sessions.model import Session
from argus.sessions.records import record_life, record_of
from tests.support.valkey import Valkey

_TENANT: Final = "t0123456789abcdef"
_PIPELINE: Final = 1000
_BUCKET_KEY: Final = 32
_SAMPLES: Final = 200
_LIMIT: Final = 10
_END_OLDEST: Final = 1

_Command: TypeAlias = tuple[bytes | int | str, ...]


class WrongAnswerError(Exception):
    """A function has not done what it was called for."""


def fill(server: Valkey, sessions: int, *, per_user: int, tick: Callable[[int], object]) -> None:
    """Begins sessions as `CreateSession` does: the user's record where there is none, a place, the session.

    Args:
        server: An empty server.
        sessions: How many.
        per_user: How many of each user.
        tick: Told how many more there are.

    Raises:
        WrongAnswerError: One was not written.
    """
    keyspace = _core.Keyspace(secrets.token_bytes(_BUCKET_KEY))
    client: Any = server.client
    lineage = bytes(client.execute_command("FCALL_RO", _core.function_name("node"), 0)[2])
    users = ([new_id() for _ in range(_PIPELINE)] for _ in range(0, sessions, _PIPELINE * per_user))
    left = sessions
    for batch in users:
        some = list(islice(batch, -(-left // per_user)))
        _send(server, [_user(keyspace, user_id, lineage) for user_id in some])
        for _ in range(per_user):
            made = [_session(keyspace, user_id) for user_id in some[:left]]
            _send(server, [_reserve(keyspace, one) for one in made])
            _send(server, [_create(keyspace, one) for one in made])
            left -= len(made)
            tick(len(made))


def _send(server: Valkey, commands: Sequence[_Command]) -> None:
    pipe: Any = server.client.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command("FCALL", *command)
    wrong = [answer for answer in pipe.execute() if answer[0] != 0]
    if wrong:
        raise WrongAnswerError(f"{len(wrong)} of {len(commands)}, the first: {wrong[0]}")


def _user(keyspace: _core.Keyspace, user_id: str, lineage: bytes) -> _Command:
    keys = (keyspace.user_key(_TENANT, user_id), keyspace.index_key(_TENANT, user_id))
    return (_core.function_name("rebuild_user"), 2, *keys, lineage, bytes([1, 0]) + bytes(12), 0)


def _reserve(keyspace: _core.Keyspace, session: Session) -> _Command:
    keys = (keyspace.user_key(_TENANT, session.user_id), keyspace.index_key(_TENANT, session.user_id))
    hold = int(HOLD.total_seconds())
    entry = index_entry(session)
    return (_core.function_name("reserve"), 2, *keys, session.session_id, hold, entry, _END_OLDEST, _LIMIT, 0, 0)


def _create(keyspace: _core.Keyspace, session: Session) -> _Command:
    keys = (
        keyspace.session_key(session.session_id),
        keyspace.user_key(_TENANT, session.user_id),
        keyspace.index_key(_TENANT, session.user_id),
    )
    life, entry = record_life(session, now=session.create_time), index_entry(session)
    return (_core.function_name("create"), 3, *keys, record_of(session), session.session_id, life, life, entry, 0)


def _session(keyspace: _core.Keyspace, user_id: str) -> Session:
    now = datetime.now(UTC)
    return Session(
        tenant_id=_TENANT,
        session_id=keyspace.new_session_id(_TENANT, user_id),
        user_id=user_id,
        client_id="backend",
        device_id=new_id(),
        create_time=now,
        last_active_time=now,
        idle_deadline=now + timedelta(hours=8),
        absolute_deadline=now + timedelta(hours=24),
        policy_revision=1,
        refresh_id_key=1,
        generation_bound_time=now,
        acr=1,
        amr=("pwd",),
        auth_time=now,
    )


def by_kind(server: Valkey) -> dict[str, dict[str, float]]:
    """How many keys there are of each kind, and what one takes by MEMORY USAGE (the median of some)."""
    client: Any = server.client
    found = {}
    for kind, pattern in (("sessions", "a1:s:*"), ("users", "a1:u:*"), ("indexes", "a1:x:*")):
        count = 0
        sizes: list[int] = []
        for key in client.scan_iter(pattern, count=10_000):
            count += 1
            if len(sizes) < _SAMPLES:
                sizes.append(client.memory_usage(key, samples=0))
        found[kind] = {"count": count, "bytes": statistics.median(sizes)}
    return found
