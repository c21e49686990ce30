"""The server programs that tests run against: the Valkey of the wheel, and a Redis of 7 or newer.

Redis is that of ARGUS_TEST_REDIS, else of PATH, else one of the system's packages, unpacked (not installed) into
`.tools/` of the project.
"""

import functools
import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from argus.storage.binaries import find_binaries

KINDS: Final = ("valkey", "redis")
"""What a test of the Redis functions or of a failover runs on."""

_TOOLS: Final = Path(__file__).parents[2] / ".tools"
_OLDEST_REDIS: Final = 7
# The server, and those of its libraries that a system without it may lack.
_PACKAGES: Final = ("redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "liblzf1", "lua-bitop", "lua-cjson")
_SECONDS: Final = 120


def server_program(kind: str) -> Path:
    """The program of a kind; its test is skipped, saying so, where there is none."""
    return find_binaries(None, None).valkey if kind == "valkey" else _redis_or_skip()


def is_there(kind: str) -> bool:
    """There is a program of that kind."""
    return kind == "valkey" or _redis() is not None


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def _redis_or_skip() -> Path:
    found = _redis()
    if found is None:
        pytest.skip(
            f"no Redis {_OLDEST_REDIS} or newer: not in ARGUS_TEST_REDIS, not in PATH, and apt-get can't download it"
        )
    return found


@functools.cache
def _redis() -> Path | None:
    named, unpacked = (os.environ.get("ARGUS_TEST_REDIS"), shutil.which("redis-server")), _TOOLS / "redis/redis-server"
    candidates = [Path(one) for one in named if one]
    if not any(_is_new_enough(one) for one in candidates) and not unpacked.exists():
        _unpack(unpacked.parent)
    return next((one for one in (*candidates, unpacked) if _is_new_enough(one)), None)


def _is_new_enough(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.match(r"Redis server v=(\d+)", done.stdout)
    return found is not None and int(found[1]) >= _OLDEST_REDIS


def _unpack(folder: Path) -> None:
    """Downloads the packages and unpacks them; nothing is there afterwards if that fails, or if another was faster."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return
    folder.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        downloads, root = Path(temporary) / "downloads", Path(temporary) / "redis"
        downloads.mkdir()
        try:
            options = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
            _run("apt-get", *options, "download", *_PACKAGES, cwd=downloads)
            for package in downloads.glob("*.deb"):
                _run("dpkg", "-x", str(package), str(root), cwd=downloads)
        except (OSError, subprocess.SubprocessError):
            return
        libraries = sorted({str(path.parent.relative_to(root)) for path in root.rglob("*.so*")})
        starter = root / "redis-server"
        search = ":".join(f"{folder}/{library}" for library in libraries)
        starter.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{search}" exec "{folder}/usr/bin/redis-server" "$@"\n')
        starter.chmod(0o755)
        if not folder.exists():
            root.rename(folder)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=_SECONDS)
