"""Whether a session lives, by all that both stores know: for what must not be decided by one of them alone."""

from dataclasses import dataclass, replace
from datetime import timedelta

from argus.base.clock import Now
from argus.flows.activity import Effects
from argus.policies.service import Policies
from argus.sessions.ending_store import EndingStore, UserState
from argus.sessions.errors import SessionEndedError, TokenInvalidError
from argus.sessions.live_store import LiveSessions
from argus.sessions.model import EndReason, Session, whole_second
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """A session that was not over a moment ago.

    Attributes:
        idle: How long it may go unused, by its own policy and the one in force now.
        absolute: How long it may live at all, likewise.
        required_acr: Level without which it is not refreshed, likewise.
    """

    session: Session
    idle: timedelta
    absolute: timedelta
    required_acr: int = 1


class Standing:
    """Asks PostgreSQL and Redis."""

    def __init__(
        self,
        db: Database,
        sessions: SessionStore,
        ending: EndingStore,
        live: LiveSessions,
        effects: Effects,
        policies: Policies,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._ending = ending
        self._live = live
        self._effects = effects
        self._policies = policies
        self._now = now

    async def check(self, tenant_id: str, user_id: str, session_id: str) -> Living:
        """The session, if it lives.

        Raises:
            TokenInvalidError: The user has no such session.
            SessionEndedError: It is over.
            UnavailableError: A store is away.
        """
        # What this process knows and PostgreSQL does not: uses, and that it is contested.
        await self._effects.flush()
        end = await self._live.end_of(session_id)
        if end is not None:
            raise SessionEndedError(end.reason)
        session = await self._sessions.get(tenant_id, user_id, session_id)
        if session is None:
            raise TokenInvalidError
        held = await self._policies.held(tenant_id, session.policy_revision, session.client_id)
        living = Living(session=session, idle=held.idle, absolute=held.absolute, required_acr=held.required_acr)
        async with self._db.transaction() as tx:
            return replace(living, session=await self.hold(tx, living))

    async def hold_user(self, tx: Transaction, living: Living) -> UserState | None:
        """The user of a session as it is now, before anything else of it is held; None: there is none."""
        return await self._ending.hold_user(tx, living.session.tenant_id, living.session.user_id)

    async def hold(self, tx: Transaction, living: Living) -> Session:
        """The session as it is now, if it still lives; nobody can end or change it or its user until `tx` ends.

        Raises:
            TokenInvalidError: It was removed.
            SessionEndedError: It is over.
        """
        session = living.session
        user = await self.hold_user(tx, living)
        held = await self._sessions.lock(tx, session.tenant_id, session.user_id, session.session_id)
        if user is None or held is None:
            raise TokenInvalidError
        held = held.within(living.absolute)
        end_reason = held.as_of(self._now()).end_reason
        if end_reason is None and user.is_disabled:
            end_reason = EndReason.USER_DISABLED
        if end_reason is None and user.not_before and whole_second(held.create_time) <= user.not_before:
            end_reason = EndReason.USER_WIDE
        if end_reason is not None:
            raise SessionEndedError(end_reason)
        return held
