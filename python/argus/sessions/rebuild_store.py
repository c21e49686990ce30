"""What rebuilding reads and writes: many sessions and users at a time, on both sides."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from argus import _core
from argus.base.clock import Now
from argus.sessions.ending_store import UserState
from argus.sessions.index_entry import pack_entry
from argus.sessions.live_store import Stamped, WriteStatus
from argus.sessions.model import Session, epoch_seconds
from argus.sessions.records import record_life, record_of, tombstone_of
from argus.sessions.store import from_row
from argus.storage.postgres import Transaction
from argus.storage.redis import Redis
from argus.storage.redis_batch import Call, call_all

LARGEST_INDEX: Final = 10_000
"""Most sessions of a user that its index is rebuilt with: as many as the highest limit of a policy."""

_SESSION_LINEAGE: Final = slice(3, 11)
_USER_LINEAGE: Final = slice(2, 10)
_log = structlog.get_logger(__name__)

# What somebody else is changing is left out, so that one slow change holds up nobody but its own session.
_USERS: Final = """
    SELECT u.tenant_id, u.user_id, u.disabled OR u.delete_time IS NOT NULL AS is_disabled, u.not_before
      FROM users u JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
        ON u.tenant_id = w.tenant_id AND u.user_id = w.user_id
     ORDER BY u.tenant_id, u.user_id FOR SHARE OF u"""
_SESSIONS: Final = """
    SELECT s.* FROM sessions s JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w (tenant_id, user_id, session_id)
        ON s.tenant_id = w.tenant_id AND s.session_id = w.session_id AND s.user_id = w.user_id
     ORDER BY s.tenant_id, s.session_id FOR SHARE OF s"""
# The oldest, which a limit ends first.
_INDEXES: Final = """
    SELECT w.tenant_id, w.user_id, l.*
      FROM unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
     CROSS JOIN LATERAL (SELECT s.session_id, s.create_time, s.last_active_time, s.idle_deadline, s.auth_time,
                                s.client_id, s.device_type, s.trust
                           FROM sessions s
                          WHERE s.tenant_id = w.tenant_id AND s.user_id = w.user_id AND s.state <> 'ended'
                          ORDER BY s.create_time, s.session_id LIMIT %s) l"""
_EXISTING: Final = """
    SELECT s.tenant_id, s.user_id, s.session_id FROM sessions s
      JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w (tenant_id, user_id, session_id)
        ON s.tenant_id = w.tenant_id AND s.session_id = w.session_id AND s.user_id = w.user_id"""
_EXISTING_USERS: Final = """
    SELECT u.tenant_id, u.user_id FROM users u JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
        ON u.tenant_id = w.tenant_id AND u.user_id = w.user_id"""


@dataclass(frozen=True, slots=True)
class UserKey:
    """Names a user."""

    tenant_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class SessionKey:
    """Names a session of a user."""

    tenant_id: str
    user_id: str
    session_id: str


Key = UserKey | SessionKey

Index: TypeAlias = list[tuple[str, bytes]]
"""Ids of a user's sessions, and their entries in its index."""


class KnownSessions:
    """Sessions and users as PostgreSQL knows them, held until the transaction ends."""

    @staticmethod
    async def users(tx: Transaction, keys: Collection[UserKey], *, waits: bool) -> dict[UserKey, UserState]:
        """Those of the users that exist and that nobody is changing; with `waits`, changed ones are waited for."""
        rows = await tx.fetch_all(_USERS if waits else _USERS + " SKIP LOCKED", _of_users(keys))
        return {
            UserKey(row["tenant_id"], row["user_id"]): UserState(
                is_disabled=row["is_disabled"], not_before=row["not_before"]
            )
            for row in rows
        }

    @staticmethod
    async def sessions(tx: Transaction, keys: Collection[SessionKey], *, waits: bool) -> dict[SessionKey, Session]:
        """Those of the sessions that exist and that nobody is changing; with `waits`, changed ones are waited for."""
        rows = await tx.fetch_all(_SESSIONS if waits else _SESSIONS + " SKIP LOCKED", _of_sessions(keys))
        found = [from_row(row) for row in rows]
        return {SessionKey(one.tenant_id, one.user_id, one.session_id): one for one in found}

    @staticmethod
    async def indexes(tx: Transaction, users: Collection[UserKey]) -> dict[UserKey, Index]:
        """The sessions of each user that have not ended, the oldest `LARGEST_INDEX` of them, with their entries."""
        indexes: dict[UserKey, Index] = {key: [] for key in users}
        for row in await tx.fetch_all(_INDEXES, (*_of_users(users), LARGEST_INDEX + 1)):
            key, session_id = UserKey(row.pop("tenant_id"), row.pop("user_id")), row.pop("session_id")
            indexes[key].append((session_id, pack_entry(**row)))
        for key, index in indexes.items():
            if len(index) > LARGEST_INDEX:
                _log.warning("index.cut", tenant_id=key.tenant_id, user_id=key.user_id, kept=LARGEST_INDEX)
                del index[LARGEST_INDEX:]
        return indexes

    @staticmethod
    async def existing(tx: Transaction, keys: Iterable[Key]) -> set[Key]:
        """Those that there are, changed by somebody or not."""
        users = [key for key in keys if isinstance(key, UserKey)]
        sessions = [key for key in keys if isinstance(key, SessionKey)]
        found: set[Key] = set()
        if users:
            rows = await tx.fetch_all(_EXISTING_USERS, _of_users(users))
            found |= {UserKey(row["tenant_id"], row["user_id"]) for row in rows}
        if sessions:
            rows = await tx.fetch_all(_EXISTING, _of_sessions(sessions))
            found |= {SessionKey(row["tenant_id"], row["user_id"], row["session_id"]) for row in rows}
        return found


