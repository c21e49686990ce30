"""What changes how a user proves itself needs a proof of a moment ago, as strong as the user can give."""

from datetime import timedelta
from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code
from argus.credentials.levels import level_of
from argus.flows.factors import Factors
from argus.flows.self.oneself import Oneself
from argus.sessions.model import ACR_PREFIX
from argus.v1.errors_pb2 import ErrorReason

FRESH: Final = timedelta(minutes=5)
"""How long ago the proof may be."""


class FreshProofRequiredError(ArgusError):
    """The user must prove itself again or stronger (RFC 9470): by a step-up, or a new sign-in."""

    def __init__(self, acr: int, cause: str) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_STEP_UP_REQUIRED,
            "this needs a proof of the last five minutes, as strong as the user can give; step the session up",
            acrValues=f"{ACR_PREFIX}{acr}",
            maxAgeSeconds=int(FRESH.total_seconds()),
            cause=cause,
        )


class FreshProof:
    """Asks for it."""

    def __init__(self, factors: Factors, *, now: Now) -> None:
        self._factors = factors
        self._now = now

    async def require(self, oneself: Oneself) -> None:
        """Lets a session pass whose user has just proved itself as well as it can.

        Raises:
            FreshProofRequiredError: It has not.
        """
        # Of whoever has no factor a backend has vouched for the level: its word alone must be fresh.
        enrolled = await self._factors.enrolled(oneself.tenant_id, oneself.user_id)
        # Recovery codes stand in for what is there; alone they would be spent on every change.
        reachable = level_of(one for one in enrolled if one.method != "recovery_code").acr
        if oneself.acr < reachable:
            raise FreshProofRequiredError(reachable, "ACR")
        if self._now() - oneself.auth_time > FRESH:
            raise FreshProofRequiredError(max(reachable, 1), "AUTH_AGE")
