"""The tokens of one session, refreshed by Argus: for whoever holds a refresh token.

What it does about lost answers and restarts is the client's part of docs/concepts/rotation.md: one refresh at a time;
a retry has the `attempt_id` of the attempt before, also after a restart, so that Argus gives the same successor; and
what Argus gave last is kept before anything else is done with it.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import grpc

from argus.sdk.clock import elapsed
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.renewal import Grant, RenewalOverError, RenewingToken, TransientError
from argus.v1 import token_service_pb2, types_pb2
from argus.v1.token_service_pb2_grpc import TokenServiceStub

__all__ = ["SavedSession", "SessionOverError", "SessionTokens"]

log = logging.getLogger(__name__)

# About the session; what begins with CALLER_ is about whoever calls, and says nothing about it.
_OVER: Final = frozenset({"TOKEN_INVALID", "SESSION_ENDED", "STEP_UP_REQUIRED", "TOKEN_PROOF_REQUIRED"})
_DEADLINE: Final = 10.0
_SAVE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSession:
    """What outlives the process. Both are secrets.

    Attributes:
        refresh_token: Present refresh token.
        attempt_id: Of the next refresh, chosen beforehand: the one that is made after a crash is a retry of the one
            whose answer was lost.
    """

    refresh_token: str = field(repr=False)
    attempt_id: str = field(repr=False)

    @classmethod
    def of(cls, refresh_token: str) -> "SavedSession":
        """A refresh token that was not used yet."""
        return cls(refresh_token=refresh_token, attempt_id=secrets.token_urlsafe(16))


class SessionOverError(RenewalOverError):
    """The session gives no further tokens: it has ended, or its user must prove itself again.

    Attributes:
        reason: SESSION_ENDED, TOKEN_INVALID, STEP_UP_REQUIRED (sign in again or step up, then `SessionTokens.adopt`) or
            TOKEN_PROOF_REQUIRED.
        metadata: The reason's variables, such as endReason, acrValues, cause.
    """

    def __init__(self, reason: str, metadata: dict[str, str]) -> None:
        super().__init__(f"the session gives no further tokens: {reason}")
        self.reason = reason
        self.metadata = metadata


class SessionTokens:
    """Access tokens of one session, as a `TokenSource`. Belongs to the event loop that it is first used in.

    A session that nobody asks a token of is not refreshed, and so not kept alive.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        saved: SavedSession,
        *,
        save: Callable[[SavedSession], Awaitable[None]] | None = None,
        on_over: Callable[[SessionOverError], None] | None = None,
        proof: Callable[[], Awaitable[types_pb2.Proof]] | None = None,
        now: Callable[[], float] = elapsed,
    ) -> None:
        """Asks for nothing yet.

        Args:
            channel: To Argus, with the caller's own token on its calls (`client_interceptors(ClientTokens(…))`).
            saved: What was saved last, or `SavedSession.of` a refresh token from a sign-in.
            save: Called with what has to outlive the process, before the token is given to anybody; called again with
                the next use where it fails. None: the session ends with the process.
            on_over: Told once that the session gives no further tokens.
            proof: Makes a proof of possession for a bound session; each one is made anew.
            now: Seconds by a clock that nothing moves or stops.
        """
        self._stub: Any = TokenServiceStub(channel)
        self._saved = saved
        self._save = save
        self._is_saved = True
        self._saving: asyncio.Task[None] | None = None
        self._on_over = on_over
        self._proof = proof
        self._now = now
        self._token = RenewingToken(self._refresh, now=now)

    async def token(self) -> str:
        """An access token that is good for a moment yet.

        Raises:
            RenewalUnavailableError: None is to be had now; the session goes on.
            SessionOverError: There will be none any more.
        """
        token = await self._token.token()
        if not self._is_saved and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._keep(), name="argus.sdk.save")
        return token

    def refused(self, token: str) -> None:
        """Says that a server did not take the token."""
        self._token.refused(token)

    async def adopt(self, tokens: types_pb2.TokenSet, *, asked_at: float | None = None) -> None:
        """Goes on with tokens of a sign-in or a step-up.

        Args:
            tokens: The tokens.
            asked_at: When they were asked for, by `now`; None: at this moment.
        """
        await self._adopt(tokens)
        self._token.give(_grant(tokens), asked_at=self._now() if asked_at is None else asked_at)

    async def close(self) -> None:
        """Gives no further token; waits for a refresh under way, and for what it gave to be saved."""
        await self._token.close()
        if self._saving is not None:
            await asyncio.wait([self._saving])
        if not self._is_saved:
            await self._keep()

    async def _refresh(self) -> Grant:
        request = token_service_pb2.RefreshTokenRequest(
            refresh_token=self._saved.refresh_token, attempt_id=self._saved.attempt_id
        )
        if self._proof is not None:
            request.proof.CopyFrom(await self._proof())
        try:
            answer = await self._stub.RefreshToken(request, timeout=_DEADLINE)
        except grpc.RpcError as error:
            raise self._failure(Told.by(error)) from error
        await self._adopt(answer.tokens)
        return _grant(answer.tokens)

    def _failure(self, told: Told) -> Exception:
        if told.reason not in _OVER:
            return TransientError(f"{told.code.name} {told.reason}".rstrip(), retry_after=told.retry_after)
        over = SessionOverError(told.reason, told.metadata)
        if self._on_over is not None:
            try:
                self._on_over(over)
            except Exception:
                log.exception("on_over failed")
        return over

    async def _adopt(self, tokens: types_pb2.TokenSet) -> None:
        # The same one again: it was not rotated, and its next attempt may have been under way before.
        if tokens.refresh_token and tokens.refresh_token != self._saved.refresh_token:
            self._saved = SavedSession.of(tokens.refresh_token)
            self._is_saved = self._save is None
            if self._save is not None:
                await self._keep()

    async def _keep(self) -> None:
        """Saves; what fails is tried again: the token in memory is the right one whatever the disk says."""
        if self._save is None:
            return
        saved = self._saved
        try:
            async with asyncio.timeout(_SAVE_SECONDS):
                await self._save(saved)
        except Exception:
            log.exception("the refresh token was not saved; it is tried again with the next use")
        else:
            self._is_saved = self._is_saved or saved is self._saved


def _grant(tokens: types_pb2.TokenSet) -> Grant:
    life: timedelta = tokens.expires_in.ToTimedelta()
    return Grant(access_token=tokens.access_token, expires_in=life)
