"""Live session state in Redis: the records that tokens are checked against.

Every value carries the lineage of the node that wrote it; one of another lineage decides nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from argus import _core
from argus.base.clock import Now
from argus.sessions.index_entry import index_entry
from argus.sessions.limits import ON_LIMIT, LimitKind, Limits
from argus.sessions.model import EndReason, Session, epoch_seconds
from argus.sessions.records import family_in, is_tombstone, packed_trust, record_life
from argus.sessions.reservations import Reservation, cover_pairs, reservation_of
from argus.storage.redis import Redis
from argus.storage.redis_batch import Call, call_all

HOLD: Final = timedelta(seconds=30)
"""How long a reserved place waits for its session."""

# Where values carry the lineage of their writer; in a record and in a tombstone it is the same place.
_SESSION_LINEAGE: Final = slice(3, 11)
_USER_LINEAGE: Final = slice(2, 10)
_NOT_BEFORE_LINEAGE: Final = slice(1, 9)


class WriteStatus(IntEnum):
    """Answer of `create` and of the rebuilds."""

    WRITTEN = 0
    STALE = 1
    EXISTS = 2
    PLACE_LOST = 3


class StepUpStatus(IntEnum):
    """Answer of `step_up`."""

    WRITTEN = 0
    STALE = 1
    ENDED = 2
    NOT_NEWER = 3


class RateStatus(IntEnum):
    """Answer of `rate`."""

    WRITTEN = 0
    STALE = 1
    ENDED = 2
    OTHER_FAMILY = 3


class TouchStatus(IntEnum):
    """Answer of `touch`."""

    TOUCHED = 0
    STALE = 1
    ENDED = 2
    IDLE_PASSED = 3
    ABSOLUTE_PASSED = 4


class ExpireStatus(IntEnum):
    """Answer of `expire`."""

    NOT_DUE = 0
    STALE = 1
    ENDED_BEFORE = 2
    IDLE_PASSED = 3
    ABSOLUTE_PASSED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A value of Redis, and the lineage of the node that it was read from.

    Attributes:
        is_current: The value is there, and this very node wrote it.
    """

    lineage: bytes
    value: bytes
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEnd:
    """When and why Redis says that a session ended."""

    at: datetime
    reason: EndReason


