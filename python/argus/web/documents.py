"""Documents that everybody may read and keep for a while: key sets and metadata."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Source: TypeAlias = Callable[[str], bytes | None]
"""The document of a tenant, None if there is no such tenant; `KeyError`: it can't be told whole now."""

# Applications in browsers verify tokens, too. Sent to whoever asks, so that what caches keep is good for everybody.
_CROSS_ORIGIN: Final = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag",
    "cross-origin-resource-policy": "cross-origin",
}
_LATER: Final = _CROSS_ORIGIN | {"cache-control": "no-store", "retry-after": "1"}
_PREFLIGHT: Final = _CROSS_ORIGIN | {
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "cache-control, if-none-match, x-request-id",
    "access-control-max-age": "86400",
}


class Documents:
    """Makes routes of documents, one a tenant."""

    def __init__(self, *, max_age: timedelta) -> None:
        """Takes how long readers may keep what they got."""
        # Not a second longer, even if Argus can't be reached: a key that was pulled dies in caches, too.
        self._cache_control = f"public, max-age={int(max_age.total_seconds())}, must-revalidate"

    def routes(self, path: str, source: Source, *, media_type: str = "application/json") -> list[Route]:
        """GET, HEAD and the question of browsers whether they may.

        Args:
            path: Where, with `{tenant_id}`.
            source: What.
            media_type: Its type.
        """

        async def get(request: Request) -> Response:
            try:
                body = source(request.path_params["tenant_id"])
            except KeyError:
                raise HTTPException(503, headers=_LATER) from None
            if body is None:
                raise HTTPException(404)
            headers = {
                "cache-control": self._cache_control,
                "etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
                **_CROSS_ORIGIN,
            }
            if _has(request.headers.get("if-none-match", ""), headers["etag"]):
                return Response(status_code=304, headers=headers)
            return Response(body, media_type=media_type, headers=headers)

        async def preflight(_request: Request) -> Response:
            return Response(status_code=204, headers=_PREFLIGHT)

        return [Route(path, get), Route(path, preflight, methods=["OPTIONS"])]


def _has(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 section 13.1.2 asks."""
    given = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return etag in given or "*" in given
