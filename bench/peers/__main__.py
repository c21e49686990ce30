"""Measures what issuing, refreshing and checking cost servers of other people, and what becomes of tokens under stress.

Each peer is got with the ordinary client of its registry (npm, mvn) at the first run; what can't be had is left out.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from functools import partial
from typing import Final

from rich.console import Console
from rich.table import Table

from argus.cli.bench import calls_bar
from argus.storage.processes import StoreStartError
from bench.command import finish
from bench.peers.keycloak.contender import keycloak
from bench.peers.measure import CHECK, ISSUE, REFRESH, USES, Amount, Found, measure
from bench.peers.oidc_provider.contender import oidc_provider
from bench.peers.web import AbsentError, Peer, WrongAnswerError
from bench.rows import Row, quiet_row

_PEERS: Final[dict[str, Callable[[], AbstractAsyncContextManager[Peer]]]] = {
    "oidc-provider": oidc_provider,
    "keycloak": keycloak,
}


def main() -> int:
    """Measures the peers; 1 if one that is there could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(_PEERS), default=list(_PEERS), help="these peers alone")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each kind of call")
    parser.add_argument("--calls", type=int, default=400, help="calls of a turn")
    parser.add_argument("--warm-up", type=int, default=1500, help="calls of each kind before")
    parser.add_argument("--in-flight", type=int, default=16, help="calls at a time")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    amount = Amount(
        rounds=options.rounds,
        calls=options.calls,
        warm_up=options.warm_up,
        in_flight=options.in_flight,
        reuses=10,
        sessions=32,
    )
    found, skipped, failed = asyncio.run(_play(options.only, amount))
    rows = [row for name, one in found.items() for row in _rows(name, one)]
    rows += [quiet_row(statistics.median(used for one in found.values() for used in one.others))] if found else []
    rows += [Row.skipped(name, "µs of CPU", "-", why) for name, why in (skipped | failed).items()]
    measured = {
        "keys": "RS256 with RSA-2048",
        "amount": asdict(amount),
        "peers": {name: asdict(one) for name, one in found.items()},
        "skipped": skipped,
        "failed": failed,
    }
    return finish("peers", rows, measured, as_json=options.json, show=lambda to: _show(to, found)) or int(bool(failed))


async def _play(names: list[str], amount: Amount) -> tuple[dict[str, Found], dict[str, str], dict[str, str]]:
    """What was found of each peer that is there; why others are not, or could not be measured."""
    found: dict[str, Found] = {}
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    with calls_bar() as progress:
        for name in names:
            task = progress.add_task(f"{name}: getting and starting", total=amount.all_calls)
            try:
                async with _PEERS[name]() as peer:
                    progress.update(task, description=peer.name)
                    found[peer.name] = await measure(peer, amount, partial(progress.advance, task))
            except AbsentError as error:
                skipped[name] = str(error)
            except (WrongAnswerError, StoreStartError) as error:
                failed[name] = str(error)
    return found, skipped, failed


def _rows(name: str, found: Found) -> list[Row]:
    cpu = [
        Row.told(f"{name}: {kind}", sum(found.cpu_us[kind].values()), "µs of CPU, server and store, RSA-2048")
        for kind in (ISSUE, REFRESH, CHECK)
    ]
    at_once = f"of {USES} uses of one refresh token at once, the most of {len(found.accepted)} times"
    killed = f"of {found.asked} sessions, {found.unanswered} without an answer; server killed mid-rotation, three times"
    return [
        *cpu,
        Row.told(f"{name}: accepted", max(found.accepted), at_once),
        Row.told(f"{name}: accepted and still good", max(found.live), at_once),
        Row.told(f"{name}: lost", found.lost, killed),
    ]


def _show(console: Console, found: dict[str, Found]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in ("CPU µs a call", "", "server", "store"):
        table.add_column(column, justify="left" if column in ("CPU µs a call", "") else "right")
    for name, one in found.items():
        for kind, spent in one.cpu_us.items():
            table.add_row(name, kind, f"{spent['server']:.0f}", f"{sum(spent.values()) - spent['server']:.0f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
