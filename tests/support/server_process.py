"""An `argus serve` of its own: a process that can be killed."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc

from argus.base.settings import Settings

PATIENCE_SECONDS: Final = 60.0
_PROGRAM: Final = "from argus.cli.main import main; main()"


class ServerProcess:
    """One server process."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process = process
        self.address = address

    async def kill(self) -> None:
        """Ends it without a word."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def server_process(settings: Settings) -> AsyncIterator[ServerProcess]:
    """Runs a server over the stores of `settings`, by the system's clock; killed at the end if it is still there."""
    port = _free_port()
    environment = os.environ | {
        "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
        "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
        "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
        "ARGUS_GRPC_LISTEN": f"127.0.0.1:{port}",
        "ARGUS_HTTP_LISTEN": "127.0.0.1:0",
        "ARGUS_ADMIN_LISTEN": "127.0.0.1:0",
    }
    command = [sys.executable, "-c", _PROGRAM, "serve"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.DEVNULL)
    server = ServerProcess(process, f"127.0.0.1:{port}")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), grpc.aio.insecure_channel(server.address) as channel:
            await channel.channel_ready()
        yield server
    finally:
        if process.returncode is None:
            await server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
