"""The empty server as a contender: asked what Argus is asked, it answers as much as Argus does."""

import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from argus.server.bench.hot import Begun, Contender, Hot, WrongStateError
from argus.server.bench.runs import Pace, Turn
from argus.storage.processes import ServerProcess
from bench.peers.contender import address_in

_ROOT: Final = Path(__file__).parents[3]
_ONE: Final = Pace(in_flight=1)


class Echoed(Hot):
    """Verifications that nobody makes, of the sessions of another server."""

    def __init__(self, echo: "_Echo", like: Hot, answer: bytes, *, tick: Callable[[int], object]) -> None:
        super().__init__(echo, tick=tick)
        self._like = like
        self._answer = answer

    async def begin(self, count: int) -> list[Begun]:
        """Sessions of the other server."""
        return await self._like.begin(count)

    async def verify(self, sessions: Sequence[Begun], count: int, pace: Pace) -> Turn:
        """Asks as for a verification.

        Raises:
            WrongStateError: An answer is another than the fixed one.
        """
        turn, answers = await self.ask(sessions, count, pace)
        if set(answers) != {self._answer}:
            raise WrongStateError("the empty server has answered something else")
        return turn


class _Echo:
    """The empty server. A `Contender`, as far as verifications need one."""

    def __init__(self, address: str, pid: int, like: Contender) -> None:
        self.address = address
        self._like = like
        self.processes: Mapping[str, int] = {"server": pid}

    async def authorization(self) -> str:
        """The other server's, so that as many bytes are sent."""
        return await self._like.authorization()

    async def users(self, count: int) -> list[str]:
        """The other server's."""
        return await self._like.users(count)

    async def generations(self, session_ids: Sequence[str]) -> list[int]:
        """The other server's."""
        return await self._like.generations(session_ids)


@asynccontextmanager
async def echo(like: Contender, *, tick: Callable[[int], object]) -> AsyncIterator[Echoed]:
    """An empty server that answers with what another one answers to a verification.

    To be entered from the main thread, with which it ends.

    Args:
        like: The other one.
        tick: Told how many calls were answered since it was told last.
    """
    hot = Hot(like)
    _, (answer,) = await hot.ask(await hot.begin(1), 1, _ONE)
    with tempfile.TemporaryDirectory(prefix="argus-") as folder:
        process = ServerProcess(
            "echo", folder=Path(folder), account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGKILL
        )
        command: list[Any] = [sys.executable, "-m", "bench.peers.echo", "--answer", answer.hex()]
        try:
            process.launch(command, cwd=_ROOT)
            process.wait_until(lambda: address_in(process.log) is not None)
            server = _Echo(address_in(process.log) or "", process.pid, like)
            yield Echoed(server, hot, answer, tick=tick)
        finally:
            process.stop()
