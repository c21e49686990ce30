"""Servers that are processes of their own, and may be killed."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.processes import PATIENCE_SECONDS

if TYPE_CHECKING:
    from argus.base.settings import Settings

_PROGRAM = "from argus.cli.main import main; main()"


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """One `argus serve` over the stores of `settings`: where its gRPC answers, and its process, which may be killed."""
    address = f"127.0.0.1:{_free_port()}"
    environment = os.environ | {
        "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
        "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
        "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        "ARGUS_GRPC_LISTEN": address,
        "ARGUS_HTTP_LISTEN": "127.0.0.1:0",
        "ARGUS_ADMIN_LISTEN": "127.0.0.1:0",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, "serve", env=environment)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _answers(address)
        yield address, process
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await process.wait()


async def _answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
