"""What changes how a user proves itself needs a proof of a moment ago, as strong as the user can give."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code, UnavailableError
from argus.credentials.levels import level_of
from argus.flows.factors import Factors
from argus.flows.self.oneself import Oneself
from argus.policies.service import Policies
from argus.sessions.model import ACR_PREFIX
from argus.sessions.proof_store import UsedProofs
from argus.users.service import Users
from argus.v1.errors_pb2 import ErrorReason

ONCE_WITHIN: Final = timedelta(minutes=5)
"""How long ago a proof may be that counts once: long enough to do what it was given for."""


class FreshProofRequiredError(ArgusError):
    """The user must prove itself again or stronger (RFC 9470): by a step-up, or a new sign-in."""

    def __init__(self, acr: int, cause: str, age: timedelta) -> None:
        seconds = int(age.total_seconds())
        which = f"of the last {seconds} s" if seconds else "of its own"
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_STEP_UP_REQUIRED,
            f"this needs a proof {which}, as strong as the user can give; step the session up",
            acrValues=f"{ACR_PREFIX}{acr}",
            maxAgeSeconds=seconds,
            cause=cause,
        )


class FreshProof:
    """Asks for it."""

    def __init__(self, factors: Factors, users: Users, policies: Policies, proofs: UsedProofs, *, now: Now) -> None:
        self._factors = factors
        self._users = users
        self._policies = policies
        self._proofs = proofs
        self._now = now

    async def require(self, oneself: Oneself) -> None:
        """Lets a session pass whose user has just proved itself as well as it can.

        Raises:
            FreshProofRequiredError: It has not, or has used that proof for something else where each counts once.
        """
        await self._require(oneself, await self._age(oneself))

    @asynccontextmanager
    async def used(self, oneself: Oneself) -> AsyncIterator[None]:
        """The same for the block, which uses the proof up where the policy lets each count once; a failure does not.

        Raises:
            FreshProofRequiredError: As `require`.
        """
        age = await self._age(oneself)
        await self._require(oneself, age)
        if age:
            yield
            return
        proof = (oneself.tenant_id, oneself.session_id, oneself.auth_time)
        if not await self._proofs.use(*proof):
            raise FreshProofRequiredError(oneself.acr, "PROOF_USED", age)
        try:
            yield
        except ArgusError:
            with suppress(UnavailableError):  # the user proves itself once more
                await self._proofs.give_back(*proof)
            raise

    async def _require(self, oneself: Oneself, age: timedelta) -> None:
        # Of whoever has no factor a backend has vouched for the level: its word alone must be fresh.
        enrolled = await self._factors.enrolled(oneself.tenant_id, oneself.user_id)
        # Recovery codes stand in for what is there; alone they would be spent on every change.
        reachable = level_of(one for one in enrolled if one.method != "recovery_code").acr
        if oneself.acr < reachable:
            raise FreshProofRequiredError(reachable, "ACR", age)
        if self._now() - oneself.auth_time > (age or ONCE_WITHIN):
            raise FreshProofRequiredError(max(reachable, 1), "AUTH_AGE", age)
        if not age and await self._proofs.is_used(oneself.tenant_id, oneself.session_id, oneself.auth_time):
            raise FreshProofRequiredError(max(reachable, 1), "PROOF_USED", age)

    async def _age(self, oneself: Oneself) -> timedelta:
        """How long ago the proof may be; zero: it counts once."""
        user = await self._users.get(oneself.tenant_id, oneself.user_id)
        in_force = await self._policies.effective(oneself.tenant_id, oneself.client_id, user.user_id, user.groups)
        return in_force.policy.step_up_age
