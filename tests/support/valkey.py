"""A Valkey (or Redis) of one's own with the functions of Argus, for tests that call them directly or break it."""

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from argus import _core
from argus.storage.processes import ServerProcess
from tests.support.sentinel import wait_until
from tests.support.servers import free_ports, server_program

Value = bytes | int | str


class Valkey:
    """The server, and one connection to it."""

    def __init__(self, folder: Path, *, kind: str = "valkey") -> None:
        """Describes a server.

        Args:
            folder: Where it keeps its files.
            kind: One of `tests.support.servers.KINDS`; the test is skipped where there is none.
        """
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._program = server_program(kind)
        # Replicas can't follow a socket.
        (self.port,) = free_ports(1)
        self._process = ServerProcess(
            "valkey", folder=folder, account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGTERM
        )
        self._socket = folder / "valkey.sock"
        self.client = Redis(unix_socket_path=str(self._socket))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def start(self) -> None:
        """Starts it (from the last snapshot, if there is one) and loads the functions."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self._socket)]
        options += ["--save", "", "--dir", str(self._folder), "--repl-diskless-sync-delay", "0"]
        self._process.launch([self._program, *options], cwd=self._folder)
        self._process.wait_until(self._answers)
        self.load()

    def stop(self) -> None:
        """Ends it without a snapshot."""
        self.client.close()
        self._process.kill()

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Started for the block, and stopped after it."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def follow(self, primary: "Valkey") -> None:
        """Becomes a replica, and waits until it has all that its primary has."""
        self.client.replicaof("127.0.0.1", str(primary.port))
        wait_until("the replica follows", lambda: self.info("replication").get("master_link_status") == "up")

    def promote(self) -> None:
        """Becomes a primary."""
        self.client.replicaof("NO", "ONE")

    def info(self, section: str) -> dict[str, Any]:
        """What it says of itself."""
        found: dict[str, Any] = self.client.info(section)
        return found

    def restart(self) -> None:
        """Starts it anew from a snapshot of now: all values are there, their lineage is another process's."""
        self.client.save()
        self.stop()
        self.start()

    def load(self, *, offset_ms: int = 0) -> None:
        """Loads the functions with a clock that is off by so much."""
        self.client.function_load(_core.function_library(offset_ms=offset_ms), replace=True)

    def call(self, function: str, keys: Sequence[str], *args: Value) -> list[Any]:
        """Calls a function of Argus."""
        client: Any = self.client
        answer: list[Any] = client.fcall(_core.function_name(function), len(keys), *keys, *args)
        return answer

    def now_and_lineage(self) -> tuple[int, bytes]:
        """Time of the functions in ms, and their lineage."""
        _, now_ms, lineage, *_ = self.call("read", ["a1:s:{0000}:nobody"])
        return now_ms, lineage

    def _answers(self) -> bool:
        with contextlib.suppress(RedisError):
            return bool(self.client.ping())
        return False
