"""One user of the Redis functions: keys in one slot, sessions, and the calls on them."""

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.support.records import Record, user_record
from tests.support.valkey import Valkey

HOLD, IDLE, LIFE = 30, 3600, 86_400
DENY, END_OLDEST, END_LEAST_RECENT, END_LOWEST_TRUST, ASK_USER = range(5)
NOT_RATED = 255


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the index: all that limits go by."""

    moment: int = 0
    client: bytes = b"client--"
    device_class: int = 0
    trust: int = NOT_RATED
    rated: int = 0
    idle: int = IDLE
    active: int = 0

    def pack(self) -> bytes:
        """As the functions keep it."""
        return _ENTRY.pack(self.moment, self.client, self.device_class, self.trust, self.rated, self.idle, self.active)

    @classmethod
    def unpack(cls, value: bytes) -> Self:
        """What the functions keep."""
        moment, client, device_class, trust, rated, idle, active = _ENTRY.unpack(value)
        return cls(
            moment=moment, client=client, device_class=device_class, trust=trust, rated=rated, idle=idle, active=active
        )


_ENTRY = struct.Struct(">Q8sBBIII")


class Subject:
    """A user that the node knows; nobody else's keys are touched."""

    def __init__(self, valkey: Valkey, *, is_known: bool = True) -> None:
        self.valkey = valkey
        slot, name = f"{{{secrets.token_hex(2)}}}", secrets.token_urlsafe(8)
        self._sessions = f"a1:s:{slot}:"
        self.user = f"a1:u:{slot}:t:{name}"
        self.index = f"a1:x:{slot}:t:{name}"
        if is_known:
            assert self.rebuild_user() == 0

    @property
    def now(self) -> int:
        """The node's time in seconds."""
        return self.valkey.now_and_lineage()[0] // 1000

    @property
    def lineage(self) -> bytes:
        """The node's lineage."""
        return self.valkey.now_and_lineage()[1]

    def new_id(self) -> str:
        """A session id; now and then one that begins like an option."""
        return secrets.token_urlsafe(18)

    def key(self, session_id: str) -> str:
        """Key of a session."""
        return self._sessions + session_id

    def record(self, **changes: Any) -> Record:
        """A session created now."""
        now = self.now
        fresh = Record(created=now, made=now, auth_time=now, idle_deadline=now + IDLE, absolute_deadline=now + LIFE)
        return replace(fresh, **changes)

    def put(self, session_id: str, record: Record, *, lineage: bytes | None = None) -> Record:
        """Writes a record as if a function had."""
        stamped = replace(record, lineage=self.lineage if lineage is None else lineage)
        self.valkey.client.set(self.key(session_id), stamped.pack(), ex=LIFE)
        return stamped

    def value(self, session_id: str) -> bytes:
        """What the session's key holds."""
        value: Any = self.valkey.client.get(self.key(session_id))
        return value or b""

    def stored(self, session_id: str) -> Record:
        """The living session that the key holds."""
        return Record.unpack(self.value(session_id))

    def members(self) -> set[str]:
        """Ids of the sessions in the index, without holds and claims."""
        return {name for name in self.index_entries() if name[0] not in "!~"}

    def index_entries(self) -> dict[str, Entry]:
        """The whole index."""
        entries: Any = self.valkey.client.hgetall(self.index)
        return {member.decode(): Entry.unpack(value) for member, value in entries.items()}

    def entry(self, **known: Any) -> Entry:
        """Of a session created now."""
        now = self.now
        return Entry(**{"moment": now * 1000, "rated": now, "active": now, **known})

    def rebuild_user(
        self, sessions: Sequence[tuple[str, Entry]] = (), *, lineage: bytes | None = None, **user: Any
    ) -> int:
        """Writes user and index as PostgreSQL would have them."""
        pairs = [part for session_id, entry in sessions for part in (session_id, entry.pack())]
        expected = self.lineage if lineage is None else lineage
        keys = [self.user, self.index]
        return self._status("rebuild_user", keys, expected, user_record(**user), len(sessions), *pairs)

    def reserve(
        self,
        session_id: str,
        *,
        limit: int = 10,
        of_client: int = 0,
        of_class: int = 0,
        on_limit: int = DENY,
        hold: int = HOLD,
        entry: Entry | None = None,
        covers: Sequence[tuple[bytes, int]] = (),
        chosen: Sequence[str] = (),
    ) -> list[Any]:
        """[status, then victim, kind of limit…]; what else follows is as the function says."""
        args: list[bytes | int | str] = [
            session_id,
            hold,
            (entry or self.entry()).pack(),
            on_limit,
            limit,
            of_client,
            of_class,
            len(covers),
            *(part for cover in covers for part in cover),
            *chosen,
        ]
        answer = self.valkey.call("reserve", [self.user, self.index], *args)
        return [answer[0], *(one.decode() if isinstance(one, bytes) else one for one in answer[3:])]

    def create(
        self,
        session_id: str,
        record: Record | None = None,
        victims: Sequence[tuple[str, int]] = (),
        *,
        entry: Entry | None = None,
    ) -> int:
        """Writes the session that a reservation was for."""
        keys = [self.key(session_id), self.user, self.index]
        record = record or self.record()
        packed = (entry or self.entry(moment=record.created * 1000, active=record.created)).pack()
        pairs = [part for victim in victims for part in victim]
        return self._status("create", keys, record.pack(), session_id, LIFE + 60, LIFE, packed, len(victims), *pairs)

    def sign_in(self, entry: Entry | None = None, **changes: int) -> str:
        """A new session, without a limit."""
        session_id = self.new_id()
        assert self.reserve(session_id, limit=0, entry=entry) == [0]
        assert self.create(session_id, self.record(**changes), entry=entry) == 0
        return session_id

    def end(self, session_id: str, *, reason: int = 1, at: int | None = None) -> tuple[int, int]:
        """(moment, reason) of the first end."""
        at = self.now if at is None else at
        answer = self.valkey.call("end", [self.key(session_id), self.index], session_id, reason, at, LIFE)
        assert answer[0] == 0
        return answer[3], answer[4]

    def touch(self, session_id: str, *, active: int = 0, idle: int = IDLE, longest: int = LIFE, seen: int = 0) -> int:
        """Status of a use."""
        return self._status("touch", [self.key(session_id), self.user], active, idle, longest, seen)

    def expire(self, session_id: str, *, longest: int = LIFE) -> list[Any]:
        """[status, and what follows the lineage]."""
        keys = [self.key(session_id), self.user, self.index]
        answer = self.valkey.call("expire", keys, session_id, IDLE, longest, LIFE)
        return [answer[0], *answer[3:]]

    def rebuild(self, session_id: str, value: bytes, *, lineage: bytes | None = None) -> int:
        """Writes a session as PostgreSQL has it."""
        expected = self.lineage if lineage is None else lineage
        return self._status("rebuild", [self.key(session_id)], expected, value, LIFE)

    def step_up(self, session_id: str, record: Record) -> tuple[int, bytes]:
        """(status, value of the key) of a new family."""
        keys = [self.key(session_id), self.user, self.index]
        entry = self.entry(moment=record.created * 1000).pack()
        answer = self.valkey.call("step_up", keys, record.pack(), session_id, LIFE + 60, entry)
        return answer[0], answer[3]

    def set_user(self, *, disabled: int = -1, not_before: int = 0) -> int:
        """Changes the user."""
        return self._status("set_user", [self.user], disabled, not_before)

    def _status(self, function: str, keys: list[str], *args: bytes | int | str) -> int:
        status: int = self.valkey.call(function, keys, *args)[0]
        return status
