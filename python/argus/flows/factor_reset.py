"""Takes away what a user has lost, so that it can enrol anew: what an administrator does who knows whom it speaks to.

The password stays, and proves as little as before: a reset lets nobody in.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from argus.base.clock import Now
from argus.base.ids import user_name
from argus.base.origin import Origin
from argus.credentials.levels import Method
from argus.credentials.model import Credential, CredentialKind
from argus.credentials.service import Passwords
from argus.flows.terminate import Also, Terminate
from argus.flows.termination import Terminations
from argus.sessions.model import EndReason
from argus.storage.postgres import Database, Transaction
from argus.threats.guessing.service import Guessing
from argus.users.service import Users

RESETTABLE: Final[tuple[CredentialKind, ...]] = ("totp", "recovery_codes", "webauthn")
"""Kinds of credentials that a reset takes away."""

# By which failures at them are counted.
_GUESSED: Final[dict[CredentialKind, Method]] = {"totp": "totp", "recovery_codes": "recovery_code"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorsReset:
    """What a reset did.

    Attributes:
        removed: What was taken away; none: the user had nothing of the kind.
        has_password: The user can begin a sign-in without what was taken away.
        ends: The ends of its sessions; None: they were left.
    """

    removed: Sequence[Credential]
    has_password: bool
    ends: Terminations | None


class FactorReset:
    """Second factors and passkeys of users, as administrators take them away."""

    def __init__(
        self,
        db: Database,
        users: Users,
        credentials: Passwords,
        guessing: Guessing,
        terminate: Terminate,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._users = users
        self._credentials = credentials
        self._guessing = guessing
        self._terminate = terminate
        self._now = now

    async def reset(
        self,
        tenant_id: str,
        user_id: str,
        *,
        kinds: Collection[CredentialKind] = RESETTABLE,
        terminate_sessions: bool = True,
        comment: str = "",
        origin: Origin,
    ) -> FactorsReset:
        """Deletes a user's credentials of some kinds, tells the user, and ends its sessions.

        Args:
            tenant_id: Tenant.
            user_id: User.
            kinds: Which; of `RESETTABLE`.
            terminate_sessions: End the user's sessions: whoever has the lost device may have one.
            comment: For the audit: who asked, and how that was made sure of.
            origin: On whose behalf.

        Raises:
            ValueError: A kind is not one of `RESETTABLE`.
            UserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
            UnavailableError: A store is away; nothing was changed.
        """
        if not set(kinds) <= set(RESETTABLE):
            raise ValueError(f"a reset takes away {', '.join(RESETTABLE)}")
        user = await self._users.get(tenant_id, user_id)
        removed: list[Credential] = []

        async def remove(tx: Transaction) -> None:
            removed.extend(
                await self._credentials.remove_kinds(tx, tenant_id, user.user_id, frozenset(kinds), comment=comment)
            )

        ends = await self._apply(tenant_id, user_id, remove, terminate_sessions, comment, origin)
        if not origin.validate_only:
            # What was guessed before was guessed at what is gone.
            for method in (_GUESSED[kind] for kind in kinds if kind in _GUESSED):
                await self._guessing.reopen_factor(tenant_id, user_id, method)
        has_password = await self._credentials.find(tenant_id, user_id) is not None
        return FactorsReset(removed=removed, has_password=has_password, ends=ends)

    async def _apply(
        self,
        tenant_id: str,
        user_id: str,
        remove: Also,
        terminate_sessions: bool,  # noqa: FBT001 - handed on
        comment: str,
        origin: Origin,
    ) -> Terminations | None:
        claim = user_name(tenant_id, user_id)
        if terminate_sessions:
            return await self._terminate.user(
                tenant_id,
                user_id,
                reason=EndReason.USER_WIDE,
                comment=comment,
                origin=origin,
                also=remove,
                claim=claim,
            )
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(claim)
            await remove(tx)
        return None
