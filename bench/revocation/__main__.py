"""Ends sessions while a hundred services watch, and asks each when it knew."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from argus.base.clock import Clock
from argus.base.cpu import cpu_seconds
from argus.base.logging import configure_logging
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from bench.revocation.offline import learning_seconds
from bench.rows import Row, rows_table, write_results

_GOAL_MS: Final = 1000


def main() -> int:
    """Runs the benchmark; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.revocation", description=__doc__)
    parser.add_argument("--watchers", type=int, default=100, help="services that watch, each over its own connection")
    parser.add_argument("--ends", type=int, default=100, help="sessions that are ended")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    with tempfile.TemporaryDirectory(prefix="argus-") as folder, EmbeddedStores(Path(folder)) as stores:
        measured = asyncio.run(_measure(stores, options.watchers, options.ends))
    p99 = measured["milliseconds"]["99"]
    rows = [Row(name="revocation_offline_p99_ms", value=p99, unit="ms", goal=f"<= {_GOAL_MS}", met=p99 <= _GOAL_MS)]
    path = write_results("revocation", rows, measured)
    console = Console(highlight=False)
    console.print(rows_table(rows))
    console.print(f"written to {path}")
    return 0 if all(row.met for row in rows) else 1


async def _measure(stores: EmbeddedStores, watchers: int, ends: int) -> dict[str, Any]:
    async with stack_over(stores.urls) as stack:
        made = await stack.new_tenant()
        await made.close()
    with tempfile.TemporaryDirectory() as folder, Served(stack.settings, Path(folder)).running() as served:
        api = made.at(served.grpc_address, clock=Clock())
        before, began = cpu_seconds(served.pid), asyncio.get_running_loop().time()
        found = sorted(await learning_seconds(api, watchers=watchers, ends=ends))
        used, lasted = cpu_seconds(served.pid) - before, asyncio.get_running_loop().time() - began
        await api.close()
    return {
        "watchers": watchers,
        "ends": ends,
        "milliseconds": {str(p): round(1000 * found[int((len(found) - 1) * p / 100)], 1) for p in (0, 50, 99, 100)},
        "server_processor_share": round(used / lasted, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
