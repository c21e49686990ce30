"""Disables users whom nobody has used for as long as the policy says (PCI DSS 8.2.6, NIST SP 800-53 AC-2(3)).

The way back is `EnableUser`: it counts as a use, or the next round would disable the user anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from argus.base.clock import Now
from argus.base.errors import RequestAlreadyDoneError
from argus.base.origin import Origin
from argus.flows.user_lifecycle import UserLifecycle
from argus.policies.service import Policies
from argus.sessions.store import SessionStore
from argus.storage.postgres import Transaction
from argus.users.model import User, UserNotFoundError
from argus.users.service import Users

UNUSED: Final = "UNUSED"
"""Reason of the event that tells of it."""

_FIELD: Final = "unused_account"
_BATCH: Final = 200
_SYSTEM: Final = "system:unused-accounts"
# Nobody is disabled sooner, so newer users are not even looked at.
_SOONEST: Final = timedelta(seconds=1)


class _UsedMeanwhileError(Exception):
    """Between the look at a user and its end it was used: it stays as it is."""


class UnusedAccounts:
    """Looks for them."""

    def __init__(
        self, users: Users, sessions: SessionStore, policies: Policies, lifecycle: UserLifecycle, *, now: Now
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._policies = policies
        self._lifecycle = lifecycle
        self._now = now

    async def disable_due(self) -> int:
        """Disables all that are due, of every tenant that has such a policy; says how many.

        A batch is read at a time, and each user is its own transaction: a round that is cut short loses nothing, and
        two processes that meet do the same once.

        Raises:
            UnavailableError: A store is away.
        """
        disabled = 0
        for tenant_id in await self._policies.tenants_that_may_set(_FIELD):
            after = ""
            while True:
                batch = await self._users.open_since(
                    tenant_id, before=self._now() - _SOONEST, after=after, limit=_BATCH
                )
                disabled += await self._disable(tenant_id, batch)
                if len(batch) < _BATCH:
                    break
                after = batch[-1][0].user_id
        return disabled

    async def _disable(self, tenant_id: str, batch: Sequence[tuple[User, datetime]]) -> int:
        used = await self._sessions.last_uses(tenant_id, [user.user_id for user, _ in batch])
        spans = await asyncio.gather(*(self._span(user) for user, _ in batch))
        now, disabled = self._now(), 0
        for (user, since), span in zip(batch, spans, strict=True):
            if span and _last_use(user, since, used) + span <= now:
                disabled += await self._disable_one(user, since, span)
        return disabled

    async def _span(self, user: User) -> timedelta:
        in_force = await self._policies.effective(user.tenant_id, "", user.user_id, user.groups)
        return in_force.policy.unused_account

    async def _disable_one(self, user: User, since: datetime, span: timedelta) -> int:
        async def is_still_unused(tx: Transaction) -> None:
            used = await self._sessions.last_uses(user.tenant_id, [user.user_id], reader=tx)
            if _last_use(user, since, used) + span > self._now():
                raise _UsedMeanwhileError

        origin = Origin(tenant_id=user.tenant_id, actor=_SYSTEM, request_id="")
        try:
            await self._lifecycle.disable(
                user.tenant_id, user.user_id, reason=UNUSED, also=is_still_unused, origin=origin
            )
        except (_UsedMeanwhileError, UserNotFoundError, RequestAlreadyDoneError):
            return 0
        return 1


def _last_use(user: User, since: datetime, used: Mapping[str, datetime]) -> datetime:
    return max(since, used.get(user.user_id, since))
