"""Two real servers over real stores, as the machine reaches them: calls, raw records, counts of what happened."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from argus import _core
from argus.base.errors import UnavailableError
from argus.server.api import Failure, failure_of
from tests.property.rotation.model import ABSOLUTE, DEADLINE, GRACE, IDLE, SHORT_ABSOLUTE, SHORT_GRACE, Kind, Session
from tests.support.records import SESSION_SIZE, Record

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.pair import Pair

T = TypeVar("T")

RECOVERY_SECONDS: Final = 10
"""After so long with both stores there nothing is UNAVAILABLE any more."""

_POLICY: Final = {"idle_seconds": IDLE, "absolute_seconds": ABSOLUTE, "session_limit": 1000}
_OF_KIND: Final[dict[Kind, dict[str, Any]]] = {
    "resilient": {},
    "strict": {"rotation": "strict"},
    "ending": {"reuse": "end"},
    "bound": {},
}
_RETRY_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Raw:
    """What Redis holds of a session, and the lineage of the node that was asked."""

    value: bytes
    lineage: bytes

    @property
    def record(self) -> Record | None:
        """The living session of this very node; None for anything else."""
        if len(self.value) != SESSION_SIZE or self.value[3:11] != self.lineage:
            return None
        return Record.unpack(self.value)

    @property
    def is_current(self) -> bool:
        """The node that was asked wrote it."""
        return bool(self.value) and self.value[3:11] == self.lineage


@dataclass(slots=True)
class World:
    """What the machine works on; lives longer than its examples."""

    pair: Pair
    loop: asyncio.AbstractEventLoop
    apis: dict[Kind, tuple[Api, Api]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    short: frozenset[Kind] = frozenset()
    has_repeated: bool = False
    story: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def tell(self, what: str) -> None:
        """Keeps what happens in this example: real servers may do otherwise when it is played again."""
        self.story.append(f"{self.now} {what}")

    def failed(self, error: BaseException) -> None:
        """Keeps why an example failed, and how it came to that."""
        trace = "".join(traceback.format_exception(error))
        self.failures.append("\n".join((*self.story, trace)))

    @classmethod
    async def build(cls, pair: Pair) -> World:
        """A tenant for each kind of session."""
        world = cls(pair, asyncio.get_running_loop())
        for kind in _OF_KIND:
            world.apis[kind] = await pair.new_tenant(**_POLICY, **_OF_KIND[kind])
        return world

    async def close(self) -> None:
        """Closes the connections of the clients."""
        for apis in self.apis.values():
            for api in apis:
                await api.close()

    def do(self, call: Awaitable[T]) -> T:
        """Runs something in the loop of the servers, which stands still between the machine's steps."""

        async def run() -> T:
            return await call

        return self.loop.run_until_complete(run())

    @property
    def now(self) -> int:
        """Time of Redis. Seconds since 1970."""
        return self.pair.now

    @property
    def has_all(self) -> bool:
        """Both stores are there."""
        return self.pair.stores.has_redis and self.pair.stores.has_postgresql

    def outcome(self, call: Callable[[], Awaitable[T]]) -> tuple[Failure | None, T]:
        """Makes a call; repeats one that is unavailable while both stores are there, for as long as that may be."""
        answers: list[Any] = [None]

        async def run() -> None:
            answers[0] = await call()

        deadline = time.monotonic() + RECOVERY_SECONDS
        self.has_repeated = False
        while True:
            failure = self.do(failure_of(run()))
            if failure is None or failure.reason != "UNAVAILABLE" or not self.has_all:
                return failure, answers[0]
            self.has_repeated = True
            self.counts["unavailable though both stores are back"] += 1
            assert time.monotonic() < deadline, f"still unavailable: {failure}"
            self.do(asyncio.sleep(_RETRY_SECONDS))

    def raw(self, session: Session) -> Raw | None:
        """What Redis holds of a session; None while it is away."""
        if not self.pair.stores.has_redis:
            return None
        name = _core.function_name("stamped")
        key = _core.Keyspace.session_key(session.session_id)
        client: Any = self.pair.stores.redis
        _, _, lineage, value = client.fcall_ro(name, 1, key)
        return Raw(value, lineage)

    def lineage(self) -> bytes:
        """Of the node that runs."""
        client: Any = self.pair.stores.redis
        lineage: bytes = client.fcall_ro(_core.function_name("stamped"), 1, "a1:s:{0000}:nobody")[2]
        return lineage

    def has_everything(self, session: Session) -> bool:
        """Nothing that a decision on the session needs has to be read from PostgreSQL."""
        raw, lineage = self.raw(session), self.lineage()
        if raw is None or not raw.is_current:
            return False
        if len(raw.value) != SESSION_SIZE:
            return True  # a tombstone
        api = session.person.api
        keyspace = self.pair.all_argus[0].keyspace
        redis = self.pair.stores.redis
        user = redis.get(keyspace.user_key(api.tenant_id, session.person.user_id))
        bounds = [redis.get(_core.Keyspace.not_before_key(api.tenant_id, one)) for one in ("", api.client_id)]
        return (user or b"")[2:10] == lineage and all((one or b"")[1:9] == lineage for one in bounds)

    def flush(self) -> bool:
        """Brings to PostgreSQL what the servers know; False if it is away."""
        return self.do(self.pair.flush())

    def change_policy(self, kind: Kind) -> None:
        """Shortens the grace and the life of sessions of a kind's tenant, or takes that back."""
        self.short = self.short ^ {kind}
        self.tell(f"the policy of {kind} changes")
        document = _POLICY | _OF_KIND[kind]
        if kind in self.short:
            document |= {"absolute_seconds": SHORT_ABSOLUTE}
            document |= {"grace_seconds": SHORT_GRACE, "request_deadline_seconds": DEADLINE}
        self.do(self.pair.set_policy(self.apis[kind][0], **document))

    @property
    def grace(self) -> int:
        """The longest grace that can be in force for a session."""
        return GRACE

    def verdicts(self) -> Counter[str]:
        """How often each row of the table was met, by the servers' own counters."""
        found = Counter[str]()
        for argus in self.pair.all_argus:
            for name, count in argus.engine.counters().items():
                if name.startswith("rotation_verdicts{"):
                    found[name.partition("=")[2].rstrip("}")] += count
        return found

    def carry_out(self) -> None:
        """Waits until what the stores were to be told has reached them."""

        async def run() -> None:
            async with asyncio.timeout(RECOVERY_SECONDS):
                argus = self.pair.all_argus[0]
                while True:
                    try:
                        await argus.outbox.run_due()
                        left = await argus.db.fetch_one(
                            "SELECT count(*) AS n FROM outbox WHERE kind NOT IN ('not_before', 'session.begun')"
                        )
                        if left == {"n": 0} and not await argus.redis.client.hlen("a1:pending"):
                            return
                    except (UnavailableError, OSError):
                        await asyncio.sleep(_RETRY_SECONDS)
                    await self.pair.advance(61)

        self.do(run())
