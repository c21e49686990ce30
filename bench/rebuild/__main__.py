"""Loses everything that Redis holds, and waits until every session has been refreshed."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from argus.base.clock import Clock
from argus.base.cpu import cpu_seconds
from argus.base.logging import configure_logging
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from bench.rebuild.crowd import make_crowd
from bench.rebuild.storm import Storm, storm
from bench.rows import Row, rows_table, write_results


def main() -> int:
    """Runs the benchmark; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.rebuild", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20_000, help="sessions, each of a user of its own")
    parser.add_argument("--clients", type=int, default=64, help="calls at a time")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    with tempfile.TemporaryDirectory(prefix="argus-") as folder, EmbeddedStores(Path(folder)) as stores:
        _count_statements(stores)
        outcome, measured = asyncio.run(_measure(stores, options.sessions, options.clients))
    rows = _rows(options.sessions, outcome, measured)
    path = write_results("rebuild", rows, measured)
    console = Console(highlight=False)
    console.print(rows_table(rows))
    console.print(f"written to {path}")
    return 0 if all(row.met for row in rows) else 1


def _count_statements(stores: EmbeddedStores) -> None:
    with psycopg.connect(stores.urls.database, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    stores.postgresql.stop()
    stores.launch_postgresql()
    stores.wait()
    with psycopg.connect(stores.urls.database, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")


async def _measure(stores: EmbeddedStores, sessions: int, clients: int) -> tuple[Storm, dict[str, Any]]:
    async with stack_over(stores.urls) as stack:
        made = await stack.new_tenant()
        tokens = await make_crowd(stack.server.argus, made, sessions)
        await made.close()
    with tempfile.TemporaryDirectory() as folder, Served(stack.settings, Path(folder)).running() as served:
        api = made.at(served.grpc_address, clock=Clock())
        await api.token()
        redis.Redis.from_url(stores.urls.redis).flushall()
        with psycopg.connect(stores.urls.database, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_statements_reset()")
            before = cpu_seconds(served.pid)
            outcome = await storm(api, tokens, clients=clients)
            after = cpu_seconds(served.pid)
            statements = connection.execute(
                """SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 90), sum(calls)::bigint, sum(rows)::bigint,
                          sum(total_exec_time) FROM pg_stat_statements
                    WHERE query ~ '(FOR SHARE|FROM sessions|FROM unnest)' GROUP BY 1 ORDER BY 2 DESC LIMIT 12"""
            ).fetchall()
        metrics = await asyncio.to_thread(_metrics, served.admin_url)
        await api.close()
    ordered = sorted(outcome.times)
    return outcome, {
        "sessions": sessions,
        "clients": clients,
        "seconds": outcome.seconds,
        "server_processor_seconds": after - before,
        "answers": dict(outcome.answers),
        "call_ms": {str(p): 1000 * ordered[int(len(ordered) * p / 100)] for p in (50, 90, 99)},
        "reads_of_postgresql": sum(calls for _, calls, _, _ in statements),
        "statements": [
            {"query": query, "calls": calls, "rows": rows, "total_ms": ms} for query, calls, rows, ms in statements
        ],
        "metrics": metrics,
    }


def _rows(sessions: int, outcome: Storm, measured: dict[str, Any]) -> list[Row]:
    good, other = (
        outcome.answers["OK"],
        [code for code in outcome.answers if not code.startswith(("OK", "UNAVAILABLE"))],
    )
    reads = measured["reads_of_postgresql"] / sessions
    return [
        Row(name="sessions_back", value=good, unit="sessions", goal=f"= {sessions}", met=good == sessions),
        Row(name="wrong_answers", value=len(other), unit="kinds", goal="= 0", met=not other),
        Row(name="seconds_until_all_are_back", value=outcome.seconds, unit="s", goal="-", met=True),
        Row(name="sessions_a_second", value=sessions / outcome.seconds, unit="1/s", goal="-", met=True),
        Row(name="reads_a_session", value=reads, unit="queries", goal="<= 1", met=reads <= 1),
    ]


def _metrics(admin: str) -> dict[str, float]:
    text = httpx.get(f"{admin}/metrics").text
    return {
        sample.name + (json.dumps(sample.labels) if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith(("argus_rebuild", "process_resident"))
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


if __name__ == "__main__":
    sys.exit(main())
