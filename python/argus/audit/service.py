"""What can be done with the audit table: rows are written where things happen (`storage.postgres`), read here."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from argus.audit import store
from argus.audit.model import AuditEvent, EventFilter
from argus.base import pages
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.storage.postgres import Database

_MOST_OF_A_REQUEST = 100
_ON_ITS_WAY = timedelta(days=1)
_ANY = EventFilter()


class Audit:
    """The audit table of all tenants."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    async def list_session_events(
        self,
        tenant_id: str,
        session_id: str,
        *,
        matching: EventFilter = _ANY,
        page_size: int,
        page_token: str = "",
    ) -> tuple[Sequence[AuditEvent], str]:
        """A page of what happened to a session, newest first, and the token of the next one ("": this is the last).

        Args:
            tenant_id: Tenant.
            session_id: Session.
            matching: Only these events.
            page_size: Most events.
            page_token: Token of the page before, with the same filter.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        kind = f"session-events:{tenant_id}:{session_id}"
        after = _position(kind, page_token) if page_token else None
        found = await store.of_session(
            self._db, tenant_id, session_id, matching=matching, after=after, limit=page_size + 1
        )
        return _page(kind, found, page_size)

    async def list_user_events(
        self, tenant_id: str, user_id: str, *, matching: EventFilter, page_size: int, page_token: str = ""
    ) -> tuple[Sequence[AuditEvent], str]:
        """A page of what concerned a user, newest first; as `list_session_events`."""
        kind = f"user-events:{tenant_id}:{user_id}"
        after = _position(kind, page_token) if page_token else None
        found = await store.of_user(self._db, tenant_id, user_id, matching=matching, after=after, limit=page_size + 1)
        return _page(kind, found, page_size)

    async def list_device_events(
        self,
        tenant_id: str,
        user_id: str,
        device_id: str,
        session_ids: Sequence[str],
        *,
        matching: EventFilter = _ANY,
        page_size: int,
        page_token: str = "",
    ) -> tuple[Sequence[AuditEvent], str]:
        """A page of what happened to a user's device and to sessions on it; as `list_session_events`."""
        kind = f"device-events:{tenant_id}:{device_id}"
        after = _position(kind, page_token) if page_token else None
        found = await store.of_device(
            self._db, tenant_id, user_id, device_id, session_ids, matching=matching, after=after, limit=page_size + 1
        )
        return _page(kind, found, page_size)

    async def find(self, tenant_id: str, event_id: str, *, time: datetime) -> AuditEvent | None:
        """The event of that id and instant, if there is one."""
        return await store.find(self._db, tenant_id, event_id, time=time)

    async def of_request(self, tenant_id: str, request_id: str) -> Sequence[AuditEvent]:
        """What one call did: how support finds out why it was refused."""
        return await store.of_request(self._db, tenant_id, request_id, limit=_MOST_OF_A_REQUEST)

    async def delete_before(self, before: datetime, limit: int, origin: Origin) -> int:
        """Deletes up to `limit` older events of the origin's tenant, the oldest first, and records how many."""
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            deleted = await store.delete_before(tx, origin.tenant_id, before, limit=limit)
            if deleted:
                data = {"events": str(deleted), "before": before.isoformat()}
                tx.record(Event(type="audit.purged", data=data), time=now)
        return deleted

    async def cut_addresses_before(self, before: datetime, limit: int, origin: Origin) -> int:
        """Cuts the addresses of up to `limit` older events of the origin's tenant to their networks."""
        async with self._db.transaction() as tx:
            cut = await store.cut_addresses_before(tx, origin.tenant_id, before, limit=limit)
            if cut < limit:
                # What is still on its way here is no older than a day.
                await store.note_cut(tx, origin.tenant_id, before - _ON_ITS_WAY)
        return cut

    async def pages(
        self, tenant_id: str, *, types: Sequence[str], since: datetime, until: datetime, user_id: str = "", size: int
    ) -> AsyncIterator[Sequence[AuditEvent]]:
        """Events of some types in a time, oldest first, in pages of `size`; of a user alone, where one is named."""
        after = (since, "")
        while True:
            page = await store.between(
                self._db, tenant_id, types=types, after=after, until=until, user_id=user_id, limit=size
            )
            yield page
            if len(page) < size:
                return
            after = (page[-1].time, page[-1].event_id)

    async def count(self, tenant_id: str, *, types: Sequence[str], since: datetime, until: datetime) -> int:
        """How many events of some types there are in a time."""
        return await store.count(self._db, tenant_id, types=types, since=since, until=until)

    async def ensure_partitions(self) -> int:
        """Makes the partitions of this month and the next one where they are missing; says how many."""
        begin = _month(self._now())
        made = 0
        for _ in range(2):
            end = _next_month(begin)
            async with self._db.transaction() as tx:
                made += await store.create_partition(tx, begin=begin, end=end)
            begin = end
        return made


def _month(time: datetime) -> datetime:
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _page(kind: str, found: Sequence[AuditEvent], page_size: int) -> tuple[Sequence[AuditEvent], str]:
    if len(found) <= page_size:
        return found, ""
    last = found[page_size - 1]
    return found[:page_size], pages.encode_page(kind, (last.time.isoformat(), last.event_id))


def _position(kind: str, page_token: str) -> tuple[datetime, str]:
    key = pages.decode_page(kind, page_token)
    try:
        time, event_id = key
        return datetime.fromisoformat(time), event_id
    except ValueError:
        raise PageTokenInvalidError from None
