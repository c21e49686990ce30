"""The network between two parts: Shopify's toxiproxy, of which every connection goes through a proxy."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx

from drills.field.parts import LOOPBACK, Part, StuckError, free_port

VERSION: Final = "v2.12.0"
_MODULE: Final = f"github.com/Shopify/toxiproxy/v2/cmd/server@{VERSION}"
_TOOLS: Final = Path(__file__).parents[2] / ".tools"
_BUILD_SECONDS: Final = 600


def find_toxiproxy() -> Path | None:
    """The program: that of the system, or one that is built once into `.tools`; None: there is none, and no Go."""
    if found := shutil.which("toxiproxy-server"):
        return Path(found)
    built = _TOOLS / f"toxiproxy-{VERSION}" / "server"
    go = shutil.which("go")
    if not built.exists() and go:
        built.parent.mkdir(parents=True, exist_ok=True)
        environment = {"GOBIN": str(built.parent), "PATH": str(Path(go).parent), "HOME": str(Path.home())}
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run([go, "install", _MODULE], check=True, timeout=_BUILD_SECONDS, env=environment)  # noqa: S603
    return built if built.exists() else None


class Network(Part):
    """All proxies. Each has a name, and a port that stays the same whatever is behind it."""

    def __init__(self, folder: Path, program: Path) -> None:
        """Describes it.

        Args:
            folder: Where its log goes.
            program: The server of toxiproxy.
        """
        super().__init__("toxiproxy", folder)
        self._program = program
        self._port = free_port()
        self._http = httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self._port}", timeout=10)
        self.ports: dict[str, int] = {}

    def launch(self) -> None:
        """Starts it, without any proxy."""
        self.run([self._program, "-host", LOOPBACK, "-port", str(self._port)])

    async def answers(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self._http.get("/version")).status_code == httpx.codes.OK
        return False

    async def connect(self, name: str, port: int, *, listen: int = 0) -> int:
        """Makes a proxy in front of a port; returns the port to connect to."""
        listen = listen or free_port()
        proxy = {"name": name, "listen": f"{LOOPBACK}:{listen}", "upstream": f"{LOOPBACK}:{port}", "enabled": True}
        await self._ask("POST", "/proxies", proxy)
        self.ports[name] = listen
        return listen

    async def lead_to(self, name: str, port: int) -> None:
        """Puts something else behind a proxy; connections that there are, are cut."""
        await self._ask("POST", f"/proxies/{name}", {"upstream": f"{LOOPBACK}:{port}"})

    async def unplug(self, name: str) -> None:
        """Cuts all connections, and refuses new ones."""
        await self._ask("POST", f"/proxies/{name}", {"enabled": False})

    async def poison(self, name: str, kind: str, **attributes: int) -> None:
        """Adds a toxic in both directions.

        Args:
            name: Of the proxy.
            kind: Of the toxic: latency, bandwidth, timeout, reset_peer.
            attributes: As toxiproxy's documentation names them.
        """
        for stream in ("upstream", "downstream"):
            toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
            await self._ask("POST", f"/proxies/{name}/toxics", toxic)

    async def heal(self) -> None:
        """Takes all toxics away, and plugs everything in."""
        await self._ask("POST", "/reset", {})

    async def close(self) -> None:
        """Closes the harness's own connections."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, content: dict[str, Any]) -> None:
        response = await self._http.request(method, path, json=content)
        if response.is_error:
            raise StuckError(f"toxiproxy: {method} {path}: {response.text}")
