"""What can be done with sessions that leaves them going."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from argus.base.clock import Now
from argus.base.errors import EtagMismatchError, InvalidFieldError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.lives import LongestLives
from argus.base.origin import Origin
from argus.base.pages import decode_page, encode_page
from argus.sessions.errors import SessionNotActiveError, SessionNotFoundError
from argus.sessions.model import Session
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database

MAX_DISPLAY_NAME = 100
"""Most characters of the name that a user gives a device."""
MAX_CATEGORY = 40
"""Most characters of the group that a user puts a device in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Some sessions of a list, and where it goes on; empty: nowhere."""

    sessions: Sequence[Session]
    next_page_token: str


class Sessions:
    """The sessions of all users."""

    def __init__(
        self, db: Database, store: SessionStore, lives: Callable[[str], Awaitable[LongestLives]], *, now: Now
    ) -> None:
        """Shows sessions.

        Args:
            db: Where they are.
            store: Their rows.
            lives: How long a tenant's sessions may live by what is in force now: calls with tokens go by it at once.
            now: The time.
        """
        self._db = db
        self._store = store
        self._lives = lives
        self._now = now

    async def get(self, tenant_id: str, user_id: str, session_id: str) -> Session:
        """One session as it stands now.

        Raises:
            SessionNotFoundError: The user has no such session.
        """
        session = await self._store.get(tenant_id, user_id, session_id)
        if session is None:
            raise SessionNotFoundError(session_id)
        lives = await self._lives(tenant_id)
        return _as_of(session, lives, self._now())

    async def find_all(self, tenant_id: str, user_id: str, session_ids: Sequence[str]) -> Mapping[str, Session]:
        """Those of some sessions of a user that there are, as they stand now, by their ids."""
        if not session_ids:
            return {}
        now, lives = self._now(), await self._lives(tenant_id)
        found = await self._store.find_all(tenant_id, user_id, session_ids)
        return {session.session_id: _as_of(session, lives, now) for session in found}

    async def page(
        self, tenant_id: str, user_id: str, *, size: int, page_token: str = "", with_ended: bool = False
    ) -> SessionPage:
        """Sessions of a user, newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        kind = f"sessions:{tenant_id}/{user_id}:{with_ended}"
        now, lives = self._now(), await self._lives(tenant_id)
        found = await self._store.page(
            tenant_id,
            user_id,
            now=now,
            lives=lives,
            size=size + 1,
            with_ended=with_ended,
            before=_position(kind, page_token) if page_token else None,
        )
        shown = [_as_of(session, lives, now) for session in found[:size]]
        has_more = len(found) > size
        return SessionPage(sessions=shown, next_page_token=_token(kind, shown[-1]) if has_more else "")

    async def count(self, tenant_id: str, user_id: str | None = None) -> int:
        """How many sessions of a user, or of the whole tenant, are not over."""
        return await self._store.count_living(tenant_id, user_id, now=self._now(), lives=await self._lives(tenant_id))

    async def describe(
        self,
        tenant_id: str,
        user_id: str,
        session_id: str,
        *,
        display_name: str | None = None,
        category: str | None = None,
        etag: str = "",
        origin: Origin,
    ) -> Session:
        """Changes what the user calls the device of a session; None leaves a field as it is.

        Raises:
            SessionNotFoundError: The user has no such session.
            SessionNotActiveError: It has ended.
            EtagMismatchError: It has changed since `etag` was read.
            RequestAlreadyDoneError: The same request was carried out before.
        """
        _check_length("session.device.display_name", display_name, MAX_DISPLAY_NAME)
        _check_length("session.device.category", category, MAX_CATEGORY)
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            session = await self._store.lock(tx, tenant_id, user_id, session_id)
            if session is None:
                raise SessionNotFoundError(session_id)
            await tx.claim(session.name)
            if etag and etag != session.etag:
                raise EtagMismatchError(session.etag)
            if session.as_of(now).has_ended:
                raise SessionNotActiveError(session_id)
            await self._store.describe(tx, session, display_name=display_name, category=category)
            tx.record(
                Event(type="session.updated", user_id=user_id, session_id=session_id, client_id=session.client_id)
            )
            changed = await self._store.get(tenant_id, user_id, session_id, tx)
        return changed or session


def _as_of(session: Session, lives: LongestLives, now: datetime) -> Session:
    life = lives.of(session.client_id)
    longest = life.of_narrower if session.has_narrower_life else life.of_most
    return session.within(longest, since=life.since).as_of(now)


def _check_length(field: str, value: str | None, most: int) -> None:
    if value is not None and len(value) > most:
        raise InvalidFieldError(field, f"must have at most {most} characters")


def _token(kind: str, session: Session) -> str:
    return encode_page(kind, (session.create_time.astimezone(UTC).isoformat(), session.session_id))


def _position(kind: str, token: str) -> tuple[datetime, str]:
    key = decode_page(kind, token)
    try:
        time, session_id = key
        return datetime.fromisoformat(time), session_id
    except ValueError:
        raise PageTokenInvalidError from None
