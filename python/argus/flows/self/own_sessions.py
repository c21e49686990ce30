"""A user's own sessions: seen, named, ended."""

from collections.abc import Mapping, Sequence

from argus.base.origin import Origin
from argus.flows.self.oneself import Oneself
from argus.flows.terminate import Terminate
from argus.flows.termination import Termination, Terminations
from argus.sessions.errors import SessionNotFoundError
from argus.sessions.model import EndReason, Session
from argus.sessions.service import SessionPage, Sessions


class OwnSessions:
    """The sessions of whoever asks. What is somebody else's is not found."""

    def __init__(self, sessions: Sessions, terminate: Terminate) -> None:
        self._sessions = sessions
        self._terminate = terminate

    async def current(self, oneself: Oneself) -> Session:
        """The session that the user acts from.

        Raises:
            SessionNotFoundError: It has been removed meanwhile.
        """
        return await self._sessions.get(oneself.tenant_id, oneself.user_id, oneself.session_id)

    async def get(self, oneself: Oneself, name: str) -> Session:
        """One session.

        Raises:
            SessionNotFoundError: The user has no such session.
        """
        return await self._sessions.get(oneself.tenant_id, oneself.user_id, _own(oneself, name))

    async def page(self, oneself: Oneself, *, size: int, page_token: str = "", with_ended: bool = False) -> SessionPage:
        """Sessions, newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        return await self._sessions.page(
            oneself.tenant_id, oneself.user_id, size=size, page_token=page_token, with_ended=with_ended
        )

    async def find_all(self, oneself: Oneself, session_ids: Sequence[str]) -> Mapping[str, Session]:
        """Those of some sessions that there are, by their ids."""
        return await self._sessions.find_all(oneself.tenant_id, oneself.user_id, session_ids)

    async def describe(
        self,
        oneself: Oneself,
        name: str,
        *,
        display_name: str | None = None,
        category: str | None = None,
        etag: str = "",
        origin: Origin,
    ) -> Session:
        """Changes what the user calls the device of a session, or its group; None leaves a field as it is.

        Raises:
            SessionNotFoundError: The user has no such session.
            SessionNotActiveError: It has ended.
            EtagMismatchError: It has changed since `etag` was read.
            RequestAlreadyDoneError: The same request was carried out before.
        """
        return await self._sessions.describe(
            oneself.tenant_id,
            oneself.user_id,
            _own(oneself, name),
            display_name=display_name,
            category=category,
            etag=etag,
            origin=oneself.origin(origin),
        )

    async def terminate(self, oneself: Oneself, name: str, *, origin: Origin) -> Termination:
        """Ends one session; ending it again returns the first ending.

        Raises:
            SessionNotFoundError: The user has no such session.
            UnavailableError: No store can take it, or PostgreSQL is away and Redis does not know the session.
        """
        session_id = _own(oneself, name)
        is_current = session_id == oneself.session_id
        return await self._terminate.session(
            oneself.tenant_id,
            oneself.user_id,
            session_id,
            reason=EndReason.SIGNED_OUT if is_current else EndReason.ENDED_BY_USER,
            origin=oneself.origin(origin),
        )

    async def terminate_all(self, oneself: Oneself, *, with_current: bool, origin: Origin) -> Terminations:
        """Ends all other sessions, or really all.

        Raises:
            UnavailableError: No store can take it.
        """
        return await self._terminate.user(
            oneself.tenant_id,
            oneself.user_id,
            reason=EndReason.USER_WIDE if with_current else EndReason.ENDED_BY_USER,
            keep=None if with_current else oneself.session_id,
            origin=oneself.origin(origin),
        )


def _own(oneself: Oneself, name: str) -> str:
    session_id = oneself.own_session(name)
    if session_id is None:
        raise SessionNotFoundError(name.rpartition("/")[2])
    return session_id
