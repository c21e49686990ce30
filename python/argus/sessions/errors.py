"""Why a session does not begin, go on or change: what callers are told of it."""

from collections.abc import Sequence
from typing import Any, Final

from argus.base.errors import ArgusError, Code
from argus.sessions.limits import LimitKind, ReachedLimit
from argus.sessions.model import ACR_PREFIX, EndReason
from argus.v1.errors_pb2 import ErrorReason

# An error travels in a header: as many ids as surely fit into 8 KiB.
_MOST_CHOICES_TOLD: Final = 100


class SessionNotFoundError(ArgusError):
    """No such session, or not one that the caller may see (the two look alike)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_SESSION_NOT_FOUND,
            f"session {session_id} was not found",
            sessionId=session_id,
        )


class SessionNotActiveError(ArgusError):
    """An ended session cannot be changed."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_SESSION_NOT_ACTIVE,
            f"session {session_id} has ended",
            sessionId=session_id,
        )


class SessionLimitReachedError(ArgusError):
    """The policy allows the user no further session (of this client, on devices of this class)."""

    def __init__(self, limit: ReachedLimit, way_on: str = "end one of them", **more: str | int) -> None:
        counted = {LimitKind.USER: "", LimitKind.CLIENT: " of this client"}.get(
            limit.kind, f" on a {limit.device_class}"
        )
        metadata: dict[str, Any] = {
            "limit": limit.most,
            "policyField": limit.kind.policy_field,
            "onLimit": limit.on_limit,
            **({"deviceClass": limit.device_class} if limit.device_class else {}),
            **more,
        }
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            ErrorReason.ERROR_REASON_SESSION_LIMIT_REACHED,
            f"the user has {limit.most} sessions{counted} already, which is all that the policy allows; {way_on}",
            **metadata,
        )
        self.limit = limit


class EndingChoiceNeededError(SessionLimitReachedError):
    """The user is to say which of its sessions make room (`on_limit = ask_user`).

    Attributes:
        surplus: How many at least.
        choices: Ids of those that it may choose from, the oldest first.
    """

    def __init__(self, limit: ReachedLimit, *, surplus: int, choices: Sequence[str]) -> None:
        super().__init__(
            limit,
            f"let the user choose {surplus} or more of endingChoices, and send them in end_sessions",
            endAtLeast=surplus,
            endingChoices=" ".join(choices[:_MOST_CHOICES_TOLD]),
        )
        self.surplus = surplus
        self.choices = choices


class SessionEndedError(ArgusError):
    """The session of the presented token, or of the step-up, has ended."""

    def __init__(self, end_reason: EndReason) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_SESSION_ENDED,
            "the session has ended",
            endReason=end_reason.name,
        )


class StepUpOvertakenError(ArgusError):
    """A later step-up of the same session was faster: its family is the newest one."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_STEP_UP_REQUIRED,
            "a later step-up of the session was faster",
            cause="FAMILY_OLDER",
        )


class LevelTooLowError(ArgusError):
    """The policy requires that a session of the user begins at a higher level, or with another kind of factor."""

    def __init__(self, required_acr: int, *, second_factor: str = "") -> None:
        kind = f" with a second factor that is {second_factor}" if second_factor else ""
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_STEP_UP_REQUIRED,
            f"the policy requires {ACR_PREFIX}{required_acr}{kind}; let the user sign in with a further factor",
            cause="SECOND_FACTOR" if second_factor else "ACR",
            acrValues=f"{ACR_PREFIX}{required_acr}",
        )
        if second_factor:
            self.metadata["secondFactor"] = second_factor


class AssertedAcrTooHighError(ArgusError):
    """The client may not vouch for so high an authentication level."""

    def __init__(self, max_asserted_acr: int) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_ASSERTED_ACR_TOO_HIGH,
            f"the client may assert at most {ACR_PREFIX}{max_asserted_acr}",
            maxAssertedAcr=f"{ACR_PREFIX}{max_asserted_acr}",
        )


class TokenInvalidError(ArgusError):
    """The presented token is not one that is good here; why is in the audit only."""

    def __init__(self) -> None:
        super().__init__(Code.UNAUTHENTICATED, ErrorReason.ERROR_REASON_TOKEN_INVALID, "the token is not valid")


class ProofRequiredError(ArgusError):
    """A proof of possession is missing or not good; why is in the audit only.

    Args:
        binding: "dpop", "mtls", or "key" where the kind is not known.
    """

    def __init__(self, binding: str) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_TOKEN_PROOF_REQUIRED,
            "the proof of possession is not good; let the client make a new one for this very request",
            binding=binding,
        )
