"""Key-encryption keys that an external provider wraps, by way of a program: a KMS, Vault, a PKCS#11 token."""

import asyncio
import base64
import binascii
import contextlib
import os
import re
import select
import selectors
import shlex
import signal
import subprocess
import time
from datetime import timedelta
from typing import IO, Final, Literal, Protocol

import structlog

from argus.base.errors import UnavailableError
from argus.base.settings_sources import PREFIX

log = structlog.get_logger(__name__)

MAX_WRAPPED: Final = 16 * 1024
"""Longest wrapped key, in characters."""

MAX_OUTPUT: Final = 64 * 1024
"""Most bytes that the program may write: to standard output, and as many to standard error."""

_CHUNK: Final = 16 * 1024
_SAID: Final = 400
_LIKE_A_KEY: Final = re.compile(r"[A-Za-z0-9+/=_:-]{40,}")
_WITHHELD: Final = "(what it said holds key material and is not repeated)"

Operation = Literal["wrap", "unwrap"]


class KeyWrapping(Protocol):
    """Somebody who keeps the key that key-encryption keys are wrapped with, and never gives it away."""

    async def wrap(self, key: bytes) -> str:
        """The key as a text that only this provider can read.

        Raises:
            KeyEncryptionUnavailableError: The provider is away, or refuses.
        """

    async def unwrap(self, wrapped: str) -> bytes:
        """The key that `wrap` was given.

        Raises:
            KeyEncryptionUnavailableError: The provider is away, or refuses.
        """


class KeyEncryptionUnavailableError(UnavailableError):
    """The provider of key-encryption keys can't be used; `detail` is for operators, and no caller is told of it."""

    def __init__(self, detail: str) -> None:
        super().__init__("key_encryption")
        self.detail = detail


class _EndlessOutputError(Exception):
    """The program writes more than anybody wants to keep."""


class WrappingCommand:
    """A program that wraps and unwraps: `<command> wrap` and `<command> unwrap`.

    What it works on comes by standard input, and its answer goes to standard output: of a key always its base64, of a
    wrapped key one line of whatever the program likes. Nothing secret is in its arguments or its environment.
    """

    def __init__(self, command: str, *, timeout: timedelta) -> None:
        """Describes the program.

        Args:
            command: Program and arguments, quoted as for a shell; no shell is asked.
            timeout: Longest time that it may take; then it is killed with whatever it has started.
        """
        self._words = shlex.split(command)
        self._timeout = timeout

    async def wrap(self, key: bytes) -> str:
        """See `KeyWrapping`."""
        text = base64.b64encode(key).decode()
        wrapped = await self._run("wrap", text)
        if len(wrapped) > MAX_WRAPPED or not wrapped.isprintable():
            raise self._failed("wrap", f"its answer is not one line of at most {MAX_WRAPPED} characters")
        if text in wrapped:
            raise self._failed("wrap", "its answer holds the key itself: that is no wrapping")
        return wrapped

    async def unwrap(self, wrapped: str) -> bytes:
        """See `KeyWrapping`."""
        try:
            return base64.b64decode(await self._run("unwrap", wrapped), validate=True)
        except (binascii.Error, ValueError):
            raise self._failed("unwrap", "its answer is not base64") from None

    async def _run(self, operation: Operation, text: str) -> str:
        # In a thread and not by the event loop: Python's own way to start a process runs none of the fork handlers that
        # libraries have left behind.
        return await asyncio.to_thread(self._run_here, operation, text)

    def _run_here(self, operation: Operation, text: str) -> str:
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own program, without a shell
                [*self._words, operation],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise self._failed(operation, f"it can't be started ({type(error).__name__})") from None
        with process:
            try:
                answer, said = _talk(process, f"{text}\n".encode(), self._timeout)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise self._failed(operation, f"no answer within {self._timeout.total_seconds():g} s") from None
            except _EndlessOutputError:
                _kill(process)
                raise self._failed(operation, f"it writes more than {MAX_OUTPUT} bytes") from None
        answer = answer.strip()
        if process.returncode != 0 or not answer:
            # A pipe in a script ends well whatever happens at its beginning.
            ended = f"exit status {process.returncode}" if process.returncode else "no answer"
            said = _WITHHELD if text in said or (answer and answer in said) else _shown(said)
            raise self._failed(operation, f"{ended}{f': {said}' if said else ''}")
        return answer

    def _failed(self, operation: Operation, why: str) -> KeyEncryptionUnavailableError:
        detail = f"the key-encryption command {self._words[0]} can't {operation}: {why}"
        log.warning("key_encryption.unavailable", detail=detail)
        return KeyEncryptionUnavailableError(detail)


def _environment() -> dict[str, str]:
    """Ours, with what the program needs for its provider, and without Argus's own settings: some are secret."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _talk(process: subprocess.Popen[bytes], given: bytes, timeout: timedelta) -> tuple[str, str]:
    """Gives the program its input; what it has written to its output and its errors when it has ended.

    As `Popen.communicate`, which keeps whatever a program writes.

    Raises:
        subprocess.TimeoutExpired: It has not ended in time.
        _EndlessOutputError: It writes more than `MAX_OUTPUT`.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    written = {name: bytearray() for name in ("stdout", "stderr")}
    with selectors.DefaultSelector() as pipes:
        pipes.register(_there(process.stdin), selectors.EVENT_WRITE, "stdin")
        for name in written:
            pipes.register(_there(getattr(process, name)), selectors.EVENT_READ, name)
        while pipes.get_map():
            left = deadline - time.monotonic()
            if left <= 0 or not (ready := pipes.select(left)):
                raise subprocess.TimeoutExpired(process.args, timeout.total_seconds())
            for key, _ in ready:
                if key.data == "stdin":
                    given = given[_write(key.fd, given) :]
                    is_done = not given
                else:
                    is_done = _read(key.fd, written[key.data])
                if is_done:
                    pipes.unregister(key.fileobj)
                    _there(getattr(process, key.data)).close()
    process.wait(max(0.0, deadline - time.monotonic()))
    answer, said = (written[name].decode("utf-8", "replace") for name in ("stdout", "stderr"))
    return answer, said


def _write(fd: int, given: bytes) -> int:
    """How much of the input the program has taken; all of it if it takes no more."""
    try:
        return os.write(fd, given[: select.PIPE_BUF])
    except BrokenPipeError:
        return len(given)


def _read(fd: int, written: bytearray) -> bool:
    """Takes what the program has written; whether that is the end."""
    chunk = os.read(fd, _CHUNK)
    written += chunk
    if len(written) > MAX_OUTPUT:
        raise _EndlessOutputError
    return not chunk


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the program was started without its pipes")
    return pipe


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the program, which runs, and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _shown(said: str) -> str:
    """The end of what a program said, on one line; nothing in it that is long enough to be a key in any writing."""
    line = " ".join("".join(one if one.isprintable() else " " for one in said).split())
    return _LIKE_A_KEY.sub(_WITHHELD, line)[-_SAID:]
