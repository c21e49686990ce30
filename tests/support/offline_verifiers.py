"""Services that verify access tokens without calling Argus: programs with other people's libraries, and our module."""

import asyncio
import base64
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import KeySetError, KeySetTimes, RemoteKeySet
from tests.support.toolchains import CLIENTS, alone, build, copied, get, program, workplace

_PATIENCE_SECONDS: Final = 60


class OfflineVerifier(Protocol):
    """Keeps an issuer's keys and verifies by them."""

    async def start(self) -> None:
        """Gets ready."""

    async def check(self, token: str) -> str:
        """Empty if the token is good, else why not."""

    async def stop(self) -> None:
        """Goes."""


class Program:
    """A program that is given a token a line, and answers "good …" or "refused …"."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._command = command
        self._process: Process | None = None
        # One question at a time.
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Starts it, and waits until it is ready."""
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        assert await self._line() == "ready"

    async def check(self, token: str) -> str:
        """Empty if the token is good, else why not."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._lock:
            self._process.stdin.write(f"{token}\n".encode())
            verdict, _, rest = (await self._line()).partition(" ")
        assert verdict in {"good", "refused"}
        return "" if verdict == "good" else rest

    async def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return (await self._process.stdout.readline()).decode().rstrip("\n")


class Module:
    """`argus.sdk.jwks` and the signature; claims are no matter of keys."""

    def __init__(self, url: str, times: KeySetTimes) -> None:
        self.key_set = RemoteKeySet(url, fetcher=Fetcher(allow_loopback=True), times=times)

    async def start(self) -> None:
        """Fetches the set."""
        await self.key_set.warm()

    async def check(self, token: str) -> str:
        """Empty if the token is good, else why not."""
        signed, _, signature = token.rpartition(".")
        try:
            key = await self.key_set.key(json.loads(_decode(token.partition(".")[0]))["kid"])
            key.verify(signed.encode(), _decode(signature))
        except (KeySetError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    async def stop(self) -> None:
        """Ends a fetch under way."""
        await self.key_set.close()


@alone
def go_oidc(issuer: str) -> Program:
    """A service with go-oidc, built of its sources.

    Raises:
        AbsentError: There is no Go, or no way to get the library.
    """
    go = program("go")
    built = workplace("go_oidc") / "verify"
    if not built.exists():
        source = CLIENTS / "go_oidc"
        get(go, "mod", "download", cwd=source)
        build(go, "build", "-mod=readonly", "-o", built, ".", cwd=source)
    return Program([built, issuer])


@alone
def jose(metadata_url: str, *, kept: timedelta) -> Program:
    """A service with jose on Node.js.

    Args:
        metadata_url: Where the issuer's metadata are.
        kept: How long it keeps a key set (`cacheMaxAge`). It asks for unknown keys once in half a minute.

    Raises:
        AbsentError: There is no Node.js, or no way to get the library.
    """
    node, npm = program("node"), program("npm")
    folder = workplace("jose")
    if not (folder / "node_modules" / "jose").exists():
        copied("jose", folder)
        get(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return Program([node, folder / "verify.mjs", metadata_url, str(int(kept.total_seconds() * 1000))])


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
