"""A Valkey or Redis of one's own with the functions of Argus, for tests that call them directly or break the server."""

import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from argus import _core
from argus.storage.binaries import find_binaries
from argus.storage.processes import ServerProcess

Value = bytes | int | str


def find_redis() -> Path | None:
    """The `redis-server` of this machine, or of ARGUS_TEST_REDIS: there, what must run on both runs on both."""
    found = os.environ.get("ARGUS_TEST_REDIS") or shutil.which("redis-server")
    return Path(found) if found else None


class Valkey:
    """The server, and one connection to it."""

    def __init__(self, folder: Path, program: Path | None = None) -> None:
        self._folder = folder
        self._program = program or find_binaries(None, None).valkey
        self._process = ServerProcess(
            "valkey", folder=folder, account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGTERM
        )
        self._socket = folder / "valkey.sock"
        self.client = Redis(unix_socket_path=str(self._socket))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Starts it (from the last snapshot, if there is one) and loads the functions."""
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._folder)]
        self._process.launch([self._program, *options], cwd=self._folder)
        self._process.wait_until(self._answers)
        self.load()

    def stop(self) -> None:
        """Ends it without a snapshot."""
        self.client.close()
        self._process.kill()

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
