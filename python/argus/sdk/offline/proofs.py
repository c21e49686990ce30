"""Proofs of possession (DPoP, RFC 9449; mTLS, RFC 8705): good in themselves, of the token's key, and used once."""

import base64
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from argus._core import check_dpop_proof
from argus.sdk.clock import elapsed
from argus.sdk.errors import ProofRequiredError, VerifierUnavailableError
from argus.sdk.model import Proof

__all__ = ["ProofMemory", "UsedProofs", "check_proof"]

# A proof is good for 60 s from its `iat`, which may be 5 s ahead; as the engine remembers them.
_REMEMBERED: Final = 70.0
_MOST: Final = 100_000


class ProofMemory(Protocol):
    """Remembers which proofs were used. Services with several processes share one, or a proof is good once in each."""

    async def use(self, thumbprint: str, proof_id: str) -> bool:
        """Uses a proof; False: it was used before.

        Args:
            thumbprint: Its key.
            proof_id: Its `jti`: unique among the proofs of the key.

        Raises:
            VerifierUnavailableError: That can't be known now.
        """


class UsedProofs:
    """The proofs that this process has seen; as many as fit, and no more are taken then."""

    def __init__(self, *, most: int = _MOST, now: Callable[[], float] = elapsed) -> None:
        """Remembers nothing yet.

        Args:
            most: How many are remembered at a time.
            now: Seconds by a clock that nothing moves or stops.
        """
        self._most = most
        self._now = now
        self._used: set[tuple[str, str]] = set()
        self._order: deque[tuple[float, tuple[str, str]]] = deque()

    async def use(self, thumbprint: str, proof_id: str) -> bool:
        """Uses a proof; False: it was used before."""
        now = self._now()
        while self._order and self._order[0][0] <= now:
            self._used.discard(self._order.popleft()[1])
        one = (thumbprint, proof_id)
        if one in self._used:
            return False
        if len(self._order) >= self._most:
            wait = timedelta(seconds=self._order[0][0] - now)
            raise VerifierUnavailableError("too many proofs of possession at a time", retry_after=wait)
        self._used.add(one)
        self._order.append((now + _REMEMBERED, one))
        return True


async def check_proof(token: str, bound_to: dict[str, Any] | None, proof: Proof, memory: ProofMemory, now: int) -> None:
    """Refuses a bound token that does not come with a proof of its key, and a proof that was used before.

    A DPoP proof of a token that is not bound is refused (RFC 9449, section 4.3, number 12); a certificate is there
    whatever the token.

    Args:
        token: The access token, whose other checks have passed.
        bound_to: Its `cnf`.
        proof: What came with it.
        memory: Of used proofs.
        now: Seconds since 1970.

    Raises:
        ProofRequiredError: There is no good proof.
        VerifierUnavailableError: Whether it was used before can't be known now.
    """
    if bound_to is None:
        if proof.dpop:
            raise ProofRequiredError("dpop", fault="unbound")
    elif (jkt := bound_to.get("jkt")) is not None:
        await _check_dpop(token, jkt, proof, memory, now)
    elif not proof.certificate_sha256:
        raise ProofRequiredError("mtls", fault="missing")
    elif _encode(proof.certificate_sha256) != bound_to.get("x5t#S256"):
        raise ProofRequiredError("mtls", fault="other_key")


async def _check_dpop(token: str, jkt: str, proof: Proof, memory: ProofMemory, now: int) -> None:
    if not proof.dpop:
        raise ProofRequiredError("dpop", fault="missing")
    try:
        thumbprint, proof_id = check_dpop_proof(
            proof.dpop, method=proof.http_method, uri=proof.http_uri, access_token=token, now=now
        )
    except ValueError as error:
        raise ProofRequiredError("dpop", fault=str(error)) from None
    if thumbprint != jkt:
        raise ProofRequiredError("dpop", fault="other_key")
    # Last: nothing that comes after it could fail and leave a used proof without an answer.
    if not await memory.use(thumbprint, proof_id):
        raise ProofRequiredError("dpop", fault="replayed")


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
