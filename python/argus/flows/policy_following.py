"""Lets living sessions follow changes of policies and groups, whatever the scope.

Any process carries a change on, batch by batch, each in one transaction with how far it has come: one that is killed
loses nothing. What began or was stepped up meanwhile by what was in force before is found by a second round, which
comes once every call of then is over.
"""

from datetime import timedelta
from typing import Final

from argus.base.clock import Now
from argus.flows.governing import Governing, system_origin
from argus.policies import changes_store as store
from argus.sessions.governing_store import GoverningStore
from argus.storage.postgres import Database

SECOND_ROUND: Final = timedelta(minutes=1)
"""When it comes: no policy lets a request take longer."""

_BATCH: Final = 200


class PolicyFollowing:
    """Changes of all tenants' policies, on their way to living sessions."""

    def __init__(
        self, db: Database, sessions: GoverningStore, governing: Governing, default_digest: bytes, *, now: Now
    ) -> None:
        """Lets sessions follow.

        Args:
            db: Where changes are.
            sessions: The sessions.
            governing: Their policies.
            default_digest: Of what is in force here where tenants set nothing.
            now: The time.
        """
        self._db = db
        self._default_digest = default_digest
        self._is_default_followed = False
        self._sessions = sessions
        self._governing = governing
        self._now = now

    async def run_due(self) -> None:
        """Carries on whatever is due, until there is nothing to do.

        Raises:
            UnavailableError: A store is away; what is left stays due.
        """
        if not self._is_default_followed:
            await self._follow_default()
        while await self._carry_on():
            pass

    async def _follow_default(self) -> None:
        """Settings change with a start: where another default was followed last, sessions follow this one."""
        now = self._now()
        async with self._db.transaction(system_origin(""), now=now) as tx:
            await store.follow_default(tx, self._default_digest, now=now)
        self._is_default_followed = True

    async def _carry_on(self) -> bool:
        now = self._now()
        async with self._db.transaction(system_origin(""), now=now) as tx:
            change = await store.take(tx, default_digest=self._default_digest, now=now)
            if change is None:
                return False
            tx.origin = system_origin(change.tenant_id)
            is_second = change.round > 1
            sessions = await self._sessions.living(
                tx,
                change.tenant_id,
                change.scope.kind,
                change.scope.id,
                after=change.at_session,
                proved_since=change.create_time - SECOND_ROUND if is_second else None,
                size=_BATCH,
            )
            governed = await self._governing.policies_of(change.tenant_id, sessions)
            await self._governing.govern(tx, governed, reason="POLICY")
            if is_second:
                # What the first round has written may have been overtaken by a record that was made before it.
                moved = {one.session.session_id for one in governed}
                await self._sessions.bring([one for one in sessions if one.session_id not in moved])
            if len(sessions) == _BATCH:
                await store.go_on(tx, change, at_session=sessions[-1].session_id)
            elif is_second:
                await store.finish(tx, change)
            else:
                await store.look_again(tx, change, at=now + SECOND_ROUND)
        return True
