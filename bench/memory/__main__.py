"""Fills a Redis with sessions and sees how much memory it takes; ends with 1 if the goal was missed."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from argus.cli.bench import calls_bar
from bench.memory.crowd import by_kind, fill
from bench.rows import Row, rows_table, write_results
from tests.support.servers import KINDS, is_there
from tests.support.valkey import Valkey

_MOST: Final = 320
_PER_USER: Final = (1, 5)
_JUDGED: Final = 5
# The goal is said of so many; with fewer, tables are fuller or emptier.
_WHOLE: Final = 1_000_000


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000, help="sessions of a filling")
    parser.add_argument("--per-user", type=int, nargs="+", default=_PER_USER, help="sessions of each user, by filling")
    parser.add_argument("--servers", nargs="+", choices=KINDS, default=[kind for kind in KINDS if is_there(kind)])
    options = parser.parse_args()
    measured: dict[str, Any] = {}
    with calls_bar() as progress:
        task = progress.add_task("sessions", total=options.sessions * len(options.per_user) * len(options.servers))
        for kind in options.servers:
            measured[kind] = {
                per_user: _measure(kind, options.sessions, per_user, lambda done: progress.advance(task, done))
                for per_user in options.per_user
            }
    rows = _rows(measured, options.sessions)
    path = write_results("memory", rows, {"sessions": options.sessions, "servers": measured})
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(rows_table(rows))
    console.print(f"written to {path}")
    return 1 if any(row.met is False for row in rows) else 0


def _measure(kind: str, sessions: int, per_user: int, tick: Callable[[int], object]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="argus-") as folder:
        server = Valkey(Path(folder) / kind, kind=kind)
        server.start()
        try:
            before = server.info("memory")["used_memory"]
            fill(server, sessions, per_user=per_user, tick=tick)
            memory, about = server.info("memory"), server.info("server")
            keys = by_kind(server)
        finally:
            server.stop()
    return {
        "version": about.get("valkey_version") or about["redis_version"],
        "bytes_per_session": round((memory["used_memory"] - before) / sessions, 1),
        "used_memory": memory["used_memory"],
        "used_memory_before": before,
        "used_memory_rss": memory["used_memory_rss"],
        "keys": keys,
    }


def _rows(measured: Mapping[str, Mapping[int, Mapping[str, Any]]], sessions: int) -> Sequence[Row]:
    """The worst server is judged, at some sessions a user; what users with fewer of them cost is told beside it."""
    rows = []
    for per_user in next(iter(measured.values())):
        for kind, found in measured.items():
            rows.append(
                Row(
                    name=f"redis_bytes_per_session_{kind}_{per_user}_per_user",
                    value=found[per_user]["bytes_per_session"],
                    unit=f"bytes ({found[per_user]['version']}, {sessions:,} sessions)",
                    goal="-",
                    met=None,
                )
            )
    judged = [found[_JUDGED]["bytes_per_session"] for found in measured.values() if _JUDGED in found]
    if judged:
        rows.insert(
            0,
            Row(
                name="redis_bytes_per_session",
                value=max(judged),
                unit=f"bytes ({sessions:,} sessions, {_JUDGED} a user, the larger of {', '.join(measured)})",
                goal=f"≤ {_MOST}",
                met=max(judged) <= _MOST if sessions >= _WHOLE else None,
            ),
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
