"""Begins sessions by RPC, many at a time, in turn with plain inserts one by one; ends with 1 if a goal was missed."""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from os import cpu_count
from typing import Any, Final

import psycopg
from rich.console import Console

from argus._core import signature_costs
from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar
from argus.server.bench.private import PrivateArgus, private_argus
from argus.server.bench.runs import Calls, CallsFailedError, Pace, Turn, run
from argus.v1.session_service_pb2 import CreateSessionRequest, CreateSessionResponse
from bench.create.inserts import Inserted, Inserts
from bench.rows import Row, rows_table, write_results

_METHOD: Final = "/argus.v1.SessionService/CreateSession"
_KEYS: Final = "access tokens: RS256 with RSA-2048; refresh tokens: EdDSA with Ed25519"
_PER_USER: Final = 5
_ALONE: Final = 100
_WARM_UP: Final = 200
_SIGNATURES: Final = 100
_LEAST: Final = 15
_MOST_OTHERS: Final = 0.1
_DURABLE: Final = """
    SELECT (SELECT count(*) FROM sessions WHERE session_id = ANY(%(ids)s)) AS sessions,
           (SELECT count(*) FROM audit_events WHERE session_id = ANY(%(ids)s) AND type = 'session.created') AS events"""
# The transaction that wrote a row is its xmin, until somebody changes the row.
_COMMITS: Final = "SELECT count(DISTINCT xmin::text) FROM sessions WHERE session_id = ANY(%s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One turn of everybody.

    Attributes:
        single: Rows inserted one by one.
        group: Rows inserted 256 with each commit.
        created: Sessions begun, many at a time.
        commits: Commits that made those sessions durable.
        alone: Sessions begun one after the other, each with a commit of its own.
        signatures_seconds: CPU time of the bare signatures of one session's tokens.
    """

    single: Inserted
    group: Inserted
    created: Turn
    commits: int
    alone: Turn
    signatures_seconds: float


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.create", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everybody has its turn")
    parser.add_argument("--creations", type=int, default=3000, help="sessions begun in a turn, many at a time")
    parser.add_argument("--in-flight", type=int, default=256, help="calls at a time")
    parser.add_argument("--inserts", type=int, default=1000, help="rows inserted one by one in a turn")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    try:
        rounds, measured = asyncio.run(_play(options))
    except CallsFailedError as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    rows = _rows(rounds)
    path = write_results("create", rows, measured | {"rounds": [asdict(one) for one in rounds]})
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(rows_table(rows))
    console.print(f"written to {path}")
    return 1 if any(row.met is False for row in rows) else 0


async def _play(options: argparse.Namespace) -> tuple[list[Round], dict[str, Any]]:
    begun = options.creations + _ALONE
    with calls_bar() as progress:
        task = progress.add_task("calls", total=options.rounds * begun + _WARM_UP)
        async with private_argus("EdDSA") as (argus,):
            users = await argus.users(-(-(options.rounds * begun + _WARM_UP) // _PER_USER))
            inserts = Inserts(argus.urls.database, argus.processes["postgresql"])
            creations = Creations(argus, users, lambda done: progress.advance(task, done))
            await creations.begin(_WARM_UP, options.in_flight)
            rounds = [await _round(options, inserts, creations) for _ in range(options.rounds)]
            measured = {"keys": _KEYS, "in_flight": options.in_flight, "postgresql": inserts.settings()}
            inserts.close()
    return rounds, measured


async def _round(options: argparse.Namespace, inserts: Inserts, creations: "Creations") -> Round:
    single = await asyncio.to_thread(inserts.one_by_one, options.inserts)
    created, commits = await creations.begin(options.creations, options.in_flight)
    group = await asyncio.to_thread(inserts.together, 10 * options.inserts)
    alone, _ = await creations.begin(_ALONE, 1)
    costs = await asyncio.to_thread(signature_costs, _SIGNATURES)
    return Round(
        single=single,
        group=group,
        created=created,
        commits=commits,
        alone=alone,
        signatures_seconds=costs["RSA-2048 sign"] + costs["Ed25519 sign"],
    )


class Creations:
    """Begins sessions of many users, each a few; what was answered OK must be there."""

    def __init__(self, argus: PrivateArgus, users: Sequence[str], tick: Callable[[int], object]) -> None:
        """Takes the users in turn.

        Args:
            argus: The server.
            users: Enough of them, so that none comes to the limit of sessions.
            tick: Told how many calls were answered.
        """
        self._argus = argus
        self._users = users
        self._tick = tick
        self._next = 0

    async def begin(self, count: int, in_flight: int) -> tuple[Turn, int]:
        """Begins so many sessions; also says how many commits that took.

        Raises:
            CallsFailedError: One was not begun, or is not durable.
        """
        names = [self._users[(self._next + index) % len(self._users)] for index in range(count)]
        self._next += count
        calls = Calls(
            address=self._argus.address,
            method=_METHOD,
            authorization=await self._argus.authorization(),
            requests=[CreateSessionRequest(parent=name).SerializeToString() for name in names],
            count=count,
            deadline_ms=60_000,
        )
        turn, answers = await run(calls, Pace(in_flight=in_flight), self._argus.processes, tick=self._tick)
        made = {CreateSessionResponse.FromString(answer).session.name.rpartition("/")[2] for answer in answers}
        found, commits = await asyncio.to_thread(self._durable, list(made))
        if len(made) != count or found != (count, count):
            raise CallsFailedError(f"{count} sessions were begun; there are {len(made)} ids, and {found} rows")
        return turn, commits

    def _durable(self, ids: Sequence[str]) -> tuple[tuple[Any, ...], int]:
        with psycopg.connect(self._argus.urls.database) as connection:
            found = connection.execute(_DURABLE, {"ids": list(ids)}).fetchone() or ()
            (commits,) = connection.execute(_COMMITS, (list(ids),)).fetchone() or (0,)
        return found, commits


def _rows(rounds: Sequence[Round]) -> list[Row]:
    def median(of: Callable[[Round], float]) -> float:
        return round(statistics.median(of(one) for one in rounds), 3)

    ratio = median(lambda one: one.created.calls_per_second / one.single.rows_per_second)
    others = median(lambda one: max(one.created.others, one.alone.others))
    told: list[tuple[str, float, str]] = [
        ("create_per_second", median(lambda one: one.created.calls_per_second), "durable sessions a second by RPC"),
        ("single_inserts_per_second", median(lambda one: one.single.rows_per_second), "durable rows a second"),
        (
            "group_insert_vs_single_insert",
            median(lambda one: one.group.rows_per_second / one.single.rows_per_second),
            "× (256 rows a commit, without Argus)",
        ),
        (
            "create_vs_one_in_flight",
            median(lambda one: one.created.calls_per_second / one.alone.calls_per_second),
            "× (sessions a second, shared commits against a commit each)",
        ),
        (
            "signatures_vs_single_insert",
            median(lambda one: (cpu_count() or 1) / one.signatures_seconds / one.single.rows_per_second),
            "× (if all processors did nothing but sign the sessions' tokens: nobody can do more)",
        ),
        ("create_per_commit", median(lambda one: one.created.calls / one.commits), "sessions made durable by a commit"),
        ("create_server_cpu", median(lambda one: one.created.cpu_us["server"]), "CPU µs a session (RSA-2048)"),
        ("create_postgresql_cpu", median(lambda one: one.created.cpu_us["postgresql"]), "CPU µs a session"),
        ("create_redis_cpu", median(lambda one: one.created.cpu_us["redis"]), "CPU µs a session"),
        ("create_alone_server_cpu", median(lambda one: one.alone.cpu_us["server"]), "CPU µs a session, one in flight"),
        ("create_alone_p50", median(lambda one: one.alone.latency_us["p50"] / 1000), "ms, one in flight"),
    ]
    return [
        Row(
            name="create_vs_single_insert",
            value=ratio,
            unit="× (sessions begun by RPC against single inserts, a second; RSA-2048)",
            goal=f"≥ {_LEAST}",
            met=ratio >= _LEAST,
        ),
        *(Row(name=name, value=value, unit=unit, goal="-", met=None) for name, value, unit in told),
        Row(
            name="machine_used_by_others",
            value=round(100 * others, 1),
            unit="% of all processors",
            goal=f"≤ {100 * _MOST_OTHERS:g}",
            met=others <= _MOST_OTHERS,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
