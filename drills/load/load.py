"""The load of one run: 64 chains over three servers, some of which sleep, end, or are verified all the time."""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from drills.field.parts import StuckError, until
from drills.field.world import World
from drills.load.answers import Kind, Ledger
from drills.load.chain import DEBOUNCE_SECONDS, Chain, Life
from drills.load.client import Client
from tests.support.dpop import DpopClient

CHAINS: Final = 64
SLEEPERS: Final = 10
"""Chains that rest before the fault and after it, so that nothing but the stores remembers what they had."""
VERIFIED: Final = 12
_SESSIONS_A_USER: Final = 4
_VERIFY_EVERY: Final = 0.3
_CREATED_AT_A_TIME: Final = 8


class Load:
    """The chains, and the tasks that move them."""

    def __init__(self, world: World, rng: random.Random, *, chains: int = CHAINS) -> None:
        """Describes it.

        Args:
            world: Where.
            rng: Decides everything that is left open.
            chains: How many sessions.
        """
        self.client = Client(world)
        self.ledger = Ledger()
        self._rng = rng
        self._size = chains
        self.chains: list[Chain] = []
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def living(self) -> list[Chain]:
        """Chains whose sessions should live."""
        return [chain for chain in self.chains if chain.life is Life.LIVING]

    @property
    def awake(self) -> list[Chain]:
        """Living chains that go on all the time."""
        return [chain for chain in self.living if not chain.is_asleep]

    @property
    def sleeping(self) -> list[Chain]:
        """Living chains that rest."""
        return [chain for chain in self.living if chain.is_asleep]

    @property
    def ended(self) -> list[Chain]:
        """Chains whose sessions were ended."""
        return [chain for chain in self.chains if chain.life in {Life.ENDING, Life.ENDED}]

    async def start(self, *, on_created: Callable[[], Awaitable[None]]) -> None:
        """Creates the sessions, and lets them go.

        Args:
            on_created: Awaited when every session has been created, and none has rotated.
        """
        await self.client.authenticate()
        await self.sign_in(self._size)
        await on_created()
        # The first refresh of a session always rotates: from now on each sleeper has a token that was replaced.
        sleepers = self.chains[: min(SLEEPERS, self._size // 3)]
        for chain in sleepers:
            chain.is_asleep = True
        results = await asyncio.gather(*(chain.refresh(give_up=10) for chain in sleepers))
        if not all(results):
            raise StuckError(f"sessions can't be refreshed before anything is broken: {self.ledger.forbidden}")
        for number, chain in enumerate(self.chains[-self._size :]):
            if not chain.is_asleep:
                # Some at once, so that what they held is stale when something breaks; the others whenever it comes.
                self._go_on(chain.rotate_until(self._stop, within=0.3 if number % 3 == 0 else DEBOUNCE_SECONDS))
            if number % (self._size // min(VERIFIED, self._size)) == 0:
                self._go_on(chain.verify_until(self._stop, _VERIFY_EVERY))

    async def sign_in(self, count: int) -> list[Chain]:
        """Creates more sessions, of new users."""
        turn = asyncio.Semaphore(_CREATED_AT_A_TIME)
        created: list[Chain] = []

        async def of_one_user(sessions: int) -> None:
            async with turn:
                created.extend(await self._sign_in(sessions))

        whole, rest = divmod(count, _SESSIONS_A_USER)
        async with asyncio.TaskGroup() as group:
            for sessions in (*[_SESSIONS_A_USER] * whole, *([rest] if rest else [])):
                group.create_task(of_one_user(sessions))
        self.chains.extend(created)
        return created

    def keep_going(self, chains: list[Chain]) -> None:
        """Lets chains that were added rotate, too."""
        for chain in chains:
            self._go_on(chain.rotate_until(self._stop, within=DEBOUNCE_SECONDS))

    def end_some(self, count: int) -> None:
        """Ends some sessions, in the background."""
        for chain in self._rng.sample(self.awake, min(count, len(self.awake))):
            chain.life = Life.ENDING
            self._go_on(chain.end())

    async def calm(self, *, after: float, quiet: float, limit: float) -> float:
        """Waits until nothing is repeated any more.

        Args:
            after: When everything was whole again; monotonic seconds.
            quiet: For so long no call may have failed, and each server must have answered meanwhile.
            limit: Longest wait; who hits it is told by `ledger.last_bad`.

        Returns:
            Seconds from `after` to the last call that was to be repeated.
        """
        while time.monotonic() - after < limit:
            since = time.monotonic() - max(self.ledger.last_bad, after)
            if since > quiet and len(self.ledger.good_since) == self.client.servers:
                break
            await asyncio.sleep(0.05)
        return max(0.0, self.ledger.last_bad - after)

    async def finish(self, *, seconds: float) -> None:
        """Stops; calls under way are finished, so that every client knows what it holds.

        Args:
            seconds: Longest wait; what is still repeated then is given up.
        """
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Gives everything up."""
        await self.finish(seconds=0)
        await self.client.close()

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.ledger.forbid(f"the harness itself failed: {error!r}")

    async def _sign_in(self, sessions: int) -> list[Chain]:
        """Some sessions of a new user."""
        chains: list[Chain] = []
        user = ""

        async def has_user() -> bool:
            nonlocal user
            answer = await self.client.create_user(self._server(), f"u{secrets.token_hex(8)}")
            user = answer.response.user.name if answer.kind is Kind.OK else ""
            return bool(user)

        async def has_session() -> bool:
            # The last one of each user is bound.
            key = DpopClient() if len(chains) == _SESSIONS_A_USER - 1 else None
            proof = key.proof(now=int(time.time())) if key else None
            answer = await self.client.create_session(self._server(), user, proof)
            if answer.kind is Kind.OK:
                chains.append(Chain(self.client, self.ledger, self._rng, answer, key))
            return answer.kind is Kind.OK

        await until("a user", has_user)
        for _ in range(sessions):
            await until("a session", has_session)
        return chains

    def _server(self) -> int:
        return self._rng.randrange(self.client.servers)
