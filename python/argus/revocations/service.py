"""Reads what is over, and tells it to all who watch."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from argus.base.clock import Now
from argus.base.errors import OverloadedError, PageTokenInvalidError, UnavailableError
from argus.revocations.feed import Feed
from argus.revocations.model import PAGE, Cursor, Part, ResumeTokens, Revocation
from argus.revocations.store import START, RevocationStore

_POLL: Final = timedelta(milliseconds=200)
# Half of the streams that a process holds (docs/guides/offline.md): no tenant keeps the others out.
_MOST_OF_TENANT: Final = 500
# Whole lists that are read at a time: when a server has stopped, all of its watchers come at once.
_PARALLEL: Final = 4
_PAUSE: Final = timedelta(seconds=1)
_PATIENCE: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the list.

    Attributes:
        resume_token: Leads to what the pages of this list do not hold.
        state_time: All that had ended by then is in the pages.
    """

    revocations: Sequence[Revocation]
    next_page_token: str
    resume_token: str
    state_time: datetime


class Revocations:
    """What is over, in every tenant; one reader for all watchers of the process.

    It asks PostgreSQL, where an end is before anybody is told of it, and asks again and again: to be notified by it
    would make all that ends wait in one row to be committed. `run` is a loop of the background.
    """

    def __init__(
        self,
        store: RevocationStore,
        reader: RevocationStore,
        key: bytes,
        *,
        now: Now,
        most_of_tenant: int = _MOST_OF_TENANT,
    ) -> None:
        """Reads nothing yet.

        Args:
            store: Where they are.
            reader: The same over a connection of its own: the reader must not wait because all others are busy.
            key: Seals resume and page tokens; the same in every process of an installation.
            now: The time.
            most_of_tenant: Most streams of one tenant.
        """
        self._store = store
        self._reader = reader
        self._tokens = ResumeTokens(key)
        self._now = now
        self._most_of_tenant = most_of_tenant
        self._feeds: dict[str, Feed] = {}
        self._cursor: Cursor | None = None
        self._read_time: datetime | None = None
        # A reading under way knows nothing of a tenant that comes meanwhile, and would pass over its news.
        self._reading = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._is_stopping = False
        self._lists = asyncio.Semaphore(_PARALLEL)
        # In no registry yet: several servers may run in one process (tests).
        self._streams = Counter(
            "argus_revocation_streams", "Streams begun, by what was sent first.", ("first",), registry=None
        )
        self._cut = Counter("argus_revocation_streams_cut", "Streams that the server ended.", ("cause",), registry=None)
        self._watchers = Gauge("argus_revocation_watchers", "Streams that are open.", registry=None)
        self._watchers.set_function(self._count)
        self._lag = Gauge(
            "argus_revocation_lag_seconds", "Age of what watchers know; 0 while there are none.", registry=None
        )
        self._lag.set_function(self._age)

    @property
    def collectors(self) -> Sequence[Collector]:
        """For a registry."""
        return (self._streams, self._cut, self._watchers, self._lag)

    async def page(self, tenant_id: str, *, size: int, page_token: str) -> Page:
        """A page of all that is over in a tenant.

        Raises:
            PageTokenInvalidError: The token is damaged or another list's.
            UnavailableError: PostgreSQL is away.
        """
        now = self._now()
        if page_token:
            match self._tokens.open("page", tenant_id, page_token):
                case [str(server), str(snapshot), str(time), str(transaction), str(kind), str(subject)]:
                    place, state_time = (transaction, kind, subject), datetime.fromisoformat(time)
                    cursor = Cursor(server=server, snapshot=snapshot)
                case _:
                    raise PageTokenInvalidError
        else:
            cursor, place, state_time = (await self._store.cursor()).shortened(), START, now
        found, last = await self._store.page(tenant_id, cursor.before_all(), after=place, size=size, now=now)
        following = (cursor.server, cursor.snapshot, state_time.isoformat())
        return Page(
            revocations=found,
            next_page_token=self._tokens.seal("page", tenant_id, (*following, *last)) if last else "",
            resume_token=self._tokens.encode(tenant_id, cursor),
            state_time=state_time,
        )

    async def watch(self, tenant_id: str, resume_token: str) -> AsyncGenerator[Part, None]:
        """What is over in a tenant, or what has come since a token, and then whatever comes; never ends by itself.

        Raises:
            OverloadedError: It reads too slowly, or its tenant has too many streams.
            UnavailableError: PostgreSQL is away at the beginning, or the server stops.
        """
        known = self._tokens.decode(tenant_id, resume_token)
        try:
            while True:
                async with (
                    self._watching(tenant_id) as (feed, place),
                    aclosing(self._stream(feed, place, known)) as all_,
                ):
                    async for part in all_:
                        yield part
                # PostgreSQL is another one.
                known = None
        except OverloadedError:
            self._cut.labels("slow").inc()
            raise
        except UnavailableError:
            self._cut.labels("unavailable").inc()
            raise

    async def run(self) -> None:
        """Reads for the watchers until it is cancelled.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        while True:
            await self._wanted.wait()
            await self._read()
            await asyncio.sleep(_POLL.total_seconds())

    async def tidy(self) -> None:
        """Keeps what may be needed for longer, and deletes what has expired.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        await self._store.prolong(now=self._now())
        await self._store.purge(now=self._now())

    def stop(self) -> None:
        """Sends all watchers to other servers, and takes no new ones."""
        self._is_stopping = True
        for feed in self._feeds.values():
            feed.stop()

    async def _stream(self, feed: Feed, place: int, known: Cursor | None) -> AsyncGenerator[Part, None]:
        told = Part()
        async with aclosing(self._missed(feed.tenant_id, known)) as missed:
            async for part in missed:
                told = part
                yield part
        async with aclosing(feed.follow(place)) as following:
            async for part in following:
                # What was read for this one alone may be younger than what is read for all.
                if part.state_time and told.state_time and part.state_time > told.state_time:
                    told = part
                if part.state_time or not part.revocations:
                    yield replace(part, resume_token=told.resume_token, state_time=told.state_time)
                else:
                    yield part

    async def _missed(self, tenant_id: str, known: Cursor | None) -> AsyncGenerator[Part, None]:
        """All that `known` does not show, and at the end up to where that is."""
        state_time = self._now()
        here = await self._store.cursor()
        is_snapshot = known is None or known.server != here.server
        since = here.before_all() if known is None or is_snapshot else known
        self._streams.labels("everything" if is_snapshot else "news").inc()
        place = START
        while True:
            async with self._lists:
                found, last = await self._store.page(tenant_id, since, after=place, size=PAGE, now=state_time)
            if last is None:
                break
            place = last
            yield Part(revocations=found, is_snapshot=is_snapshot)
        token = self._tokens.encode(tenant_id, here)
        yield Part(revocations=found, resume_token=token, state_time=state_time, is_snapshot=is_snapshot)

    @asynccontextmanager
    async def _watching(self, tenant_id: str) -> AsyncIterator[tuple[Feed, int]]:
        """The tenant's log, and the place in it behind which is all that a look at PostgreSQL does not show now."""
        if self._is_stopping:
            raise UnavailableError("argus", _PAUSE, cause="STOPPING")
        await self._have_turn()
        try:
            if self._cursor is None:
                self._cursor = await self._reader.cursor()
            feed = self._feeds.get(tenant_id) or Feed(tenant_id)
            if feed.watchers >= self._most_of_tenant:
                raise OverloadedError(_PAUSE)
            self._feeds[tenant_id] = feed
            feed.watchers += 1
            place = feed.end
        finally:
            self._reading.release()
        self._wanted.set()
        try:
            yield feed, place
        finally:
            feed.watchers -= 1
            if not feed.watchers and self._feeds.get(tenant_id) is feed:
                del self._feeds[tenant_id]

    async def _have_turn(self) -> None:
        """Keeps the reader away; not all wait for a PostgreSQL that hangs, one after the other."""
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                await self._reading.acquire()
        except TimeoutError:
            raise UnavailableError("postgresql") from None

    async def _read(self) -> None:
        async with self._reading:
            if not self._feeds or self._cursor is None:
                self._cursor = self._read_time = None
                self._wanted.clear()
                return
            state_time = self._now()
            reading = await self._reader.changes(list(self._feeds), self._cursor, now=state_time)
            is_another = reading.cursor.server != self._cursor.server
            self._cursor, self._read_time = reading.cursor, state_time
            feeds = dict(self._feeds)
            if is_another:
                self._feeds = {}
        for tenant_id, feed in feeds.items():
            if is_another:
                feed.end_all()
                continue
            token = self._tokens.encode(tenant_id, reading.cursor)
            feed.publish(reading.changes.get(tenant_id, ()), resume_token=token, state_time=state_time)

    def _count(self) -> int:
        return sum(feed.watchers for feed in self._feeds.values())

    def _age(self) -> float:
        return 0.0 if self._read_time is None else (self._now() - self._read_time).total_seconds()
