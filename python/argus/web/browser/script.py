"""The script that keeps a session going, as browsers fetch it: unchangeable by its name, and checked by its hash."""

import base64
import hashlib
import re
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_SOURCE: Final = resources.files("argus.web.browser").joinpath("static/argus-session.js").read_text("utf-8")
# A third of it is for who reads it here: lines of comments, and what lines begin with. It has no text of several lines.
_CONTENT: Final = re.sub(r"^ +", "", re.sub(r"^ *//.*\n", "", _SOURCE, flags=re.MULTILINE), flags=re.MULTILINE).encode()

PATH: Final = f"/argus-session.{hashlib.sha256(_CONTENT).hexdigest()[:16]}.js"
"""Where it is; another content has another path."""
INTEGRITY: Final = "sha384-" + base64.b64encode(hashlib.sha384(_CONTENT).digest()).decode()
"""What a page's `integrity` attribute says of it (Subresource Integrity)."""

# It is the same for everybody, and has no secret.
_HEADERS: Final = {"cross-origin-resource-policy": "cross-origin", "access-control-allow-origin": "*"}
_FOR_EVER: Final = {**_HEADERS, "cache-control": "public, max-age=31536000, immutable"}
_FOR_MINUTES: Final = {**_HEADERS, "cache-control": "public, max-age=300"}


def script_routes() -> list[Route]:
    """The script, and `/argus-session.json`, which says where it is now and what its hash is."""

    async def script(_request: Request) -> Response:
        return Response(_CONTENT, media_type="text/javascript", headers=_FOR_EVER)

    async def name(_request: Request) -> Response:
        return JSONResponse({"src": PATH, "integrity": INTEGRITY}, headers=_FOR_MINUTES)

    return [Route(PATH, script), Route("/argus-session.json", name)]
