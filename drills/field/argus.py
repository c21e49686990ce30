"""A process of `argus serve`."""

import contextlib
import sys
from pathlib import Path
from typing import Final

import httpx

from drills.field.parts import LOOPBACK, Part, free_port

_PROGRAM: Final = "from argus.cli.main import main; main()"


class ArgusServer(Part):
    """One of the servers, on ports that stay the same over a restart."""

    def __init__(self, number: int, folder: Path, settings: dict[str, str]) -> None:
        """Describes it.

        Args:
            number: From 1.
            folder: Where its settings and log go.
            settings: What differs from the defaults, by name; they hold secrets.
        """
        super().__init__(f"argus-{number}", folder)
        self.grpc_port, self.admin_port = free_port(), free_port()
        self._config = folder / f"{self.name}.toml"
        self.settings = settings | {
            "grpc_listen": f"{LOOPBACK}:{self.grpc_port}",
            "http_listen": f"{LOOPBACK}:0",
            "admin_listen": f"{LOOPBACK}:{self.admin_port}",
            "log_format": "json",
        }
        self._http = httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self.admin_port}", timeout=3)

    def launch(self) -> None:
        """Starts it."""
        self._config.touch(0o600)
        self._config.write_text(to_toml(self.settings))
        self.run([sys.executable, "-c", _PROGRAM, "serve", "--config", self._config])

    async def answers(self) -> bool:
        """Whether it says that it is ready."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        return False

    async def close(self) -> None:
        """Closes the harness's own connections."""
        await self._http.aclose()


def to_toml(settings: dict[str, str]) -> str:
    """Settings as `argus.toml` has them; "policy.idle" becomes a dotted key."""
    return "".join(f'{name} = "{value}"\n' for name, value in settings.items())
