"""Why a token does not let its bearer in. Each class is another answer to the caller, and an outage is never a refusal.

Messages say nothing about the token: they may go into logs, and to the caller.
"""

from datetime import timedelta


class VerificationError(Exception):
    """No clear yes."""


class TokenRefusedError(VerificationError):
    """The token is not good: 401, UNAUTHENTICATED. Another one may be.

    Attributes:
        reason: TOKEN_INVALID or SESSION_ENDED, as Argus's own answers say it.
        fault: Class of the fault, for this service's own log; never for the caller.
    """

    def __init__(self, reason: str = "TOKEN_INVALID", *, fault: str = "") -> None:
        super().__init__("the session has ended" if reason == "SESSION_ENDED" else "the access token is not good here")
        self.reason = reason
        self.fault = fault


class ProofRequiredError(VerificationError):
    """The token is bound to a key, and no good proof of it came along: 401, UNAUTHENTICATED.

    Attributes:
        binding: What the token is bound by: dpop, mtls, or key where that is not known.
        fault: Class of the fault, for this service's own log; never for the caller.
    """

    def __init__(self, binding: str, *, fault: str = "") -> None:
        super().__init__("the access token needs a good proof of possession")
        self.binding = binding
        self.fault = fault


class StepUpRequiredError(VerificationError):
    """The user must prove itself again, or stronger (RFC 9470): 401, UNAUTHENTICATED.

    Attributes:
        acr_values: Levels that would do; empty: the present one.
        max_age: Longest time since the proof; None: any.
    """

    def __init__(self, *, acr_values: tuple[str, ...] = (), max_age: timedelta | None = None) -> None:
        super().__init__("the user must authenticate again or more strongly")
        self.acr_values = acr_values
        self.max_age = max_age


class ScopeMissingError(VerificationError):
    """The token is good and lacks a scope: 403, PERMISSION_DENIED.

    Attributes:
        scopes: What was asked for.
    """

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__("the access token lacks a required scope")
        self.scopes = scopes


class VerifierUnavailableError(VerificationError):
    """Whether the token is good can't be known now: 503, UNAVAILABLE. Says nothing about the token.

    Attributes:
        retry_after: When another answer can come at the earliest; None: not known.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
