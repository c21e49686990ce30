"""What is asked of a presented token, and what is known of a good one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a call asks of the token that it comes with, besides being good.

    Attributes:
        scopes: Scopes that it must hold, all of them.
        acr_values: Acceptable authentication levels (RFC 9470): a higher one than one of these will do. Empty: any.
        max_age: Longest time since the user proved itself (RFC 9470). None: any.
    """

    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: timedelta | None = None


NO_REQUIREMENT: Final = Requirement()
"""A good token, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows that the sender of a request has the key that its token is bound to.

    Attributes:
        dpop: The request's DPoP proof (RFC 9449). Empty: it came with none.
        http_method: Method of the request, for DPoP.
        http_uri: URI of the request as the client addressed it, for DPoP.
        certificate_sha256: SHA-256 of the DER certificate that the client showed in the TLS handshake (RFC 8705).
            Empty: it showed none.
    """

    dpop: str = field(default="", repr=False)
    http_method: str = ""
    http_uri: str = ""
    certificate_sha256: bytes = b""


NO_PROOF: Final = Proof()
"""Only the token came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A token that is good here and now.

    Attributes:
        session: Resource name of the session; empty for a client token.
        session_id: Id of the session; empty for a client token.
        issuer: Issuer.
        tenant_id: Tenant of the issuer.
        subject: The user's id, or the client's for a client token.
        client_id: Client that the token was issued to.
        token_id: Id of the token.
        audience: Resources that the token is for.
        scopes: Granted scopes.
        acr: Authentication level; empty for a client token.
        amr: Authentication methods (RFC 8176).
        auth_time: When the user proved itself; None for a client token.
        expire_time: When the token expires.
        groups: Groups of the user, where the client maps them.
        state_time: Of when the news are by which the session had not ended, by Argus's clock. None: no news are
            followed (or none came yet), and the session may have ended since the token was made.
        staleness: How old those news are at the most, by a clock of this machine that nothing moves. None: not known
            (Argus itself was asked, which keeps to its own bound), or there are no news.
    """

    session: str
    session_id: str
    issuer: str
    tenant_id: str
    subject: str
    client_id: str
    token_id: str
    audience: tuple[str, ...]
    scopes: frozenset[str]
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime | None
    expire_time: datetime
    groups: tuple[str, ...]
    state_time: datetime | None
    staleness: timedelta | None


class Verifier(Protocol):
    """Says whether an access token is good: by itself, or by asking Argus."""

    async def verify(
        self, token: str, requirement: Requirement = NO_REQUIREMENT, *, proof: Proof = NO_PROOF
    ) -> Verified:
        """What is known of a good token; whatever is not a clear yes is raised.

        Raises:
            TokenRefusedError: It is not good.
            ProofRequiredError: It is bound to a key, and no good proof of that key came with it.
            StepUpRequiredError: The user must prove itself again, or stronger.
            ScopeMissingError: It is good and lacks a scope.
            VerifierUnavailableError: Whether it is good can't be known now.
        """
