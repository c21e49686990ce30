"""A process that dies leaves no core dump: private keys are in its memory."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.support.own_stores import until

if TYPE_CHECKING:
    from tests.support.stack import Stack

_SERVE: Final = "from argus.cli.main import main; main()"
_CANARY: Final = "import os; canary = 'canary' * 1000; os.abort()"
_PATIENCE: Final = 60


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """Starts Python in a folder, as somebody who has allowed core dumps of any size."""
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", 'ulimit -c unlimited; exec "$@"', "sh", sys.executable, "-c", *words],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )


def cores(folder: Path) -> list[Path]:
    """What a process left behind besides its log."""
    return [file for file in folder.iterdir() if file.name != "log"]


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY, reason="this machine allows no core dumps"
)
async def test_a_server_that_is_aborted_leaves_no_core(stack: Stack, tmp_path: Path) -> None:
    """Whatever the shell that it was started from allows."""
    settings = stack.private.settings
    server = start(
        tmp_path / "server",
        _SERVE,
        "serve",
        ARGUS_REDIS_URL=settings.redis_url.get_secret_value(),
        ARGUS_DATABASE_URL=settings.database_url.get_secret_value(),
        ARGUS_KEY_ENCRYPTION_KEY=settings.key_encryption_key.get_secret_value(),
        **{f"ARGUS_{name}_LISTEN": "127.0.0.1:0" for name in ("GRPC", "HTTP", "ADMIN")},
    )
    try:

        async def serves() -> bool:
            assert server.poll() is None, (tmp_path / "server/log").read_text()
            return "server.started" in (tmp_path / "server/log").read_text()

        await until(serves)
        assert psutil.Process(server.pid).rlimit(psutil.RLIMIT_CORE) == (1, 1)
        server.send_signal(signal.SIGABRT)
        assert server.wait(_PATIENCE) == -signal.SIGABRT
    finally:
        server.kill()
        server.wait()
        await stack.argus.redis.load_functions()
    assert cores(tmp_path / "server") == []


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text().strip() != "core"
    or resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY,
    reason="this machine writes its core dumps elsewhere, or allows none",
)
def test_another_process_would_leave_one(tmp_path: Path) -> None:
    """With all that it had in memory: the look above can fail."""
    assert start(tmp_path / "other", _CANARY).wait(_PATIENCE) == -signal.SIGABRT
    (core,) = cores(tmp_path / "other")
    assert b"canary" * 1000 in core.read_bytes()
