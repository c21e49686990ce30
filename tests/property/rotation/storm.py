"""One refresh token, presented by many at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from tests.support.people import Person, context
from tests.support.presented import RefreshToken

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.pair import Pair

PARALLEL: Final = 64
PAST_DEBOUNCE: Final = 41
"""Seconds after which the newest token rotates again: grace 30, deadline 10, and one."""


@dataclass(slots=True)
class Storm:
    """Rounds of parallel refreshes.

    Attributes:
        jars: Where the answers go: one jar for all, or one for each.
        counts: What happened how often.
    """

    pair: Pair
    apis: tuple[Api, Api]
    person: Person
    random: random.Random
    has_one_jar: bool
    counts: Counter[str] = field(default_factory=Counter)
    jars: list[str] = field(default_factory=list)
    newest: RefreshToken | None = None

    async def begin(self) -> None:
        """A fresh session, whose token is in every jar."""
        request = sessions.CreateSessionRequest(parent=self.person.name)
        made = (await self.apis[0].sessions.CreateSession(request)).tokens.refresh_token
        self.jars = [made] * (1 if self.has_one_jar else PARALLEL)
        self.newest = RefreshToken.read(made)
        self.counts["sessions"] += 1

    async def round(self) -> None:
        """All present at once what their jars hold: one new token, the same for all."""
        assert self.newest is not None
        answers = await self._present([self.jars[number % len(self.jars)] for number in range(PARALLEL)])
        distinct = {one.jti: one for one in answers}
        assert len(distinct) == 1, f"{len(distinct)} tokens for one"
        made = next(iter(distinct.values()))
        assert made.place == (self.newest.family, self.newest.generation + 1)
        await self._deliver(answers)
        self.newest = made
        self.counts["rounds"] += 1
        self.counts["distinct tokens"] += len(distinct)

    async def refresh_once(self) -> None:
        """The next refresh of every jar, the debounce being over: they are all still in, and still of one mind."""
        await self.pair.advance(PAST_DEBOUNCE)
        await self.round()
        self.counts["next refreshes"] += 1

    async def finish(self) -> None:
        """The session lives, in one chain: its newest generation in Redis, and the same in PostgreSQL."""
        assert self.newest is not None
        await self.pair.flush()
        argus = self.pair.all_argus[0]
        session_id = self.newest.session_id
        row = await argus.db.fetch_one(
            "SELECT state, family, generation_bound AS bound FROM sessions WHERE session_id = %s", (session_id,)
        )
        assert row == {"state": "active", "family": self.newest.family, "bound": self.newest.generation}
        await self.apis[0].sessions.TerminateSession(
            sessions.TerminateSessionRequest(name=f"{self.person.name}/sessions/{session_id}")
        )

    async def _present(self, presented: Sequence[str]) -> list[RefreshToken]:
        answers: list[RefreshToken] = []

        async def one(number: int, token: str) -> None:
            request = tokens.RefreshTokenRequest(refresh_token=token, client_context=context())
            self.counts["calls"] += 1

            async def call() -> None:
                answer = await self.apis[number % 2].tokens.RefreshToken(request)
                answers.append(RefreshToken.read(answer.tokens.refresh_token))

            failure = await failure_of(call())
            assert failure is None, failure

        for api in self.apis:
            await api.token()  # else each of the calls would fetch one
        await asyncio.gather(*(one(number, token) for number, token in enumerate(presented)))
        assert len(answers) == len(presented)
        return answers

    async def _deliver(self, answers: Sequence[RefreshToken]) -> None:
        """Lays the answers into the jars in any order; an answer that brings the presented token sets no cookie."""
        arriving = list(answers)
        self.random.shuffle(arriving)
        for number, one in enumerate(arriving):
            self.jars[number % len(self.jars)] = one.text
