"""Services that verify access tokens without calling Argus: programs with other people's libraries, and our module."""

import asyncio
import base64
import hashlib
import json
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import KeySetError, KeySetTimes, RemoteKeySet

_CLIENTS: Final = Path(__file__).parents[1] / "interop" / "clients"
_TOOLS: Final = Path(__file__).parents[2] / ".tools"
_PATIENCE_SECONDS: Final = 60
_BUILD_SECONDS: Final = 300


class AbsentError(Exception):
    """This machine has not what a verifier is made of: its tests are skipped, saying so."""


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


def go_oidc(issuer: str) -> Program:
    """A service with go-oidc, built of its sources.

    Raises:
        AbsentError: There is no Go, or no way to get the library.
    """
    go = _program("go")
    built = _workplace("go_oidc") / "verify"
    if not built.exists():
        source = _CLIENTS / "go_oidc"
        _get(go, "mod", "download", cwd=source)
        subprocess.run([go, "build", "-mod=readonly", "-o", built, "."], cwd=source, check=True, timeout=_BUILD_SECONDS)
    return Program([built, issuer])


def jose(metadata_url: str, *, kept: timedelta) -> Program:
    """A service with jose on Node.js.

    Args:
        metadata_url: Where the issuer's metadata are.
        kept: How long it keeps a key set (`cacheMaxAge`). It asks for unknown keys once in half a minute.

    Raises:
        AbsentError: There is no Node.js, or no way to get the library.
    """
    node, npm = _program("node"), _program("npm")
    folder = _workplace("jose")
    if not (folder / "node_modules" / "jose").exists():
        shutil.copytree(_CLIENTS / "jose", folder, dirs_exist_ok=True)
        _get(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return Program([node, folder / "verify.mjs", metadata_url, str(int(kept.total_seconds() * 1000))])


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AbsentError(f"there is no {name} in PATH")
    return found


def _workplace(name: str) -> Path:
    """A folder for what is made of a client's sources; other sources have another one."""
    sources = sorted(path for path in (_CLIENTS / name).iterdir() if path.is_file())
    digest = hashlib.sha256(b"\0".join(path.name.encode() + path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = _TOOLS / "clients" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _get(*command: str, cwd: Path) -> None:
    """Gets what a client is made of."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    if done.returncode:
        raise AbsentError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
