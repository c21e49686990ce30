"""What all processes of a drill have in common: a free port, an end in any case, a wait that has a bound."""

import asyncio
import inspect
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from argus.storage.processes import Account, ServerProcess

LOOPBACK: Final = "127.0.0.1"
PATIENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02


class StuckError(Exception):
    """Something that the drill waits for did not come: the drill itself can't go on."""


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


async def until(
    what: str, condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = PATIENCE_SECONDS
) -> float:
    """Waits until something is so; says how long that took.

    Raises:
        StuckError: It is not so within the time.
    """
    begun = time.monotonic()
    while True:
        found = condition()
        if await found if inspect.isawaitable(found) else found:
            return time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            raise StuckError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(_POLL_SECONDS)


class Part:
    """One process that can be killed, paused and started again; it ends with the harness, whatever ends that."""

    def __init__(
        self, name: str, folder: Path, *, account: Account | None = None, stop_signal: signal.Signals = signal.SIGTERM
    ) -> None:
        """Describes it.

        Args:
            name: For messages and files.
            folder: Where its log goes.
            account: Account to run as; None: one's own.
            stop_signal: What ends it in good order.
        """
        self.name = name
        self.process = ServerProcess(
            name, folder=folder, account=account, stop_signal=stop_signal, orphan_signal=signal.SIGKILL
        )
        self._command: tuple[str | Path, ...] = ()
        self._cwd = folder

    def run(self, command: Sequence[str | Path], *, cwd: Path | None = None) -> None:
        """Starts it; `answering` tells when it answers."""
        self._command = tuple(command)
        self._cwd = cwd or self._cwd
        self.process.launch(self._command, cwd=self._cwd)

    def rerun(self) -> None:
        """Starts it as it was started before."""
        self.process.launch(self._command, cwd=self._cwd)

    def kill(self) -> None:
        """Ends it at once (SIGKILL)."""
        self.process.kill()

    def pause(self) -> None:
        """Stops it in its tracks (SIGSTOP): its connections stay open, and nobody answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused one go on."""
        self.process.signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it in good order, or by force."""
        self.process.stop()

    async def close(self) -> None:
        """Closes the harness's own connections."""

    async def answers(self) -> bool:
        """Whether it answers now."""
        raise NotImplementedError

    async def answering(self) -> float:
        """Waits until it answers; says how long that took.

        Raises:
            StuckError: It ended instead, or took too long.
        """

        async def lives_and_answers() -> bool:
            if not self.process.running:
                raise StuckError(f"{self.name} has ended:\n{self.process.last_words()}")
            return await self.answers()

        try:
            return await until(f"{self.name} answers", lives_and_answers)
        except StuckError as error:
            raise StuckError(f"{error}\n{self.process.last_words()}") from None
