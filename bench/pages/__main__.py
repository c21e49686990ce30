"""Lists page 1 and page 10 000 of one user's sessions in turn; ends with 1 if the late one costs more."""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar, show_turns
from argus.server.bench.hot import WrongStateError
from argus.server.bench.private import PrivateArgus, private_argus
from argus.server.bench.rounds import Turns, medians
from argus.server.bench.runs import Calls, CallsFailedError, Pace, Turn, run
from argus.v1.session_service_pb2 import ListSessionsRequest, ListSessionsResponse
from bench.command import finish
from bench.pages.filling import Filled, fill
from bench.rows import Row, quiet_row
from bench.turns import plain, used_by_others

_LIST: Final = "/argus.v1.SessionService/ListSessions"
_SIZE: Final = 10
_LARGEST: Final = 100
_MOST_TIMES: Final = 1.5
_WARM_UP: Final = 20
_PACE: Final = Pace(in_flight=1)
FIRST, LATE = "page 1", "the late page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the list: how it is asked for, and the number of its first session."""

    request: bytes
    first: int


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="sessions of the tenant")
    parser.add_argument("--page", type=int, default=10_000, help="number of the late page, of 10 sessions")
    parser.add_argument("--rounds", type=int, default=15, help="how often each page has its turn")
    parser.add_argument("--calls", type=int, default=200, help="calls of a turn")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    if options.page <= 1 or options.sessions < options.page * _SIZE:
        parser.error("the late page must be a later one than the first, and within the tenant's sessions")
    configure_logging(json=False, level="error")
    try:
        rounds = asyncio.run(_play(options))
    except (CallsFailedError, WrongStateError) as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    middle = medians(rounds)
    measured = {
        "sessions_of_the_tenant": options.sessions,
        "page_size": _SIZE,
        "late_page": options.page,
        "medians": plain(middle),
    }

    def show(console: Console) -> None:
        show_turns(console, middle)

    rows = goals(rounds, page=options.page, sessions=options.sessions)
    return finish("pages", rows, measured, as_json=options.json, show=show)


def goals(rounds: Sequence[Turns], *, page: int, sessions: int) -> list[Row]:
    """The rows of the result file.

    Args:
        rounds: The turns of every round.
        page: Number of the late page.
        sessions: Sessions of the tenant.
    """

    def ratio(of: Callable[[Turn], float]) -> float:
        pairs = [(one[FIRST][str(_PACE)], one[LATE][str(_PACE)]) for one in rounds]
        return statistics.median(of(late) / of(first) for first, late in pairs)

    unit = f"page {page:,} over page 1 of one user, {sessions:,} sessions in the tenant"
    return [
        Row.at_most("list_page", ratio(lambda turn: turn.latency_us["p50"]), f"× median time, {unit}", _MOST_TIMES),
        Row.at_most("list_page_cpu", ratio(_cpu), f"× CPU of server and PostgreSQL, {unit}", _MOST_TIMES),
        quiet_row(used_by_others(rounds)),
    ]


def _cpu(turn: Turn) -> float:
    return turn.cpu_us["server"] + turn.cpu_us["postgresql"]


async def _play(options: argparse.Namespace) -> list[Turns]:
    own = options.page * _SIZE
    with calls_bar() as progress:
        filling = progress.add_task("sessions", total=options.sessions)
        calling = progress.add_task("calls", total=2 * options.rounds * (_WARM_UP + options.calls))
        async with private_argus("EdDSA") as (argus,):
            others = options.sessions - own
            filled = await fill(argus, own=own, others=others, tick=lambda done: progress.advance(filling, done))
            pages = {FIRST: Page(request=_request(filled), first=0), LATE: await _late(argus, filled)}
            rounds: list[Turns] = []
            for number in range(options.rounds):
                turns: Turns = {FIRST: {}, LATE: {}}
                for name in sorted(turns, reverse=bool(number % 2)):
                    for count in (_WARM_UP, options.calls):
                        turn = await _call(argus, pages[name], count, lambda done: progress.advance(calling, done))
                        turns[name] = {str(_PACE): turn}
                rounds.append(turns)
    return rounds


def _request(filled: Filled, token: str = "") -> bytes:
    return ListSessionsRequest(parent=filled.parent, page_size=_SIZE, page_token=token).SerializeToString()


async def _late(argus: PrivateArgus, filled: Filled) -> Page:
    """The last page, found as a caller finds it: page by page, in large steps at first."""
    last, number, token = filled.sessions - _SIZE, 0, ""
    while number < last:
        size = _LARGEST if number + _LARGEST <= last else _SIZE
        request = ListSessionsRequest(parent=filled.parent, page_size=size, page_token=token)
        answer = await argus.api.sessions.ListSessions(request)
        number, token = number + size, answer.next_page_token
    return Page(request=_request(filled, token), first=last)


async def _call(argus: PrivateArgus, page: Page, count: int, tick: Callable[[int], object]) -> Turn:
    calls = Calls(
        address=argus.address,
        method=_LIST,
        authorization=await argus.authorization(),
        requests=[page.request],
        count=count,
        connections=1,
    )
    turn, answers = await run(calls, _PACE, argus.processes, tick=tick)
    for answer in answers:
        shown = [one.device.display_name for one in ListSessionsResponse.FromString(answer).sessions]
        if shown != [str(number) for number in range(page.first, page.first + _SIZE)]:
            raise WrongStateError(f"the page that begins with session {page.first} showed {shown}")
    return turn


if __name__ == "__main__":
    sys.exit(main())
