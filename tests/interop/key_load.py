"""Load over several servers while keys change: every token is checked by every server and every offline verifier."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import grpc

from argus.server.api import Failure
from argus.v1 import session_service_pb2 as sessions
from tests.support.people import new_person, reason_of, refresh, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.v1.types_pb2 import TokenSet
    from tests.support.offline_verifiers import OfflineVerifier

GRPC: Final = "grpc"
_WORKERS: Final = 4
_PATIENCE_SECONDS: Final = 60.0
_MUCH: Final = 200
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a verifier said of a token.

    Attributes:
        begun: When it was asked. Seconds of the monotonic clock.
        ended: When it had answered.
        verifier: Its name; servers are "grpc 0", "grpc 1" and so on.
        kid: Key of the token.
        reason: Empty if the token is good, else why not.
    """

    begun: float
    ended: float
    verifier: str
    kid: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """A key was pulled: asked for at `begun`, answered at `ended`."""

    kid: str
    begun: float
    ended: float


@dataclass(slots=True, kw_only=True)
class Record:
    """All that happened."""

    checks: list[Check] = field(default_factory=list)
    failed_calls: list[str] = field(default_factory=list)
    emergencies: list[Emergency] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)

    def keys(self) -> list[str]:
        """Keys of the tokens, in the order of their first use."""
        return list(dict.fromkeys(check.kid for check in self.checks))

    def figures(self) -> Iterator[str]:
        """What was measured, a line a verifier."""
        calls = ", ".join(f"{(one.ended - one.begun) * 1000:.0f}" for one in self.emergencies)
        yield f"{len(self.checks)} checks of tokens of {len(self.keys())} keys; to pull one took {calls} ms"
        for verifier in sorted({check.verifier for check in self.checks}):
            last = zip(self._last(verifier), self.emergencies, strict=True)
            after = ", ".join(f"{(moment - one.begun) * 1000:.0f}" for moment, one in last)
            yield f"{verifier:>16} took it until {after} ms after the call began"

    def last_accepted(self, verifier: str) -> float:
        """Most seconds between the answer that a key was pulled and the beginning of a check that took it."""
        return max(last - one.ended for last, one in zip(self._last(verifier), self.emergencies, strict=True))

    def failures(self, verifier: str, *, recovers_within: float) -> list[Check]:
        """Good tokens that were refused, but for an emergency's own: offline, that a new key is not known yet."""
        return [
            one
            for one in self._of(verifier)
            if one.reason
            and not any(
                (one.kid == e.kid and one.ended > e.begun) or e.begun < one.ended < e.ended + recovers_within
                for e in self.emergencies
            )
        ]

    def _last(self, verifier: str) -> list[float]:
        """By emergency: when the last check began that took the pulled key."""
        checks = self._of(verifier)
        return [
            max((one.begun for one in checks if one.kid == e.kid and not one.reason), default=e.begun)
            for e in self.emergencies
        ]

    def _of(self, verifier: str) -> list[Check]:
        return [one for one in self.checks if one.verifier == verifier]


class KeyLoad:
    """Users whose tokens are refreshed by any server and checked by all, as fast as they answer."""

    def __init__(self, apis: Sequence[Api], offline: Mapping[str, OfflineVerifier]) -> None:
        self.record = Record()
        self.latest = ""
        self._apis = apis
        self._offline = offline
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Goes on during the block."""
        workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]
        try:
            yield
        finally:
            self._stopping = True
            await asyncio.gather(*workers)

    async def uses(self, kid: str) -> None:
        """Waits until tokens of the key are made, and much was done with them."""
        await self.until(lambda: self.latest != "" and kid_of(self.latest) == kid)
        enough = len(self.record.checks) + _MUCH
        await self.until(lambda: len(self.record.checks) >= enough)

    async def lasts(self, seconds: float) -> None:
        """Waits until the load has gone on for so long."""
        end = time.monotonic() + seconds
        await self.until(lambda: self.record.checks[-1].begun >= end)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what the load does."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - what is waited for is many different things
                await asyncio.sleep(0.01)

    async def pull(self, kid: str, revoke: Callable[[], Awaitable[object]]) -> None:
        """Pulls the key that signs; from before on, a token of it is tried by everybody all the time."""
        await self.until(lambda: kid_of(self.latest) == kid)
        self.record.canaries.append(self.latest)
        begun = time.monotonic()
        self.record.emergencies.append(Emergency(kid=kid, begun=begun, ended=float("inf")))
        await revoke()
        self.record.emergencies[-1] = Emergency(kid=kid, begun=begun, ended=time.monotonic())

    async def call(self, call: Callable[[Api], Awaitable[_Answer]]) -> _Answer:
        """Calls any server; a service whose own token is under a pulled key gets another one, as it always does."""
        api = random.choice(self._apis)  # noqa: S311 - load
        while True:
            try:
                return await call(api)
            except grpc.aio.AioRpcError as error:
                if Failure.of(error).reason != "CALLER_TOKEN_INVALID" or not self.record.emergencies:
                    raise
                api._renew_at = None

    async def _work(self) -> None:
        person = await new_person(self._apis[0])
        request = sessions.CreateSessionRequest(parent=person.name)
        tokens = (await self.call(lambda api: api.sessions.CreateSession(request))).tokens
        for count in itertools.count():
            if self._stopping:
                return
            tokens = await self._refreshed(tokens)
            self.latest = tokens.access_token
            await self._check(tokens.access_token)
            if self.record.canaries:
                await self._check(self.record.canaries[count % len(self.record.canaries)])

    async def _refreshed(self, tokens: TokenSet) -> TokenSet:
        try:
            return (await self.call(lambda api: refresh(api, tokens.refresh_token))).tokens
        except grpc.aio.AioRpcError as error:
            self.record.failed_calls.append(f"{error.code().name} {Failure.of(error).reason}")
            return tokens

    async def _check(self, token: str) -> None:
        await asyncio.gather(
            *(self._note(f"{GRPC} {number}", token, self._ask(api, token)) for number, api in enumerate(self._apis)),
            *(self._note(name, token, verifier.check(token)) for name, verifier in self._offline.items()),
        )

    async def _ask(self, api: Api, token: str) -> str:
        while True:
            reason = await reason_of(verify(api, token))
            if reason != "CALLER_TOKEN_INVALID" or not self.record.emergencies:
                return reason
            api._renew_at = None

    async def _note(self, verifier: str, token: str, answer: Awaitable[str]) -> None:
        begun = time.monotonic()
        reason = await answer
        self.record.checks.append(
            Check(begun=begun, ended=time.monotonic(), verifier=verifier, kid=kid_of(token), reason=reason)
        )


def kid_of(token: str) -> str:
    """The key that a token names."""
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])
