"""The wheel without extras, in an environment of its own: the lines of the guide work, and no server is there."""

import asyncio
import json
import os
import re
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from argus.server.bootstrap import DEV_RESOURCE
from argus.server.private_stack import stack_over
from argus.storage.embedded import EmbeddedStores, StoreUrls
from tests.support.people import new_person, terminate
from tests.support.servers import free_ports

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = ROOT / "docs/guides/sdk.md"
PROGRAM: Final = Path(__file__).parent / "clients" / "sdk" / "guide.py"
SERVER_ONLY: Final = (
    "argon2",
    "cryptography",
    "psycopg",
    "pydantic",
    "redis",
    "starlette",
    "structlog",
    "typer",
    "uvicorn",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel, and what the wheel itself asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    own = ROOT / ".venv-uv/bin/uv"
    uv = str(own) if own.exists() else "uv"
    # The crates are compiled already, with this interpreter.
    environment = {**os.environ, "PYO3_PYTHON": str(ROOT / ".venv/bin/python")}
    environment.pop("VIRTUAL_ENV", None)
    for command in (
        [uv, "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)],
        [uv, "venv", "--quiet", str(folder / "env")],
    ):
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=600)
    (wheel,) = folder.glob("*.whl")
    install = [uv, "pip", "install", "--quiet", "--python", str(folder / "env/bin/python"), str(wheel)]
    subprocess.run(install, env=environment, check=True, timeout=600)
    return folder / "env/bin"


@pytest.fixture
def stores_of_now(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUrls]:
    """Stores whose server has the machine's time of day, as the guide's verifier does."""
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as stores:
        yield stores.urls
        stores.delete()


@pytest.mark.timeout(900)
def test_nothing_of_the_server_is_installed(installed: Path, tmp_path: Path) -> None:
    look = f"from importlib.util import find_spec; print([n for n in {SERVER_ONLY!r} if find_spec(n)])"
    assert subprocess.check_output([installed / "python", "-c", look], cwd=tmp_path, text=True) == "[]\n"
    told = subprocess.run([installed / "argus", "serve"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert "argus-session-authority[server]" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.timeout(900)
async def test_the_lines_of_the_guide_work_as_pasted(installed: Path, stores_of_now: StoreUrls, tmp_path: Path) -> None:
    """Verify, guard, refresh and learn of an end; but for addresses, names and secrets it is the guide's own text."""
    (port,) = free_ports(1)
    at = f"http://127.0.0.1:{port}"
    async with (
        stack_over(stores_of_now, http_listen=f"127.0.0.1:{port}", base_url=at) as stack,
        stack.fresh_tenant() as api,
    ):
        signed_in = await (await new_person(api)).sign_in()
        (tmp_path / ".argus/secrets").mkdir(parents=True)
        (tmp_path / f".argus/secrets/{api.client_id}-secret").write_text(api._secret)
        lines = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL))
        for ours, theirs in (
            ("127.0.0.1:50051", api.address),
            ("http://localhost:8080/t/dev", f"{at}/t/{api.tenant_id}"),
            ('"dev"', f'"{api.tenant_id}"'),
            ("dev-service", api.client_id),
            (DEV_RESOURCE, "https://documents.example.com"),
        ):
            assert ours in lines
            lines = lines.replace(ours, theirs)
        (tmp_path / "guide_lines.py").write_text(lines)
        process = await asyncio.create_subprocess_exec(
            *(installed / "python", "-I", "-W", "error", PROGRAM, signed_in.tokens.refresh_token),
            *(signed_in.tokens.access_token, str(tmp_path / "guide_lines.py")),
            cwd=tmp_path,
            stdin=PIPE,
            stdout=PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(120):
            seen = json.loads(await process.stdout.readline() or "null")
            assert seen == {
                "offline": signed_in.session.name,
                "online": signed_in.session.name,
                "is_fresh": True,
                "web": [200, f"hello {signed_in.session.name.split('/')[3]}"],
                "threads": signed_in.session.name,
                "without": 401,
                "is_refreshed": True,
                "is_saved": True,
            }
            await terminate(api, signed_in.session.name)
            process.stdin.write(b"ended\n")
            assert json.loads(await process.stdout.readline()) == {"after": "SESSION_ENDED", "web": 401}
            assert await process.wait() == 0
