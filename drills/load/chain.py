"""One session and its client: a chain of refresh tokens, each the successor of the one before."""

import asyncio
import random
import secrets
import time
from enum import StrEnum
from typing import Final

from argus.v1 import types_pb2 as types
from drills.field.world import DEADLINE_SECONDS, GRACE_SECONDS
from drills.load.answers import RETRIED, Answer, Kind, Ledger
from drills.load.client import Client
from drills.load.tokens import RefreshToken
from tests.support.dpop import DpopClient

DEBOUNCE_SECONDS: Final = GRACE_SECONDS + DEADLINE_SECONDS
"""A token younger than that is answered with itself (rotation.md: D)."""
_RECORD_TICK: Final = 1.0  # records count whole seconds
_SOONEST, _LATEST = DEBOUNCE_SECONDS + _RECORD_TICK * 0.2, DEBOUNCE_SECONDS + _RECORD_TICK * 1.2
_NO_CONNECTION_PAUSE: Final = 0.15
_CACHE_SECONDS: Final = 0.5
"""How long a cached answer may be behind an end (promise 3)."""


class Life(StrEnum):
    """How a chain stands."""

    LIVING = "living"
    STEP_UP = "step-up"
    """An answer was lost, and asked for again after the grace: its owner has to prove themselves."""
    ENDING = "ending"
    ENDED = "ended"


