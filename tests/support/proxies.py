"""nginx and HAProxy, with the very configuration that docs/guides/behind-a-proxy.md shows."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.toolchains import ROOT

_GUIDE: Final = ROOT / "docs" / "guides" / "behind-a-proxy.md"
_PATIENCE: Final = 20.0
_SYSTEM: Final = "/usr/sbin:/usr/local/sbin"
# What a complete nginx needs around a file of conf.d, for somebody who owns nothing outside of a folder.
_AROUND: Final = """
daemon off;
{user}pid {folder}/nginx.pid;
error_log {folder}/log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/argus.conf;
}}
"""


def shown(language: str) -> str:
    """The configuration in the guide."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", _GUIDE.read_text("utf-8"), re.DOTALL)
    return str(block)


def found(name: str) -> str:
    """The program; its test is skipped, saying so, where there is none."""
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM)
    if path is None:
        pytest.skip(f"there is no {name} (Debian: apt-get install {name})")
    return path


def fitted(text: str, places: Mapping[str, str]) -> str:
    """The configuration with other ports and files; each of them must be in it."""
    for old, new in places.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@asynccontextmanager
async def nginx(folder: Path, places: Mapping[str, str], port: int) -> AsyncIterator[None]:
    """Runs nginx."""
    program = found("nginx")
    (folder / "argus.conf").write_text(fitted(shown("nginx"), places))
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_AROUND.format(folder=folder, user=user))
    async with _running(folder, port, program, "-p", str(folder), "-c", str(folder / "nginx.conf")):
        yield


@asynccontextmanager
async def haproxy(folder: Path, places: Mapping[str, str], port: int) -> AsyncIterator[None]:
    """Runs HAProxy."""
    program = found("haproxy")
    (folder / "haproxy.cfg").write_text(fitted(shown("haproxy"), places))
    async with _running(folder, port, program, "-db", "-f", str(folder / "haproxy.cfg")):
        yield


@asynccontextmanager
async def _running(folder: Path, port: int, *command: str) -> AsyncIterator[None]:
    with (folder / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, cwd=folder)
    try:
        await _listens(process, port, folder / "output")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), _PATIENCE)


async def _listens(process: asyncio.subprocess.Process, port: int, output: Path) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            assert process.returncode is None, await asyncio.to_thread(output.read_text)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return
