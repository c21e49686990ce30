"""`argus serve` in a process of its own, for benchmarks and tests: it may be stopped, let go on, and killed."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from argus.base.settings import Settings
from argus.storage.processes import ServerProcess

_PROGRAM = "from argus.cli.main import main; main()"
_SECRETS = ("redis_url", "database_url", "key_encryption_key")


class Served:
    """A server process over stores that run already. To be started from the main thread, with which it ends."""

    def __init__(self, settings: Settings, folder: Path, **changes: Any) -> None:
        """Describes a server.

        Args:
            settings: Stores, key and listeners.
            folder: Where its settings and its log go.
            changes: Further settings, as they stand in `argus.toml`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        values = {name: getattr(settings, name).get_secret_value() for name in _SECRETS}
        values |= {f"{name}_listen": "127.0.0.1:0" for name in ("grpc", "http", "admin")}
        values |= {"base_url": settings.base_url, "log_format": "json", **changes}
        self._config = folder / "argus.toml"
        # A JSON string is a TOML string, too.
        self._config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
        self._process = ServerProcess(
            "argus", folder=folder, account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGKILL
        )

    def start(self) -> None:
        """Starts it, and waits until it serves."""
        self._process.log.unlink(missing_ok=True)
        command: list[str | Path] = [sys.executable, "-c", _PROGRAM, "serve", "--config", self._config]
        self._process.launch(command, cwd=self._config.parent)
        self._process.wait_until(lambda: any(self.events("server.started")))

    def stop(self) -> None:
        """Ends it in good order, or by force if it does not listen."""
        self._process.stop()

    def kill(self) -> None:
        """Ends it without a word."""
        self._process.kill()

    @contextmanager
    def running(self) -> Iterator["Served"]:
        """Runs it for the time of the block."""
        try:
            self.start()
            yield self
        finally:
            self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """It was started, and has not ended."""
        return self._process.running

    @property
    def grpc_address(self) -> str:
        """Where its RPCs are."""
        return str(next(self.events("server.started"))["grpc"])

    @property
    def http_url(self) -> str:
        """Where its HTTP edge is."""
        return str(next(self.events("server.started"))["http"])

    @property
    def admin_url(self) -> str:
        """Where its health is told."""
        return str(next(self.events("server.started"))["admin"])

    def pause(self) -> None:
        """Stops it where it is; its connections stay."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._process.signal(signal.SIGCONT)

    def events(self, name: str) -> Iterator[dict[str, Any]]:
        """Lines of its log."""
        for line in self._process.log.read_text("utf-8", "replace").splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == name:
                    yield entry
