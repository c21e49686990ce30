"""The naive server as a contender: in a process of its own, over a Valkey of its own."""

import json
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from argus.base.clock import Clock
from argus.server.api import Api
from argus.storage.processes import ServerProcess
from bench.peers.naive.service import CLIENT_ID, CLIENT_SECRET
from bench.peers.naive.tokens import RefreshAlgorithm
from tests.support.valkey import Valkey

_ROOT: Final = Path(__file__).parents[2]


class Naive:
    """A naive server. A `Contender`."""

    def __init__(self, api: Api, valkey: Valkey, process: ServerProcess) -> None:
        self.api = api
        self._valkey = valkey
        self._process = process

    @property
    def address(self) -> str:
        """Host and port."""
        return self.api.address

    @property
    def processes(self) -> Mapping[str, int]:
        """The server and its Redis."""
        return {"server": self._process.pid, "redis": self._valkey.pid}

    async def authorization(self) -> str:
        """A client token that is good for a while yet."""
        return f"Bearer {await self.api.token()}"

    async def users(self, count: int) -> list[str]:
        """It keeps no users; any name will do."""
        return [f"tenants/naive/users/{secrets.token_urlsafe(16)}" for _ in range(count)]

    async def generations(self, session_ids: Sequence[str]) -> list[int]:
        """By the hashes in Redis."""
        client: Any = self._valkey.client
        return [int(client.hget(f"session:{session_id}", "generation")) for session_id in session_ids]


@asynccontextmanager
async def naive(refresh: RefreshAlgorithm) -> AsyncIterator[Naive]:
    """A naive server with RSA-2048 keys. To be entered from the main thread, with which it ends.

    Args:
        refresh: What signs refresh tokens.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="argus-")))
        valkey = Valkey(folder / "valkey")
        valkey.start()
        stack.callback(valkey.stop)
        # As Argus's own store: what is written survives the server's end.
        valkey.client.config_set("appendonly", "yes")
        valkey.client.config_set("appendfsync", "everysec")
        process = ServerProcess(
            "naive", folder=folder, account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGKILL
        )
        stack.callback(process.stop)
        redis = f"redis://127.0.0.1:{valkey.port}"
        command = [sys.executable, "-m", "bench.peers.naive", "--redis", redis, "--refresh", refresh]
        process.launch(command, cwd=_ROOT)
        process.wait_until(lambda: address_in(process.log) is not None)
        api = Api(
            address_in(process.log) or "",
            tenant_id="naive",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            clock=Clock(),
        )
        stack.push_async_callback(api.close)
        yield Naive(api, valkey, process)


def address_in(log: Path) -> str | None:
    """Where the server of a log listens; None: it has not said so yet."""
    for line in log.read_text("utf-8", "replace").splitlines():
        with suppress(ValueError):
            return str(json.loads(line)["grpc"])
    return None
