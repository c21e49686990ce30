"""The style sheet and the script: one file each, named by their content, so that browsers may keep them for ever."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TYPES: Final = {
    "pages.css": "text/css; charset=utf-8",
    "pages.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that every page uses."""

    path: str
    body: bytes
    media_type: str


class Assets:
    """Every file, by name."""

    def __init__(self) -> None:
        self._assets = {name: _read(name, media_type) for name, media_type in _TYPES.items()}

    def path(self, name: str) -> str:
        """Where a file is served."""
        return self._assets[name].path

    def routes(self) -> list[Route]:
        """Serves them."""
        return [Route("/assets/{digest}/{name}", self._get)]

    async def _get(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["name"])
        # Another content's name is not there: an old page behind a new server must not be given what is not its own.
        if asset is None or asset.path != request.url.path:
            raise HTTPException(404)
        return Response(asset.body, media_type=asset.media_type, headers=_FOR_EVER)


def _read(name: str, media_type: str) -> Asset:
    body = (files(__package__) / "assets" / name).read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(path=f"/assets/{digest}/{name}", body=body, media_type=media_type)
