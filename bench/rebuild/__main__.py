"""Loses everything that Redis holds, and waits until every session has been refreshed."""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from argus.base.clock import Clock
from argus.base.logging import configure_logging
from argus.base.settings import Settings
from argus.server.api import Api
from argus.server.private_stack import PrivateStack, stack_over
from argus.storage.embedded import EmbeddedStores
from bench.rebuild.crowd import make_crowd
from bench.rebuild.storm import Storm, storm
from bench.rows import Row, write_results

_PROGRAM = "from argus.cli.main import main; main()"


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
    for row in rows:
        console.print(
            f"{row.name:<32} {row.value:>12.3f} {row.unit:<10} {row.goal:<24} {'met' if row.met else 'MISSED'}"
        )
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
    async with _server(stack) as (grpc, admin, pid):
        api = Api(grpc, tenant_id=made.tenant_id, client_id=made.client_id, client_secret=made._secret, clock=Clock())  # noqa: SLF001 - the same client, of another server
        await api.token()
        redis.Redis.from_url(stores.urls.redis).flushall()
        with psycopg.connect(stores.urls.database, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_statements_reset()")
            before = _processor_seconds(pid)
            outcome = await storm(api, tokens, clients=clients)
            after = _processor_seconds(pid)
            statements = connection.execute(
                """SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 90), sum(calls)::bigint, sum(rows)::bigint,
                          sum(total_exec_time) FROM pg_stat_statements
                    WHERE query ~ '(FOR SHARE|FROM sessions|FROM unnest)' GROUP BY 1 ORDER BY 2 DESC LIMIT 12"""
            ).fetchall()
        metrics = await asyncio.to_thread(_metrics, admin)
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


@asynccontextmanager
async def _server(stack: PrivateStack) -> AsyncIterator[tuple[str, str, int]]:
    """A server of its own process, as in production; where it answers, and its process id."""
    settings: Settings = stack.settings
    grpc, http, admin = (f"127.0.0.1:{_free_port()}" for _ in range(3))
    environment = os.environ | {
        "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
        "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
        "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        "ARGUS_GRPC_LISTEN": grpc,
        "ARGUS_HTTP_LISTEN": http,
        "ARGUS_ADMIN_LISTEN": admin,
        "ARGUS_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, "serve", env=environment)
    try:
        async with asyncio.timeout(60):
            while not await _answers(admin):  # noqa: ASYNC110 - another process is awaited
                await asyncio.sleep(0.1)
        yield grpc, f"http://{admin}", process.pid
    finally:
        process.terminate()
        await process.wait()


async def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


def _metrics(admin: str) -> dict[str, float]:
    text = httpx.get(f"{admin}/metrics").text
    return {
        sample.name + (json.dumps(sample.labels) if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith(("argus_rebuild", "process_resident"))
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
