"""Runs the commands of `argus` as an administrator does."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from argus.cli.main import app
from argus.server.api import Api
from tests.support.logs import kept_logging
from tests.support.stack import Stack

_ID: Final = re.compile("-[A-Za-z0-9_-]{21,}")
_PATIENCE_SECONDS: Final = 60.0


def _ids_last(words: Sequence[str]) -> list[str]:
    """An id may begin with "-": then it goes after "--", as the help says."""
    ids = [one for before, one in pairwise(words) if _ID.fullmatch(one) and not before.startswith("--")]
    return [*(one for one in words if one not in ids), *(["--", *ids] if ids else [])]


class Shell:
    """Runs commands against the stores of the stack."""

    def __init__(self, stack: Stack, api: Api, folder: Path, **more: str) -> None:
        settings = stack.private.settings
        self._environment = {
            "ARGUS_REDIS_URL": settings.redis_url.get_secret_value(),
            "ARGUS_DATABASE_URL": settings.database_url.get_secret_value(),
            "ARGUS_KEY_ENCRYPTION_KEY": settings.key_encryption_key.get_secret_value(),
            "ARGUS_TENANT": api.tenant_id,
            **more,
        }
        self.folder = folder
        self._stack = stack

    async def run(self, *words: str, typed: str = "", code: int = 0) -> str:
        """What a command says; it must end with `code`."""
        # In a thread, because a command has an event loop of its own; in the time of the stack, which tests move.
        with kept_logging(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("argus.cli.management.Clock", lambda: self._stack.private.clock)
            result = await asyncio.to_thread(
                CliRunner().invoke, app, _ids_last(words), input=typed, env=self._environment, catch_exceptions=False
            )
        assert result.exit_code == code, (words, result.output)
        return result.stdout

    async def json(self, *words: str, typed: str = "") -> Any:
        """The same with `--json`."""
        return json.loads(await self.run(*words, "--json", typed=typed))

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Begins a command in a process of its own, which brings the functions in Redis to the system's time."""
        command = (sys.executable, "-c", "from argus.cli.main import main; main()", *words)
        return await asyncio.create_subprocess_exec(
            *command, env=os.environ | self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    async def process(self, *words: str) -> tuple[int | None, str]:
        """What comes of such a command: its exit code, and what it says of what went wrong."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            started = await self.start(*words)
            _, said = await started.communicate()
        # Back to the time of the stack.
        await self._stack.argus.redis.load_functions()
        return started.returncode, said.decode()

    def file(self, text: str) -> str:
        """A file with a secret in it."""
        path = self.folder / "secret"
        path.write_text(text + "\n")
        return str(path)
