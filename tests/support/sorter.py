"""A port whose connections lead to one of two others, by what they begin with."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_CHUNK: Final = 1 << 16
_LOOPBACK: Final = "127.0.0.1"


@contextmanager
def sorter(word: bytes, *, then: int, otherwise: int) -> Iterator[int]:
    """Sorts for the time of the block, on threads of its own; says where it listens.

    Args:
        word: What makes the difference, if it is in the first that a connection sends.
        then: Port of connections that begin with it.
        otherwise: Port of all others.
    """

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            begins = self.request.recv(_CHUNK, socket.MSG_PEEK)
            with socket.create_connection((_LOOPBACK, then if word in begins else otherwise)) as there:
                back = threading.Thread(target=_pass_on, args=(there, self.request))
                back.start()
                _pass_on(self.request, there)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server((_LOOPBACK, 0), Connection) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            serving.join()


def _pass_on(source: Any, to: Any) -> None:
    """Until one side has ended; then both have."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            to.sendall(chunk)
    for one in (source, to):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
