"""What is measured of each peer."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import httpx

from argus.base.cpu import cpu_seconds, machine_cpu_seconds
from bench.peers.web import Peer, Tokens, WrongAnswerError, together

ISSUE, REFRESH, CHECK = "issue", "refresh", "check"
USES: Final = 8
_KILLED_AFTER: Final = (1, 8, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is measured.

    Attributes:
        rounds: Turns of each kind of call; the medians count.
        calls: Calls of a turn.
        warm_up: Calls of each kind before: servers that compile as they run need many.
        in_flight: Calls at a time.
        reuses: How often one refresh token is used eight times at once.
        sessions: Sessions that are refreshed while the server is killed, each of the three times.
    """

    rounds: int
    calls: int
    warm_up: int
    in_flight: int
    reuses: int
    sessions: int

    @property
    def all_calls(self) -> int:
        """Calls of the turns, those included that do not count."""
        return 3 * (self.rounds * self.calls + self.warm_up)


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found.

    Attributes:
        cpu_us: CPU time a call, by kind of call and by process.
        accepted: Of eight uses of one refresh token at once, how many were answered with tokens; of each time.
        live: How many of those tokens could then be refreshed; of each time.
        asked: Sessions that were refreshed while the server was killed.
        unanswered: Those of them whose client got no answer.
        lost: Those of them that could not go on afterwards with the newest token that their client has.
        others: Share of the machine that went to others, in each turn.
    """

    cpu_us: dict[str, dict[str, float]] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    asked: int = 0
    unanswered: int = 0
    lost: int = 0
    others: list[float] = field(default_factory=list)


async def measure(peer: Peer, amount: Amount, tick: Callable[[int], object]) -> Found:
    """CPU time of each kind of call, then what becomes of tokens that are used twice, and of a server that is killed.

    Args:
        peer: A server that nobody else uses.
        amount: How much.
        tick: Told how many calls were answered since it was told last.
    """
    found = Found()
    await _turn(peer, amount.warm_up, amount.in_flight, tick)
    turns = []
    for _ in range(amount.rounds):
        used = _Machine(peer)
        turns.append(await _turn(peer, amount.calls, amount.in_flight, tick))
        found.others.append(used.by_others())
    for kind in (ISSUE, REFRESH, CHECK):
        names = turns[0][kind]
        found.cpu_us[kind] = {name: round(statistics.median(turn[kind][name] for turn in turns), 1) for name in names}
    for _ in range(amount.reuses):
        accepted, live = await _use_at_once(peer)
        found.accepted.append(accepted)
        found.live.append(live)
    for answers in _KILLED_AFTER:
        await _kill_mid_rotation(peer, amount.sessions, answers, found)
    return found


async def _turn(peer: Peer, count: int, in_flight: int, tick: Callable[[int], object]) -> dict[str, dict[str, float]]:
    """Begins sessions, refreshes each once, checks each once; CPU µs a call of each."""
    web, spent = peer.web, {}
    forms = await peer.sign_ins(count)
    begun: list[Tokens] = []

    async def counted(kind: str, works: Sequence[Callable[[], Any]]) -> list[Any]:
        before = _cpu(peer)
        done = await together(works, in_flight=in_flight)
        spent[kind] = {name: 1e6 * (seconds - before[name]) / count for name, seconds in _cpu(peer).items()}
        tick(count)
        return done

    begun = await counted(ISSUE, [partial(web.issue, form) for form in forms])
    renewed = await counted(REFRESH, [partial(web.refresh, one) for one in begun])
    if None in renewed or {one.refresh for one in renewed} & {one.refresh for one in begun}:
        raise WrongAnswerError("a refresh did not rotate")
    if not all(await counted(CHECK, [partial(web.is_good, one) for one in renewed])):
        raise WrongAnswerError("a good token was said to be none")
    return spent


def _cpu(peer: Peer) -> Mapping[str, float]:
    processes = {"server": peer.web.pid, **peer.stores}
    return {name: cpu_seconds(pid) for name, pid in processes.items()}


async def _use_at_once(peer: Peer) -> tuple[int, int]:
    """How many of eight uses of one refresh token were accepted, and how many of their tokens go on."""
    (form,) = await peer.sign_ins(1)
    tokens = await peer.web.issue(form)
    answers = await asyncio.gather(*(peer.web.refresh(tokens) for _ in range(USES)))
    accepted = [one for one in answers if one is not None]
    following = [await peer.web.refresh(one) for one in accepted]
    return len(accepted), sum(one is not None for one in following)


async def _kill_mid_rotation(peer: Peer, sessions: int, answers: int, found: Found) -> None:
    """Kills the server after so many answers, starts it again, and lets every client go on with what it has."""
    web = peer.web
    begun = await together([partial(web.issue, form) for form in await peer.sign_ins(sessions)], in_flight=8)
    asking = [asyncio.create_task(_refresh_or_nothing(peer, one)) for one in begun]
    for _, one in zip(range(answers), asyncio.as_completed(asking), strict=False):
        await one
    web.kill()
    answered = await asyncio.gather(*asking)
    await web.start()
    newest = [answer or before for answer, before in zip(answered, begun, strict=True)]
    going = [await web.refresh(one) for one in newest]
    found.asked += sessions
    found.unanswered += sum(answer is None for answer in answered)
    found.lost += sum(one is None for one in going)


async def _refresh_or_nothing(peer: Peer, tokens: Tokens) -> Tokens | None:
    try:
        return await peer.web.refresh(tokens)
    except httpx.TransportError:
        return None


class _Machine:
    """Looks at who uses the machine from now on."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._begun = time.perf_counter()
        self._spent = self._elsewhere()

    def by_others(self) -> float:
        """Share of it that went to processes that have nothing to do with the peer."""
        took = (time.perf_counter() - self._begun) * (os.cpu_count() or 1)
        return round(max(0.0, self._elsewhere() - self._spent) / took, 3)

    def _elsewhere(self) -> float:
        return machine_cpu_seconds() - sum(_cpu(self._peer).values()) - time.process_time()
