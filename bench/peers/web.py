"""Servers of other people that speak OAuth 2.0 over HTTP: what a benchmark asks of each."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import httpx

from argus.storage.processes import ServerProcess

CLIENT_ID: Final = "backend"
_START_SECONDS: Final = 240
_POLL_SECONDS: Final = 0.1
_TIMEOUT: Final = httpx.Timeout(60)
_REFUSED: Final = frozenset({400, 401})


class AbsentError(Exception):
    """This machine has not what a server is made of: it is left out, saying so."""


class WrongAnswerError(Exception):
    """A server has answered otherwise than was meant: its figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a client holds of a session."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Peer(Protocol):
    """A server with its stores, in processes of its own."""

    @property
    def name(self) -> str:
        """With its version."""
        ...

    @property
    def stores(self) -> Mapping[str, int]:
        """Process ids of its stores: `redis` or `database`."""
        ...

    @property
    def web(self) -> "Web":
        """The server."""
        ...

    async def sign_ins(self, count: int) -> Sequence[Mapping[str, str]]:
        """So many forms, each of which begins a session at the token endpoint."""
        ...


class Web:
    """A server process, and its endpoints."""

    def __init__(self, name: str, folder: Path, command: Sequence[str | Path], *, secret: str, ready: str) -> None:
        """Describes a server.

        Args:
            name: Of its log.
            folder: Where it runs.
            command: How it is started.
            secret: The client's.
            ready: URL that answers 200 once it serves.
        """
        self._process = ServerProcess(
            name, folder=folder, account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGKILL
        )
        self._folder = folder
        self._command = command
        self._client_form = {"client_id": CLIENT_ID, "client_secret": secret}
        self._ready = ready
        self.token_url = self.introspection_url = ""
        self.http = httpx.AsyncClient(timeout=_TIMEOUT, limits=httpx.Limits(max_connections=64))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self._process.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()
        await asyncio.to_thread(self._process.stop)

    async def start(self) -> None:
        """Starts it, and waits until it serves.

        Raises:
            WrongAnswerError: It has ended, or does not serve in time.
        """
        self._process.launch(self._command, cwd=self._folder)
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._is_ready():
                    if not self._process.running:
                        raise WrongAnswerError(f"it ended at its start:\n{self._process.last_words()}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise WrongAnswerError(f"it does not serve:\n{self._process.last_words()}") from None

    def kill(self) -> None:
        """Ends it without a word."""
        self._process.kill()

    async def issue(self, form: Mapping[str, str]) -> Tokens:
        """Begins a session.

        Raises:
            WrongAnswerError: It was refused.
        """
        tokens = await self._tokens(form)
        if tokens is None:
            raise WrongAnswerError("a sign-in was refused")
        return tokens

    async def refresh(self, tokens: Tokens) -> Tokens | None:
        """The next tokens; None: refused."""
        return await self._tokens({"grant_type": "refresh_token", "refresh_token": tokens.refresh})

    async def is_good(self, tokens: Tokens) -> bool:
        """Whether the access token's session lives (RFC 7662)."""
        answer = await self.http.post(self.introspection_url, data=self._client_form | {"token": tokens.access})
        answer.raise_for_status()
        return bool(answer.json()["active"])

    async def _tokens(self, form: Mapping[str, str]) -> Tokens | None:
        answer = await self.http.post(self.token_url, data=self._client_form | dict(form))
        if answer.status_code in _REFUSED:
            return None
        said = answer.raise_for_status().json()
        return Tokens(access=said["access_token"], refresh=said["refresh_token"])

    async def _is_ready(self) -> bool:
        try:
            return (await self.http.get(self._ready)).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


async def together(works: Sequence[Callable[[], Any]], *, in_flight: int) -> list[Any]:
    """Does all of them, so many at a time; answers in their order."""
    waiting = iter(enumerate(works))
    done: list[Any] = [None] * len(works)

    async def work() -> None:
        for place, one in waiting:
            done[place] = await one()

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())
    return done
