"""Writes into Redis what PostgreSQL knows, where Redis has forgotten it or may have lost writes.

Every read of PostgreSQL that a user's record is made from holds the user's row until Redis has been written: an end
or a disabling can't slip in between and be overwritten by what was true before it.
"""

from typing import Final

from argus.base.errors import UnavailableError
from argus.flows.activity import Effects
from argus.flows.single_flight import SingleFlight
from argus.sessions.ending_store import EndingStore
from argus.sessions.live_store import LiveSessions, WriteStatus
from argus.sessions.model import TokenInvalidError
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database

_TRIES: Final = 2
_PARALLEL: Final = 16


class Rebuild:
    """Rebuilds records of sessions and users, and `not_before`s; each at most once at a time."""

    def __init__(
        self,
        db: Database,
        sessions: SessionStore,
        ending: EndingStore,
        live: LiveSessions,
        effects: Effects,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._ending = ending
        self._live = live
        self._effects = effects
        self._flights = SingleFlight(_PARALLEL)

    async def session(self, tenant_id: str, user_id: str, session_id: str, *, has_newer_family: bool = False) -> None:
        """Makes the record of a session current.

        Args:
            tenant_id: Tenant.
            user_id: User.
            session_id: Session.
            has_newer_family: A token says that even a current record is of an older family.

        Raises:
            TokenInvalidError: The user has no such session.
            UnavailableError: A store is away, or Redis changes faster than it can be written.
        """
        await self._flights.run(
            ("session", tenant_id, session_id, has_newer_family),
            lambda: self._session(tenant_id, user_id, session_id, has_newer_family=has_newer_family),
        )

    async def user(self, tenant_id: str, user_id: str) -> None:
        """Makes the record of a user and the index of its sessions current.

        Raises:
            TokenInvalidError: There was never such a user.
            UnavailableError: A store is away, or Redis changes faster than it can be written.
        """
        await self._flights.run(("user", tenant_id, user_id), lambda: self._user(tenant_id, user_id))

    async def not_before(self, tenant_id: str, client_id: str) -> None:
        """Makes the `not_before` of a tenant and of one of its clients current.

        Raises:
            UnavailableError: A store is away, or Redis changes faster than it can be written.
        """
        await self._flights.run(("not_before", tenant_id, client_id), lambda: self._not_before(tenant_id, client_id))

    async def _session(self, tenant_id: str, user_id: str, session_id: str, *, has_newer_family: bool) -> None:
        # What this process knows and PostgreSQL does not: else a long-replaced token could come back.
        await self._effects.flush()
        for _ in range(_TRIES):
            found = await self._live.session(session_id)
            if found.is_current and not has_newer_family:
                return
            session = await self._sessions.get(tenant_id, user_id, session_id)
            if session is None:
                raise TokenInvalidError
            if await self._live.rebuild_session(session, lineage=found.lineage) is not WriteStatus.STALE:
                return
        raise UnavailableError("redis")

    async def _user(self, tenant_id: str, user_id: str) -> None:
        for _ in range(_TRIES):
            found = await self._live.user(tenant_id, user_id)
            if found.is_current:
                return
            async with self._db.transaction() as tx:
                user = await self._ending.hold_user(tx, tenant_id, user_id)
                if user is None:
                    raise TokenInvalidError
                status = await self._live.rebuild_user(
                    tenant_id,
                    user_id,
                    lineage=found.lineage,
                    is_disabled=user.is_disabled,
                    not_before=user.not_before,
                    sessions=await self._sessions.living_ids(tx, tenant_id, user_id),
                )
            if status is not WriteStatus.STALE:
                return
        raise UnavailableError("redis")

    async def _not_before(self, tenant_id: str, client_id: str) -> None:
        for subject in ("", client_id) if client_id else ("",):
            for _ in range(_TRIES):
                found = await self._live.not_before(tenant_id, subject)
                if found.is_current:
                    break
                tenant, client = await self._ending.not_befores(tenant_id, client_id)
                wanted = client if subject else tenant
                if await self._live.set_not_before(tenant_id, subject, not_before=wanted, lineage=found.lineage):
                    break
            else:
                raise UnavailableError("redis")
