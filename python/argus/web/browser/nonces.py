"""Nonces of DPoP proofs (RFC 9449, section 8): a proof that has one was made now, whatever the client's clock says.

A nonce is the number of its two minutes and an HMAC of it: nothing is kept, and every process knows those of others.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

_SECONDS: Final = 120
_TAG: Final = 12


class NonceRequiredError(ArgusError):
    """The proof has no nonce, or an old one: the client makes another one with the nonce that it is told."""

    def __init__(self, nonce: str) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_TOKEN_PROOF_REQUIRED,
            "the proof lacks the nonce of DPoP-Nonce; make a new one with it",
            binding="dpop",
            dpopNonce=nonce,
        )


class Nonces:
    """Makes and knows nonces."""

    def __init__(self, key: bytes, *, now: Now) -> None:
        """Takes what they are made of.

        Args:
            key: The same in every process of an installation.
            now: The time.
        """
        self._key = hmac.new(key, b"dpop nonces", hashlib.sha256).digest()
        self._now = now

    def current(self, tenant_id: str) -> str:
        """The nonce of now; good for two to four minutes."""
        return self._nonce(tenant_id, self._period())

    def check(self, tenant_id: str, proof: str) -> None:
        """Looks for a nonce in a proof. All else of the proof, its signature first of all, is checked elsewhere.

        Raises:
            NonceRequiredError: It has none, or not one of now.
        """
        period, told = self._period(), _nonce_of(proof)
        if not any(hmac.compare_digest(self._nonce(tenant_id, one), told) for one in (period, period - 1)):
            raise NonceRequiredError(self.current(tenant_id))

    def _period(self) -> int:
        return int(self._now().timestamp()) // _SECONDS

    def _nonce(self, tenant_id: str, period: int) -> str:
        text = period.to_bytes(5)
        tag = hmac.new(self._key, text + tenant_id.encode(), hashlib.sha256).digest()[:_TAG]
        return base64.urlsafe_b64encode(text + tag).rstrip(b"=").decode()


def _nonce_of(proof: str) -> str:
    """What the proof says, whoever made it; "" if it says nothing that can be read."""
    payload = proof.split(".")[1] if proof.count(".") == 2 else ""  # noqa: PLR2004 - parts of a JWS
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return ""
    nonce = claims.get("nonce", "") if isinstance(claims, dict) else ""
    return nonce if isinstance(nonce, str) and nonce.isascii() else ""
