"""A server that Argus runs itself: started, watched for its first answer, stopped, and never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LAUNCHER: Final = Path(__file__).with_name("launch.py")
_POLL_SECONDS: Final = 0.01
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_LEFTOVER_SECONDS: Final = 5.0


class StoreStartError(Exception):
    """A store did not start; says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account that servers run as where Argus itself is root."""

    uid: int
    gid: int


class ServerProcess:
    """One server, from its start to its end.

    Ends with the process that starts it, also by `kill -9`: to be started from the main thread, whose end counts.
    """

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        account: Account | None,
        stop_signal: signal.Signals,
        orphan_signal: signal.Signals,
    ) -> None:
        """Describes a server.

        Args:
            name: For messages and file names.
            folder: Where its log and the note of its process id go.
            account: Account to run as; None: one's own.
            stop_signal: What ends it in good order.
            orphan_signal: What it gets when Argus is killed.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        self._note = folder / f"{name}.pid"
        self._account = account
        self._stop_signal = stop_signal
        self._orphan_signal = orphan_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            StoreStartError: It is not running.
        """
        if self._process is None:
            raise StoreStartError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has been started and lives."""
        return self._process is not None and self._process.poll() is None

    def launch(self, command: Sequence[str | Path], *, cwd: Path) -> None:
        """Starts it; `wait_until` tells when it answers."""
        account = self._account
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - paths that Argus chose
                [
                    *(sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), str(int(self._orphan_signal))),
                    *((str(account.uid), str(account.gid)) if account else ("-1", "-1")),
                    *command,
                ],
                cwd=cwd,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for Argus, which then stops its stores in order.
                start_new_session=True,
            )
        self._note.write_text(f"{self._process.pid} {_started(self._process.pid)}")

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Waits until it answers.

        Raises:
            StoreStartError: It ended, or did not answer in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not answers():
            if not self.running:
                raise StoreStartError(f"{self.name} ended at its start:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise StoreStartError(f"{self.name} does not answer:\n{self.last_words()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ends it in good order; by force if it takes too long. Nothing if it isn't running."""
        if self._process is None:
            return
        if self._process.poll() is None:
            # A paused one would not hear the signal.
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(self._stop_signal)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()

    def kill(self) -> None:
        """Ends it without giving it a chance to put anything in order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal (SIGSTOP and SIGCONT make a store that hangs)."""
        os.kill(self.pid, number)

    def end_leftover(self) -> None:
        """Waits for the end of the server that a killed Argus has left, and makes sure of it."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid, started = (int(part) for part in self._note.read_text().split())
            deadline = time.monotonic() + _LEFTOVER_SECONDS
            while _started(pid) == started:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(_POLL_SECONDS)
        self._note.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(f"  {line}" for line in lines[-8:])

    def _forget(self) -> None:
        self._process = None
        self._note.unlink(missing_ok=True)


def _started(pid: int) -> int:
    """When the process began, in ticks since boot: tells it from a later one of the same number. 0: there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # A zombie has ended; its parent just hasn't looked.
    return 0 if fields[0] == "Z" else int(fields[19])
