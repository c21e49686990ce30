"""Disables users whom nobody has used for as long as the policy says, and deletes those that stay so.

PCI DSS 8.2.6 and NIST SP 800-53 AC-2(3) ask for the first, GDPR Art. 5(1)(e) for the second. The way back is
`EnableUser`: it counts as a use, or the next round would disable the user anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from argus.base.clock import Now
from argus.base.errors import RequestAlreadyDoneError
from argus.base.origin import Origin
from argus.base.policy import Policy
from argus.flows.user_lifecycle import UserLifecycle
from argus.policies.service import Policies
from argus.sessions.store import SessionStore
from argus.storage.postgres import Transaction
from argus.users.model import UNUSED, User, UserNotFoundError
from argus.users.unused import UnusedUsers

_UNUSED: Final = "unused_account"
_KEPT: Final = "unused_account_kept"
_BATCH: Final = 200
_SYSTEM: Final = "system:unused-accounts"
# Nobody is disabled or deleted sooner, so newer users are not even looked at.
_SOONEST: Final = timedelta(seconds=1)

_Batch: TypeAlias = Sequence[tuple[User, datetime]]
"""Users with a time each: since when they are open, or disabled."""


class _NoLongerError(Exception):
    """Between the look at a user and its end it was used, enabled or disabled anew: it stays as it is."""


class UnusedAccounts:
    """Looks for them.

    A batch is read at a time, and each user is its own transaction: a round that is cut short loses nothing, and two
    processes that meet do the same once.
    """

    def __init__(
        self, unused: UnusedUsers, sessions: SessionStore, policies: Policies, lifecycle: UserLifecycle, *, now: Now
    ) -> None:
        self._unused = unused
        self._sessions = sessions
        self._policies = policies
        self._lifecycle = lifecycle
        self._now = now

    async def disable_due(self) -> int:
        """Disables all that are due, of every tenant that has such a policy; says how many.

        Raises:
            UnavailableError: A store is away.
        """
        return await self._everywhere(_UNUSED, self._unused.open_since, self._disable)

    async def delete_due(self) -> int:
        """Deletes all that were disabled as unused and have been kept long enough since; says how many.

        Raises:
            UnavailableError: A store is away.
        """
        return await self._everywhere(_KEPT, self._unused.disabled_since, self._delete)

    async def _everywhere(
        self,
        field: str,
        look: Callable[..., Awaitable[_Batch]],
        end: Callable[[str, _Batch, Sequence[Policy]], Awaitable[int]],
    ) -> int:
        """Ends what a look finds, in every tenant that may have set a field; says how many."""
        ended = 0
        for tenant_id in await self._policies.tenants_that_may_set(field):
            after = ""
            while True:
                batch = await look(tenant_id, before=self._now() - _SOONEST, after=after, limit=_BATCH)
                ended += await end(tenant_id, batch, await asyncio.gather(*(self._policy(user) for user, _ in batch)))
                if len(batch) < _BATCH:
                    break
                after = batch[-1][0].user_id
        return ended

    async def _policy(self, user: User) -> Policy:
        return (await self._policies.effective(user.tenant_id, "", user.user_id, user.groups)).policy

    async def _disable(self, tenant_id: str, batch: _Batch, policies: Sequence[Policy]) -> int:
        used = await self._sessions.last_uses(tenant_id, [user.user_id for user, _ in batch])
        now, disabled = self._now(), 0
        for (user, since), policy in zip(batch, policies, strict=True):
            span = policy.unused_account
            if span and _last_use(user, since, used) + span <= now:
                disabled += await self._disable_one(user, since, span)
        return disabled

    async def _disable_one(self, user: User, since: datetime, span: timedelta) -> int:
        async def is_still_unused(tx: Transaction) -> None:
            used = await self._sessions.last_uses(user.tenant_id, [user.user_id], reader=tx)
            if _last_use(user, since, used) + span > self._now():
                raise _NoLongerError

        return await _unless_overtaken(
            self._lifecycle.disable(
                user.tenant_id, user.user_id, reason=UNUSED, also=is_still_unused, origin=_origin(user.tenant_id)
            )
        )

    async def _delete(self, tenant_id: str, batch: _Batch, policies: Sequence[Policy]) -> int:
        now, deleted = self._now(), 0
        for (user, since), policy in zip(batch, policies, strict=True):
            kept = policy.unused_account_kept
            if kept and since + kept <= now:
                deleted += await self._delete_one(tenant_id, user.user_id, since)
        return deleted

    async def _delete_one(self, tenant_id: str, user_id: str, since: datetime) -> int:
        async def is_still_disabled(tx: Transaction) -> None:
            if await self._unused.disabled_time(tx, tenant_id, user_id) != since:
                raise _NoLongerError

        return await _unless_overtaken(
            self._lifecycle.delete(tenant_id, user_id, reason=UNUSED, also=is_still_disabled, origin=_origin(tenant_id))
        )


async def _unless_overtaken(end: Awaitable[object]) -> int:
    """1 for an end; 0 where somebody was faster."""
    try:
        await end
    except (_NoLongerError, UserNotFoundError, RequestAlreadyDoneError):
        return 0
    return 1


def _origin(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor=_SYSTEM, request_id="")


def _last_use(user: User, since: datetime, used: Mapping[str, datetime]) -> datetime:
    return max(since, used.get(user.user_id, since))
