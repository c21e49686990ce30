"""Who takes part, and the rounds that they play."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from argus._core import signature_costs
from argus.server.bench.hot import Contender, Hot
from argus.server.bench.private import private_servers
from argus.server.bench.rounds import Entrant, Plan, Turns, play_round
from bench.hot import profile
from bench.hot.goals import (
    ARGUS_CACHED,
    ARGUS_EDDSA,
    ARGUS_GRPCIO,
    ARGUS_RS256,
    ECHO,
    NAIVE_EDDSA,
    NAIVE_RS256,
    Costs,
)
from bench.peers.contender import naive
from bench.peers.echo.contender import echo
from bench.ways import CACHED, FRONT_DOOR, GRPCIO

PROFILED_ROUNDS: Final = 3
# What costs little is called more often, so that a turn is long enough to be measured.
_MORE_OFTEN: Final = 4
_SIGNATURES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be played.

    Attributes:
        plan: A round of a contender that verifies and refreshes.
        rounds: How many rounds.
        has_door: Whether Argus is called through its front door, and beside that in its other ways.
    """

    plan: Plan
    rounds: int
    has_door: bool

    @property
    def plans(self) -> dict[str, Plan]:
        """What each contender does in a round."""
        often = replace(self.plan, verifications=_MORE_OFTEN * self.plan.verifications)
        # What signs refresh tokens makes no difference to a verification, nor do the caches to a refresh.
        refreshes, verifies = replace(self.plan, verifications=0), replace(often, refreshes=False)
        plans = {
            ARGUS_RS256: often if self.has_door else self.plan,
            NAIVE_RS256: self.plan,
            ARGUS_EDDSA: refreshes,
            NAIVE_EDDSA: refreshes,
            ECHO: verifies,
        }
        if self.has_door:
            plans[ARGUS_GRPCIO] = self.plan
            plans[ARGUS_CACHED] = verifies
        return plans

    @property
    def calls(self) -> int:
        """Calls in all."""
        plans = self.plans.values()
        # The empty server is no contender whose time anybody asks for.
        seen = [plan for name, plan in self.plans.items() if name != ECHO]
        profiled = sum(PROFILED_ROUNDS * (one.sessions * (1 + one.refreshes) + one.verifications) for one in seen)
        return self.rounds * sum(one.calls for one in plans) + (profiled if profile.is_there() else 0)


async def play(asked: Asked, tick: Callable[[int], object]) -> tuple[list[Turns], list[Costs], dict[str, Any]]:
    """The turns of each round, what bare signatures cost in it, and what the servers did by perf.

    Args:
        asked: What is to be played.
        tick: Told how many calls were answered since it was told last.
    """
    rounds: list[Turns] = []
    costs: list[Costs] = []
    async with _entrants(asked, tick) as (contenders, entrants):
        for number in range(asked.rounds):
            rounds.append(await play_round(_in_turn(entrants, number)))
            costs.append(await asyncio.to_thread(signature_costs, _SIGNATURES))
        profiles = await _profiles(contenders, entrants) if profile.is_there() else {}
    return rounds, costs, profiles


@asynccontextmanager
async def _entrants(
    asked: Asked, tick: Callable[[int], object]
) -> AsyncIterator[tuple[dict[str, Contender], dict[str, Entrant]]]:
    plans = asked.plans
    ways: dict[str, Mapping[str, Any]] = {ARGUS_RS256: GRPCIO}
    if asked.has_door:
        ways = {ARGUS_RS256: FRONT_DOOR, ARGUS_GRPCIO: GRPCIO, ARGUS_CACHED: CACHED}
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(private_servers(("RS256", "EdDSA"), ways))
        contenders: dict[str, Contender] = {name: as_comes for name, (_, as_comes) in servers.items()}
        contenders[ARGUS_RS256], contenders[ARGUS_EDDSA] = servers[ARGUS_RS256]
        contenders[NAIVE_RS256] = await stack.enter_async_context(naive("RS256"))
        contenders[NAIVE_EDDSA] = await stack.enter_async_context(naive("EdDSA"))
        hots = {name: Hot(contender, tick=tick) for name, contender in contenders.items()}
        hots[ECHO] = await stack.enter_async_context(echo(contenders[ARGUS_RS256], tick=tick))
        yield contenders, {name: Entrant(hot=hots[name], plan=plan) for name, plan in plans.items()}


def _in_turn(entrants: Mapping[str, Entrant], number: int) -> dict[str, Entrant]:
    """Another one comes first in each round."""
    names = list(entrants)
    shift = number % len(names)
    return {name: entrants[name] for name in names[shift:] + names[:shift]}


async def _profiles(contenders: Mapping[str, Contender], entrants: Mapping[str, Entrant]) -> dict[str, Any]:
    """After the rounds, because sampling costs time: what each server does during each kind of call."""
    found: dict[str, Any] = {}
    for name in contenders:
        one, pid, found[name] = entrants[name], contenders[name].processes["server"], {}
        sessions = [await one.hot.begin(one.plan.sessions) for _ in range(PROFILED_ROUNDS)]
        if one.plan.verifications:
            with profile.profiled(pid) as seen:
                await one.hot.verify(sessions[0], PROFILED_ROUNDS * one.plan.verifications, one.plan.refreshing)
            found[name]["verify"] = asdict(seen)
        if one.plan.refreshes:
            with profile.profiled(pid) as seen:
                await one.hot.refresh([session for some in sessions for session in some], one.plan.refreshing)
            found[name]["refresh"] = asdict(seen)
    return found
