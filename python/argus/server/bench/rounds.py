"""Rounds in which contenders take turns, so that whatever else the machine does falls on all alike."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from argus.server.bench.hot import Begun, Hot
from argus.server.bench.runs import Pace, Turn

VERIFY, REFRESH = "verify", "refresh"
_WARM_UP: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one round does to each contender.

    Attributes:
        sessions: New sessions; each is refreshed once, so that every refresh rotates.
        verifications: Verifications in the closed loop; 0: the contender is only refreshed.
        in_flight: Calls at a time in the closed loop.
        rate: Verifications a second in the open loop; None: without it.
        refreshes: Whether the sessions are refreshed.
    """

    sessions: int = 200
    verifications: int = 2000
    in_flight: int = 32
    rate: float | None = None
    refreshes: bool = True

    @property
    def calls(self) -> int:
        """Calls of a round, those included that are not counted."""
        measured = self.sessions * self.refreshes + sum(count for count, _ in self.verifying)
        return measured + self.sessions + self.warming * (self.refreshes + len(self.verifying))

    @property
    def warming(self) -> int:
        """Calls before each turn that do not count: every session comes up."""
        return max(_WARM_UP, self.sessions)

    @property
    def verifying(self) -> Sequence[tuple[int, Pace]]:
        """How many verifications at which pace, one after the other."""
        if not self.verifications:
            return ()
        paces = [(self.verifications, self.refreshing), (max(1, self.verifications // 10), Pace(in_flight=1))]
        if self.rate is not None:
            paces.append((max(1, self.verifications // 2), Pace(rate=self.rate)))
        return paces

    @property
    def refreshing(self) -> Pace:
        """The pace of refreshes."""
        return Pace(in_flight=self.in_flight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A contender, and what it is to do."""

    hot: Hot
    plan: Plan


Turns = dict[str, dict[str, Turn]]
"""Turns by the contender's name and by what was done."""


async def play_round(entrants: Mapping[str, Entrant]) -> Turns:
    """Every contender does each thing before the next thing comes.

    Args:
        entrants: By name, in the order of their turns.
    """
    sessions = {name: await one.hot.begin(one.plan.sessions) for name, one in entrants.items()}
    turns: Turns = {name: {} for name in entrants}
    for place in range(max(len(one.plan.verifying) for one in entrants.values())):
        for name, one in entrants.items():
            if place < len(one.plan.verifying):
                count, pace = one.plan.verifying[place]
                await _warm(one, sessions[name])
                turns[name][f"{VERIFY}, {pace}"] = await one.hot.verify(sessions[name], count, pace)
    for name, one in entrants.items():
        if not one.plan.refreshes:
            continue
        await _warm(one, sessions[name])
        turns[name][f"{REFRESH}, {one.plan.refreshing}"] = await _refresh(one, sessions[name])
    return turns


async def _warm(entrant: Entrant, sessions: Sequence[Begun]) -> None:
    """Calls that nobody counts: a server that has slept while others had their turn pays for cold caches."""
    await entrant.hot.verify(sessions, entrant.plan.warming, entrant.plan.refreshing)


async def _refresh(entrant: Entrant, sessions: Sequence[Begun]) -> Turn:
    turn, _ = await entrant.hot.refresh(sessions, entrant.plan.refreshing)
    return turn


def medians(rounds: Sequence[Turns]) -> Turns:
    """Of each number the median of the rounds; of `calls` the sum."""
    return {
        name: {what: _median([one[name][what] for one in rounds]) for what in turns}
        for name, turns in rounds[0].items()
    }


def _median(turns: Sequence[Turn]) -> Turn:
    first = turns[0]
    return Turn(
        calls=sum(one.calls for one in turns),
        seconds=statistics.median(one.seconds for one in turns),
        calls_per_second=round(statistics.median(one.calls_per_second for one in turns), 1),
        latency_us={key: statistics.median(one.latency_us[key] for one in turns) for key in first.latency_us},
        lateness_us={key: statistics.median(one.lateness_us[key] for one in turns) for key in first.lateness_us},
        cpu_us={key: round(statistics.median(one.cpu_us[key] for one in turns), 2) for key in first.cpu_us},
        others=statistics.median(one.others for one in turns),
    )