class Chain:
    """A session as its honest holder sees it."""

    def __init__(
        self, client: Client, ledger: Ledger, rng: random.Random, created: Answer, key: DpopClient | None = None
    ) -> None:
        """Takes the tokens of a session that was created.

        Args:
            client: Calls the servers.
            ledger: Where every answer is written down.
            rng: Decides when, and where.
            created: The answer that brought the session.
            key: What the session is bound to; None: nothing.
        """
        self._key = key
        self._client = client
        self._ledger = ledger
        self._rng = rng
        self._busy = asyncio.Lock()
        self.session: str = created.response.session.name
        self.access: str = created.response.tokens.access_token
        self.held = RefreshToken.read(created.response.tokens.refresh_token, got=created.ended)
        self.replaced: list[tuple[RefreshToken, float]] = []
        """Tokens that this chain held before, and when each was replaced."""
        self.life = Life.LIVING
        self.is_asleep = False
        self.ended_at: float | None = None

    @property
    def session_id(self) -> str:
        """Id of the session."""
        return self.held.session_id

    @property
    def is_bound(self) -> bool:
        """Whether its tokens are good with a proof only."""
        return self._key is not None

    def proof(self, access_token: str = "") -> types.Proof | None:
        """A proof for one call; None: the session is not bound."""
        return self._key.proof(now=int(time.time()), access_token=access_token) if self._key else None

    async def rotate_until(self, stop: asyncio.Event, *, within: float) -> None:
        """Refreshes again and again; a refresh under way is finished.

        Args:
            stop: Set at the end.
            within: Seconds in which it begins.
        """
        await self._pause(stop, self._rng.uniform(0, within))
        while not stop.is_set() and self.life in {Life.LIVING, Life.ENDING}:
            if not self.is_asleep:
                await self.refresh(give_up=None)
            await self._pause(stop, self._rng.uniform(_SOONEST, _LATEST))

    async def verify_until(self, stop: asyncio.Event, every: float) -> None:
        """Has its access token verified all the time."""
        while not stop.is_set() and self.life is not Life.STEP_UP:
            server = self._rng.randrange(self._client.servers)
            answer = await self._client.verify(server, self.access, self.proof(self.access))
            self._ledger.add(answer)
            if answer.kind is Kind.REFUSED:
                self._refused(answer, first_try=None)
            elif answer.kind is Kind.OK:
                self._check_not_ended(answer, late=_CACHE_SECONDS)
            if self.life is Life.ENDED and answer.kind is Kind.REFUSED:
                return
            await self._pause(stop, self._rng.uniform(0.5, 1.5) * every)

    async def refresh(self, *, give_up: float | None) -> bool:
        """Refreshes like an honest client: until there is an answer, with the same token and attempt.

        Args:
            give_up: Seconds after which it counts as failed; None: never.

        Returns:
            Whether the answer was a yes.
        """
        async with self._busy:
            attempt, server = secrets.token_hex(8), self._rng.randrange(self._client.servers)
            began, first_try = time.monotonic(), None
            while give_up is None or time.monotonic() - began < give_up:
                # A proof is good for one call, so each try has its own.
                answer = await self._client.refresh(server, self.held.text, attempt, self.proof())
                self._ledger.add(answer)
                if answer.kind is Kind.OK:
                    self._take(answer)
                    return True
                if answer.kind not in RETRIED:
                    self._refused(answer, first_try)
                    return False
                # Any of them may have been decided before it was lost.
                first_try = first_try or answer.began
                server = (server + 1) % self._client.servers
                await asyncio.sleep(self._retry_pause(answer))
            return False

    async def end(self) -> None:
        """Ends the session (its life is ENDING), repeated until a server says ENDED."""
        server = self._rng.randrange(self._client.servers)
        while True:
            answer = await self._client.terminate(server, self.session)
            self._ledger.add(answer)
            if answer.kind is Kind.REFUSED:
                self._ledger.forbid(answer.text)
            if answer.kind is Kind.OK and _state(answer) == "ENDED":
                self.life, self.ended_at = Life.ENDED, answer.ended
                return
            server = (server + 1) % self._client.servers
            await asyncio.sleep(self._retry_pause(answer))

    def _take(self, answer: Answer) -> None:
        """Takes the tokens of a good answer; what it may be is the same token, or the next."""
        self._check_not_ended(answer, late=0.0)
        token = RefreshToken.read(answer.response.tokens.refresh_token, got=answer.ended)
        self.access = answer.response.tokens.access_token
        before = self.held
        is_same_family = (token.session_id, token.family) == (before.session_id, before.family)
        if not is_same_family or token.generation - before.generation not in {0, 1}:
            self._ledger.forbid(f"{before} was answered with {token}")
        if token.generation != before.generation:
            self.replaced.append((before, answer.ended))
            self.held = token
        elif token.token_id != before.token_id:
            self._ledger.forbid(f"{before} has two ids")

    def _refused(self, answer: Answer, first_try: float | None) -> None:
        """Judges an answer that is neither a yes nor to be repeated."""
        if answer.reason == "SESSION_ENDED" and self.life in {Life.ENDING, Life.ENDED}:
            return
        is_late = first_try is not None and answer.ended - first_try > GRACE_SECONDS
        is_excused = is_late and not self.is_bound
        if answer.reason == "STEP_UP_REQUIRED" and is_excused and answer.method == "RefreshToken":
            self.life = Life.STEP_UP
            self._ledger.step_ups += 1
            return
        waited = f", first tried {answer.ended - first_try:.2f} s ago" if first_try else ", first try"
        self._ledger.forbid(
            f"{answer.text} ({self.life}{' bound' if self.is_bound else ''} session, {self.held!r}{waited})",
            answer.ended,
        )

    def _check_not_ended(self, answer: Answer, *, late: float) -> None:
        if self.ended_at is not None and answer.began > self.ended_at + late:
            self._ledger.forbid(f"accepted {answer.began - self.ended_at:.2f} s after ENDED: {answer.text}")

    def _retry_pause(self, answer: Answer) -> float:
        asked = answer.failure.retry_after if answer.failure else None
        return (asked.total_seconds() if asked else _NO_CONNECTION_PAUSE) * self._rng.uniform(0.8, 1.2)

    @staticmethod
    async def _pause(stop: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return


def _state(answer: Answer) -> str:
    return types.TerminationState.Name(answer.response.state).removeprefix("TERMINATION_STATE_")