class LiveSessions:
    """Records of sessions and users, and the index of each user's sessions."""

    def __init__(self, redis: Redis, keyspace: _core.Keyspace, *, now: Now) -> None:
        self._redis = redis
        self._keys = keyspace
        self._now = now

    def new_session_id(self, tenant_id: str, user_id: str) -> str:
        """An id that carries the slot of its user."""
        return self._keys.new_session_id(tenant_id, user_id)

    async def session(self, session_id: str) -> Stamped:
        """The record or tombstone of a session, empty if there is none."""
        return await self._stamped(self._keys.session_key(session_id), _SESSION_LINEAGE)

    async def user(self, tenant_id: str, user_id: str) -> Stamped:
        """The record of a user, empty if there is none."""
        return await self._stamped(self._keys.user_key(tenant_id, user_id), _USER_LINEAGE)

    async def not_before(self, tenant_id: str, client_id: str = "") -> Stamped:
        """The `not_before` of a tenant or client, empty if there is none."""
        return await self._stamped(self._keys.not_before_key(tenant_id, client_id), _NOT_BEFORE_LINEAGE)

    async def end_of(self, session_id: str) -> LiveEnd | None:
        """When and why Redis says that the session ended, whichever process wrote it; None: not that it knows."""
        value = (await self.session(session_id)).value
        if not is_tombstone(value):
            return None
        return _live_end(int.from_bytes(value[-4:], "big"), value[2])

    async def is_indexed(self, tenant_id: str, user_id: str, session_id: str) -> bool:
        """The session is one of this user's living ones, as far as Redis knows."""
        index = self._keys.index_key(tenant_id, user_id).decode()
        async with self._redis.guard():
            return bool(await self._redis.client.hexists(index, session_id))

    async def is_untouched(self, session: Session) -> bool:
        """The record is that of the session's beginning: active, and no refresh token was changed for another."""
        found = await self.session(session.session_id)
        if not found.is_current:
            return False
        try:
            record = _core.SessionRecord.from_bytes(found.value)
        except ValueError:  # a tombstone
            return False
        return (record.family, record.generation, record.contested) == (1, 1, False)

    async def reserve(
        self,
        session: Session,
        limits: Limits,
        *,
        covers: Mapping[str, datetime] | None = None,
        ending: Collection[str] = (),
    ) -> Reservation:
        """Takes a place among the user's sessions for half a minute.

        Args:
            session: What is to begin.
            limits: What the policy allows.
            covers: The `not_before`s of clients: sessions that they have ended do not count.
            ending: Ids of those that the user has chosen to end.
        """
        keys = [self._keys.user_key(session.tenant_id, session.user_id)]
        keys.append(self._keys.index_key(session.tenant_id, session.user_id))
        hold, choice = int(HOLD.total_seconds()), ON_LIMIT.index(limits.on_limit)
        most = [limits.most(kind) for kind in LimitKind]
        args = [session.session_id, hold, index_entry(session), choice, *most, *cover_pairs(covers or {}), *ending]
        return reservation_of(await self._redis.call("reserve", keys, args), limits)

    async def release(self, tenant_id: str, user_id: str, session_id: str) -> None:
        """Gives a reserved place back."""
        await self._redis.call("release", [self._keys.index_key(tenant_id, user_id)], [session_id])

    async def create(self, session: Session, record: bytes, victims: Sequence[tuple[str, float]]) -> WriteStatus:
        """Writes the record of a session that PostgreSQL knows, and the tombstones of those that made room for it.

        Args:
            session: The session.
            record: Its packed record.
            victims: Ids of the others, and when they ended in seconds since 1970.
        """
        tenant_id, user_id = session.tenant_id, session.user_id
        keys = [self._keys.session_key(session.session_id), self._keys.user_key(tenant_id, user_id)]
        life = record_life(session, now=self._now())
        args: list[bytes | int | str] = [record, session.session_id, life, life, index_entry(session), len(victims)]
        for victim, at in victims:
            args += [victim, int(at)]
        answer = await self._redis.call("create", [*keys, self._keys.index_key(tenant_id, user_id)], args)
        return WriteStatus(answer[0])

    async def step_up(self, session: Session, record: bytes) -> tuple[StepUpStatus, int]:
        """Writes the new family of a session that PostgreSQL knows; also says which family the record is of then."""
        tenant_id, user_id = session.tenant_id, session.user_id
        keys = [self._keys.session_key(session.session_id), self._keys.user_key(tenant_id, user_id)]
        args: list[bytes | int | str] = [record, session.session_id, record_life(session, now=self._now())]
        args.append(index_entry(session))
        answer = await self._redis.call("step_up", [*keys, self._keys.index_key(tenant_id, user_id)], args)
        return StepUpStatus(answer[0]), family_in(answer[3])

    async def rate(
        self, session: Session, family: int, *, rated: tuple[float | None, float] | None = None, context: bytes = b""
    ) -> RateStatus:
        """Writes what is thought of a session, as long as it is of this family.

        Args:
            session: Session; its user's index learns of its trust, too.
            family: Refresh family that was judged.
            rated: Its trust and risk; None: as they are.
            context: Digest of the context that it is good in; empty: as it is.
        """
        packed = b"" if rated is None else packed_trust(*rated)
        args: list[bytes | int | str] = [family, packed, context, session.session_id]
        keys = [self._keys.session_key(session.session_id), self._keys.index_key(session.tenant_id, session.user_id)]
        answer = await self._redis.call("rate", keys, args)
        return RateStatus(answer[0])

    async def set_user(self, tenant_id: str, user_id: str, *, is_disabled: bool, not_before: datetime | None) -> None:
        """Brings a user's record up to date; one that is stale goes away and is rebuilt at the next use."""
        args = [int(is_disabled), _seconds(not_before)]
        await self._redis.call("set_user", [self._keys.user_key(tenant_id, user_id)], args)

    async def raise_user(self, tenant_id: str, user_id: str, *, not_before: datetime) -> None:
        """Moves a user's `not_before` up and leaves the rest as it is."""
        await self._redis.call("set_user", [self._keys.user_key(tenant_id, user_id)], [-1, _seconds(not_before)])

    async def set_not_before(
        self, tenant_id: str, client_id: str, *, not_before: datetime | None, lineage: bytes = b""
    ) -> bool:
        """Moves the `not_before` of a tenant (or client) up; False if the node is no longer the one of `lineage`."""
        key = self._keys.not_before_key(tenant_id, client_id)
        answer = await self._redis.call("set_not_before", [key], [lineage, _seconds(not_before)])
        return bool(answer[0] == 0)

    async def end(
        self,
        tenant_id: str,
        user_id: str,
        session_id: str,
        *,
        at: datetime,
        reason: EndReason,
        life: int,
    ) -> LiveEnd:
        """Writes a tombstone, also where there is no record; an earlier one stays and is returned."""
        keys = [self._keys.session_key(session_id), self._keys.index_key(tenant_id, user_id)]
        answer = await self._redis.call("end", keys, [session_id, int(reason), epoch_seconds(at), life])
        return _live_end(answer[3], answer[4])

    async def end_all(self, sessions: Sequence[Session]) -> None:
        """Writes tombstones of sessions that have ended, many at a time; an earlier one stays."""
        now = self._now()
        calls = [
            Call(
                function="end",
                keys=[self._keys.session_key(one.session_id), self._keys.index_key(one.tenant_id, one.user_id)],
                args=[one.session_id, int(one.end_reason), epoch_seconds(one.end_time), record_life(one, now=now)],
            )
            for one in sessions
            if one.end_time and one.end_reason
        ]
        await call_all(self._redis, calls)

    async def contest(self, session_id: str, family: int) -> None:
        """Marks the record of that family as contested; where there is none, a rebuild finds the mark."""
        await self._redis.call("contest", [self._keys.session_key(session_id)], [family])

    async def expire(
        self, session: Session, *, idle: timedelta, absolute: timedelta
    ) -> tuple[ExpireStatus, LiveEnd | None]:
        """Ends a session whose deadline has passed, if Redis agrees that it has."""
        tenant_id, user_id = session.tenant_id, session.user_id
        keys = [self._keys.session_key(session.session_id), self._keys.user_key(tenant_id, user_id)]
        spans = [int(idle.total_seconds()), int(absolute.total_seconds())]
        answer = await self._redis.call(
            "expire",
            [*keys, self._keys.index_key(tenant_id, user_id)],
            [session.session_id, *spans, record_life(session, now=self._now())],
        )
        status = ExpireStatus(answer[0])
        has_ended = status not in (ExpireStatus.NOT_DUE, ExpireStatus.STALE)
        return status, _live_end(answer[3], answer[4]) if has_ended else None

    async def touch(
        self, tenant_id: str, user_id: str, session_id: str, *, active: datetime, idle: timedelta, absolute: timedelta
    ) -> tuple[TouchStatus, bytes]:
        """Moves the idle deadline of a living session on; returns its record as it is then."""
        keys = [self._keys.session_key(session_id), self._keys.user_key(tenant_id, user_id)]
        spans = [int(idle.total_seconds()), int(absolute.total_seconds())]
        answer = await self._redis.call("touch", keys, [epoch_seconds(active), *spans, 0])
        return TouchStatus(answer[0]), answer[3]

    async def _stamped(self, key: bytes, place: slice) -> Stamped:
        answer = await self._redis.call_ro("stamped", [key])
        lineage, value = answer[2], answer[3]
        return Stamped(lineage=lineage, value=value, is_current=value[place] == lineage)


def _live_end(at: int, number: int) -> LiveEnd:
    # A tombstone of a newer release may carry a reason that this one does not know.
    known = number in EndReason._value2member_map_
    reason = EndReason(number) if known else EndReason.ENDED_BY_ADMIN
    return LiveEnd(at=datetime.fromtimestamp(at, UTC), reason=reason)


def _seconds(time: datetime | None) -> int:
    return epoch_seconds(time) if time else 0
