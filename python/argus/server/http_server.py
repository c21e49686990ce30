"""HTTP listeners: uvicorn, told when to stop by its owner and not by signals."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from argus.base.listen import split_address
from argus.base.stopping import within
from argus.server.tls import Tls

_KEEP_ALIVE_SECONDS: Final = 30
_LARGEST_HEADERS: Final = 16 * 1024
# It looks ten times a second, and then waits for what its connections have to say.
_FORCED: Final = timedelta(seconds=2)


class HttpServer:
    """One listener with one application."""

    def __init__(self, app: Starlette, address: str | Path, tls: Tls | None) -> None:
        self._socket = _listen(address)
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                # What it says at its start and end, the process says itself.
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                h11_max_incomplete_event_size=_LARGEST_HEADERS,
                http="h11",
                ws="none",
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=str(tls.key) if tls else None,
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Serves from now on; the socket has queued connections since it was made."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")

    async def stop(self, grace: timedelta) -> None:
        """Takes no new requests and lets those under way finish, for `grace` at most."""
        self._server.should_exit = True
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=grace.total_seconds())
            self._server.force_exit = bool(late)
            await within(_FORCED, "http", self._task)
        self._socket.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the process, which has more to stop than this."""
        yield


def _listen(address: str | Path) -> socket.socket:
    if isinstance(address, Path):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(str(address))
        made.listen(512)
        made.settimeout(0)
        return made
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(512)
    except OSError:
        made.close()
        raise
    made.settimeout(0)
    return made
