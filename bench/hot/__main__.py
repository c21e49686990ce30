"""Verifies and refreshes on Argus and on a naive server in turn; ends with 1 if a goal was missed."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console

from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar, show_turns
from argus.server.bench.hot import Contender, Hot, WrongStateError
from argus.server.bench.private import private_argus
from argus.server.bench.rounds import Entrant, Plan, Turns, medians, play_round
from argus.server.bench.runs import CallsFailedError
from bench.hot import profile
from bench.hot.goals import ARGUS_EDDSA, ARGUS_RS256, KEYS, NAIVE_EDDSA, NAIVE_RS256, goals
from bench.peers.contender import naive
from bench.rows import rows_table, write_results

_PROFILED_ROUNDS: Final = 3


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.hot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often every server has its turn")
    parser.add_argument("--calls", type=int, default=2000, help="verifications of a turn")
    parser.add_argument("--sessions", type=int, default=200, help="refreshes of a turn, each of a session of its own")
    parser.add_argument("--in-flight", type=int, default=32, help="calls at a time in the closed loop")
    parser.add_argument("--rate", type=float, default=100, help="verifications a second in the open loop")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    try:
        rounds, profiles = asyncio.run(_play(options))
    except (CallsFailedError, WrongStateError) as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    middle = medians(rounds)
    rows = goals(rounds)
    path = write_results("hot", rows, _measured(options, rounds, middle, profiles))
    if options.json:
        sys.stdout.write(path.read_text(encoding="utf-8"))
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
        show_turns(console, middle)
        console.print(KEYS)
        console.print(rows_table(rows))
        console.print(f"written to {path}")
    return 1 if any(row.met is False for row in rows) else 0


async def _play(options: argparse.Namespace) -> tuple[list[Turns], dict[str, Any]]:
    whole = Plan(sessions=options.sessions, verifications=options.calls, in_flight=options.in_flight, rate=options.rate)
    # What signs refresh tokens makes no difference to a verification.
    refreshes = Plan(sessions=options.sessions, verifications=0, in_flight=options.in_flight)
    plans = {ARGUS_RS256: whole, NAIVE_RS256: whole, ARGUS_EDDSA: refreshes, NAIVE_EDDSA: refreshes}
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(calls_bar())
        task = progress.add_task("calls", total=_total(plans, options.rounds))
        contenders: dict[str, Contender] = {}
        tenants = await stack.enter_async_context(private_argus("RS256", "EdDSA"))
        contenders[ARGUS_RS256], contenders[ARGUS_EDDSA] = tenants
        contenders[NAIVE_RS256] = await stack.enter_async_context(naive("RS256"))
        contenders[NAIVE_EDDSA] = await stack.enter_async_context(naive("EdDSA"))
        entrants = {
            name: Entrant(hot=Hot(contenders[name], tick=lambda done: progress.advance(task, done)), plan=plan)
            for name, plan in plans.items()
        }
        rounds = [await play_round(_in_turn(entrants, number)) for number in range(options.rounds)]
        profiles = await _profiles(contenders, entrants) if profile.is_there() else {}
    return rounds, profiles


def _total(plans: Mapping[str, Plan], rounds: int) -> int:
    profiled = _PROFILED_ROUNDS * sum(2 * plan.sessions + plan.verifications for plan in plans.values())
    return rounds * sum(plan.calls for plan in plans.values()) + (profiled if profile.is_there() else 0)


def _in_turn(entrants: Mapping[str, Entrant], number: int) -> dict[str, Entrant]:
    """Another one comes first in each round."""
    names = list(entrants)
    shift = number % len(names)
    return {name: entrants[name] for name in names[shift:] + names[:shift]}


async def _profiles(contenders: Mapping[str, Contender], entrants: Mapping[str, Entrant]) -> dict[str, Any]:
    """After the rounds, because sampling costs time: what each server does during each kind of call."""
    found: dict[str, Any] = {}
    for name, one in entrants.items():
        pid, found[name] = contenders[name].processes["server"], {}
        sessions = [await one.hot.begin(one.plan.sessions) for _ in range(_PROFILED_ROUNDS)]
        if one.plan.verifications:
            with profile.profiled(pid) as seen:
                await one.hot.verify(sessions[0], _PROFILED_ROUNDS * one.plan.verifications, one.plan.refreshing)
            found[name]["verify"] = asdict(seen)
        with profile.profiled(pid) as seen:
            await one.hot.refresh([session for some in sessions for session in some], one.plan.refreshing)
        found[name]["refresh"] = asdict(seen)
    return found


def _measured(
    options: argparse.Namespace, rounds: Sequence[Turns], middle: Turns, profiles: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "keys": KEYS,
        "in_flight": options.in_flight,
        "medians": _plain(middle),
        "server_cpu_us_by_round": {
            name: {what: [one[name][what].cpu_us["server"] for one in rounds] for what in turns}
            for name, turns in middle.items()
        },
        "profile_percent": profiles,
    }


def _plain(turns: Turns) -> dict[str, Any]:
    return {name: {what: asdict(turn) for what, turn in done.items()} for name, done in turns.items()}


if __name__ == "__main__":
    sys.exit(main())