class LiveRecords:
    """Records of sessions and users in Redis, read and written many at a time."""

    def __init__(self, redis: Redis, keyspace: _core.Keyspace, *, now: Now) -> None:
        self._redis = redis
        self._keyspace = keyspace
        self._now = now

    async def read(self, keys: Sequence[Key]) -> dict[Key, Stamped]:
        """What is there of each, and the lineage of the node that says so."""
        answers = await call_all(
            self._redis, [Call(function="stamped", keys=[self._name(key)], reads=True) for key in keys]
        )
        return {key: _stamped(key, lineage, value) for key, (_, _, lineage, value) in zip(keys, answers, strict=True)}

    async def write(
        self,
        stamps: Mapping[Key, Stamped],
        sessions: Mapping[SessionKey, Session],
        users: Mapping[UserKey, UserState],
        indexes: Mapping[UserKey, Index],
    ) -> dict[Key, WriteStatus]:
        """Writes each, unless the node is no longer that of its stamp or has a newer record of its own."""
        calls: dict[Key, Call] = {}
        for session_key, session in sessions.items():
            calls[session_key] = self._session(session_key, session, stamps[session_key].lineage)
        for user_key, user in users.items():
            calls[user_key] = self._user(user_key, user, indexes[user_key], stamps[user_key].lineage)
        answers = await call_all(self._redis, list(calls.values()))
        return {key: WriteStatus(answer[0]) for key, answer in zip(calls, answers, strict=True)}

    def _session(self, key: SessionKey, session: Session, lineage: bytes) -> Call:
        content = tombstone_of(session) if session.has_ended else record_of(session)
        life = record_life(session, now=self._now())
        return Call(function="rebuild", keys=[self._name(key)], args=[lineage, content, life])

    def _user(self, key: UserKey, user: UserState, index: Index, lineage: bytes) -> Call:
        until = epoch_seconds(user.not_before) if user.not_before else 0
        record = bytes([1, int(user.is_disabled)]) + bytes(8) + until.to_bytes(4, "big")
        args: list[bytes | int | str] = [lineage, record, len(index)]
        for session_id, entry in index:
            args += [session_id, entry]
        names = [self._name(key), self._keyspace.index_key(key.tenant_id, key.user_id)]
        return Call(function="rebuild_user", keys=names, args=args)

    def _name(self, key: Key) -> bytes:
        if isinstance(key, SessionKey):
            return self._keyspace.session_key(key.session_id)
        return self._keyspace.user_key(key.tenant_id, key.user_id)


def _stamped(key: Key, lineage: bytes, value: bytes) -> Stamped:
    place = _SESSION_LINEAGE if isinstance(key, SessionKey) else _USER_LINEAGE
    return Stamped(lineage=lineage, value=value, is_current=value[place] == lineage)


def _of_users(keys: Collection[UserKey]) -> tuple[list[str], list[str]]:
    return [key.tenant_id for key in keys], [key.user_id for key in keys]


def _of_sessions(keys: Collection[SessionKey]) -> tuple[list[str], list[str], list[str]]:
    return [key.tenant_id for key in keys], [key.user_id for key in keys], [key.session_id for key in keys]
