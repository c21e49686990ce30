"""Verifies access tokens by the issuer's published keys, and by what its revocation stream tells of ended sessions.

The token is read by the engine's own code, in the extension: what Argus refuses is refused here, with the same class of
fault (docs/concepts/promises.md). What is left to time is told: `Verified.staleness`.
"""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Self

from argus._core import verify_access_token
from argus.sdk.errors import ScopeMissingError, StepUpRequiredError, TokenRefusedError, VerifierUnavailableError
from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import KeySetUnavailableError, KeyUnknownError, RemoteKeySet
from argus.sdk.model import NO_PROOF, NO_REQUIREMENT, Proof, Requirement, Verified
from argus.sdk.offline.proofs import ProofMemory, UsedProofs, check_proof
from argus.sdk.offline.revocations import NO_NEWS, Standing

__all__ = ["OfflineVerifier"]

_KEYS: Final = "/.well-known/jwks.json"
_TENANT: Final = "/t/"
_GOOD, _REFUSED, _KEY_WANTED = 0, 1, 2
# Weakest first; a level is acceptable where it, or a lower one, is asked for.
_LEVELS: Final = {"urn:argus:acr:1": 1, "urn:argus:acr:2": 2, "urn:argus:acr:3": 3}


class OfflineVerifier:
    """Verifies tokens of one issuer for one resource. Belongs to the event loop that it is first used in."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: RemoteKeySet | None = None,
        standing: Standing = NO_NEWS,
        proofs: ProofMemory | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Fetches nothing yet.

        Args:
            issuer: Whose tokens are good: `<base URL>/t/<tenant>`.
            audience: This resource, as its client is registered with Argus; a token that is not for it is refused.
            keys: The issuer's keys; None: fetched below the issuer, over HTTPS alone.
            standing: What is known of ended sessions: a `RevocationFeed`. `NO_NEWS`: nothing, a token of an ended
                session is good until it expires.
            proofs: Remembers used proofs of possession; None: this process by itself.
            now: Seconds since 1970.

        Raises:
            ValueError: The issuer is none of Argus's, or its address is one that is never fetched.
        """
        tenant_id = issuer.rpartition(_TENANT)[2]
        if _TENANT not in issuer or not tenant_id or "/" in tenant_id:
            raise ValueError("the issuer must be <base URL>/t/<tenant>")
        if not audience:
            raise ValueError("the audience must be the resource that tokens are for")
        self._issuer = issuer
        self._tenant_id = tenant_id
        self._audience = audience
        self._keys = keys or RemoteKeySet(issuer + _KEYS, fetcher=Fetcher())
        self._standing = standing
        self._proofs = proofs or UsedProofs()
        self._now = now

    async def __aenter__(self) -> Self:
        """Fetches the keys, so that the first token does not wait; goes on without them while the issuer is away."""
        # The key set has logged why, and the first token asks again.
        with contextlib.suppress(KeySetUnavailableError):
            await self._keys.warm()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends what goes on for it."""
        await self._keys.close()

    async def verify(
        self, token: str, requirement: Requirement = NO_REQUIREMENT, *, proof: Proof = NO_PROOF
    ) -> Verified:
        """What is known of a good token; whatever is not a clear yes is raised.

        Raises:
            TokenRefusedError: It is not good, or its session has ended.
            ProofRequiredError: It is bound to a key, and no good proof of that key came with it.
            StepUpRequiredError: The user must prove itself again, or stronger.
            ScopeMissingError: It is good and lacks a scope.
            VerifierUnavailableError: Whether it is good can't be known now: the keys can't be had, or the news of ended
                sessions are older than the bound and the feed fails closed.
        """
        now = int(self._now())
        kid, claims = await self._read(token, now)
        state_time, staleness = self._standing.check(kid, claims)
        _check_gates(claims, requirement, now)
        await check_proof(token, claims.get("cnf"), proof, self._proofs, now)
        return self._verified(claims, state_time, staleness)

    async def _read(self, token: str, now: int) -> tuple[str, dict[str, Any]]:
        """The name of the token's key, and its claims."""
        kind, content = self._judge(token, None, now)
        if kind != _KEY_WANTED:
            raise TokenRefusedError(fault=content.decode())
        kid = content.decode()
        try:
            key = await self._keys.key(kid)
        except KeyUnknownError:
            raise TokenRefusedError(fault="key") from None
        except KeySetUnavailableError as error:
            raise VerifierUnavailableError(str(error), retry_after=error.retry_after) from error
        kind, content = self._judge(token, key, now)
        if kind != _GOOD:
            raise TokenRefusedError(fault=content.decode())
        claims: dict[str, Any] = json.loads(content)
        return kid, claims

    def _judge(self, token: str, key: Any, now: int) -> tuple[int, bytes]:
        try:
            return verify_access_token(
                token, key, issuer=self._issuer, tenant_id=self._tenant_id, audience=self._audience, now=now
            )
        except UnicodeEncodeError:
            # Half of a surrogate pair: no header can carry it, and no token has it.
            return _REFUSED, b"base64"

    def _verified(self, claims: dict[str, Any], state_time: datetime | None, staleness: Any) -> Verified:
        session_id = claims.get("sid", "")
        audience = claims["aud"]
        return Verified(
            session=f"tenants/{self._tenant_id}/users/{claims['sub']}/sessions/{session_id}" if session_id else "",
            session_id=session_id,
            issuer=self._issuer,
            tenant_id=self._tenant_id,
            subject=claims["sub"],
            client_id=claims["client_id"],
            token_id=claims["jti"],
            audience=(audience,) if isinstance(audience, str) else tuple(audience),
            scopes=frozenset(claims.get("scope", "").split()),
            acr=claims.get("acr", ""),
            amr=tuple(claims.get("amr", ())),
            auth_time=datetime.fromtimestamp(claims["auth_time"], UTC) if session_id else None,
            expire_time=datetime.fromtimestamp(claims["exp"], UTC),
            groups=tuple(claims.get("groups", ())),
            state_time=state_time,
            staleness=staleness,
        )


def _check_gates(claims: dict[str, Any], requirement: Requirement, now: int) -> None:
    """What the call asks of a token that is good: level, age of the proof, scopes; in the engine's order."""
    if requirement.acr_values:
        level = _LEVELS.get(claims.get("acr", ""), 0)
        asked = [_LEVELS[value] for value in requirement.acr_values if value in _LEVELS]
        if not any(one <= level for one in asked):
            raise StepUpRequiredError(acr_values=requirement.acr_values)
    if requirement.max_age is not None:
        proved = claims.get("auth_time") if "sid" in claims else None
        if proved is None or max(0, now - proved) > requirement.max_age.total_seconds():
            raise StepUpRequiredError(max_age=requirement.max_age)
    if not set(claims.get("scope", "").split()).issuperset(requirement.scopes):
        raise ScopeMissingError(requirement.scopes)
