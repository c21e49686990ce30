"""Serves an empty method by grpcio, alone and behind a front door, until SIGTERM; says where: a JSON line."""

import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import grpc
import uvloop

from argus._core import Clock, Door, Engine
from argus.server.grpc_server import grpc_options

METHOD: Final = "/argus.bench.Empty/Call"
_SERVICE, _NAME = METHOD.strip("/").split("/")
_ANY_PORT: Final = "127.0.0.1:0"


async def _answer(request: bytes, _context: Any) -> bytes:
    return request


def _server(*, is_behind_door: bool) -> grpc.aio.Server:
    """A server of one method, with the options of Argus's own."""
    server = grpc.aio.server(options=grpc_options(is_behind_door=is_behind_door))
    handlers: Any = {_NAME: grpc.unary_unary_rpc_method_handler(_answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    return server


async def serve(folder: Path) -> None:
    """Serves until SIGTERM.

    Args:
        folder: Where the socket between the door and its server goes.
    """
    alone, behind = _server(is_behind_door=False), _server(is_behind_door=True)
    port = alone.add_insecure_port(_ANY_PORT)
    socket = folder / "grpc"
    behind.add_insecure_port(f"unix:{socket}")
    await asyncio.gather(alone.start(), behind.start())
    engine = Engine(redis_url=None, clock=Clock())
    door = Door(engine, _ANY_PORT, grpc_socket=socket, http_socket=folder / "http")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    where = {"grpcio": f"127.0.0.1:{port}", "door": f"127.0.0.1:{door.port}"}
    sys.stdout.write(json.dumps({"event": "server.started", **where}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await asyncio.to_thread(door.close, 1)
    await asyncio.gather(alone.stop(1), behind.stop(1))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="argus-") as own:
        uvloop.run(serve(Path(own)))
