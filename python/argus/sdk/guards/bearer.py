"""Reads the token of a request, and says what is wrong in the words of RFC 6750, RFC 9449 and RFC 9470."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from argus.sdk.errors import (
    ProofRequiredError,
    ScopeMissingError,
    StepUpRequiredError,
    TokenRefusedError,
    VerificationError,
)

__all__ = ["MalformedRequestError", "NoTokenError", "PresentedToken", "challenge", "read_authorization"]

_SCHEMES: Final = frozenset({"bearer", "dpop"})
# What the DPoP proofs are signed with that are taken (RFC 9449, section 7.1).
_PROOF_ALGORITHMS: Final = "ES256 EdDSA Ed25519 RS256 PS256"


class NoTokenError(VerificationError):
    """The request carries no token: 401, UNAUTHENTICATED."""

    def __init__(self) -> None:
        super().__init__("the request carries no access token")


class MalformedRequestError(VerificationError):
    """The request carries several tokens or proofs, or one in a way that can't be read: 400, INVALID_ARGUMENT."""

    def __init__(self) -> None:
        super().__init__("the request must carry one access token, in one authorization header")


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """A token as a request carries it.

    Attributes:
        token: The token.
        proof: The DPoP proof; empty: there is none.
    """

    token: str
    proof: str


def read_authorization(authorization: Sequence[str], dpop: Sequence[str]) -> PresentedToken:
    """The token of a request.

    Args:
        authorization: Values of all its authorization headers.
        dpop: Values of all its DPoP headers.

    Raises:
        NoTokenError: It carries none.
        MalformedRequestError: It carries several, or one in a way that can't be read.
    """
    if not authorization:
        raise NoTokenError
    if len(authorization) > 1 or len(dpop) > 1:
        raise MalformedRequestError
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() not in _SCHEMES:
        raise NoTokenError
    token = token.strip(" ")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise MalformedRequestError
    is_dpop = scheme.lower() == "dpop"
    # A token that is presented as bound needs its proof whatever it says itself (RFC 9449, section 7.1).
    if is_dpop and not dpop:
        raise ProofRequiredError("dpop", fault="missing")
    return PresentedToken(token=token, proof=dpop[0] if dpop else "")


def challenge(error: VerificationError, *, realm: str) -> str:
    """Value of `WWW-Authenticate` for a refusal; empty where there is none."""
    if isinstance(error, NoTokenError):
        return f'Bearer realm="{realm}"'
    if isinstance(error, ProofRequiredError) and error.binding != "mtls":
        # An invalid_token for a proof that is missing is what a client can act on (RFC 9449, section 7.1).
        name = "invalid_token" if error.fault == "missing" else "invalid_dpop_proof"
        return f'DPoP realm="{realm}", error="{name}", algs="{_PROOF_ALGORITHMS}"'
    parts = [f'Bearer realm="{realm}"', *_parts(error)]
    return ", ".join(parts) if len(parts) > 1 else ""


def _parts(error: VerificationError) -> list[str]:
    if isinstance(error, MalformedRequestError):
        return ['error="invalid_request"']
    if isinstance(error, TokenRefusedError | ProofRequiredError):
        return ['error="invalid_token"', f'error_description="{error}"']
    if isinstance(error, ScopeMissingError):
        return ['error="insufficient_scope"', f'scope="{" ".join(error.scopes)}"']
    if isinstance(error, StepUpRequiredError):
        parts = ['error="insufficient_user_authentication"', f'error_description="{error}"']
        if error.acr_values:
            parts.append(f'acr_values="{" ".join(error.acr_values)}"')
        if error.max_age is not None:
            parts.append(f'max_age="{int(error.max_age.total_seconds())}"')
        return parts
    return []
