"""The published key set of a tenant (RFC 7517)."""

import hashlib
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

KeySetSource: TypeAlias = Callable[[str], bytes | None]
"""The encoded key set of a tenant, None if there is no such tenant."""

_TENANT_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


class KeySets:
    """`/t/{tenant}/.well-known/jwks.json`."""

    def __init__(self, source: KeySetSource, *, max_age: int) -> None:
        self._source = source
        self._max_age = max_age

    async def get(self, request: Request) -> Response:
        """The key set, or 304 if the consumer has it already."""
        tenant_id = request.path_params["tenant_id"]
        body = self._source(tenant_id) if _TENANT_ID.fullmatch(tenant_id) else None
        if body is None:
            raise HTTPException(404)
        headers = {
            "cache-control": f"public, max-age={self._max_age}",
            "etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            # Applications in browsers verify tokens, too.
            "access-control-allow-origin": "*",
        }
        if _has(request.headers.get("if-none-match", ""), headers["etag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/jwk-set+json", headers=headers)


def _has(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 section 13.1.2 asks."""
    given = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return etag in given or "*" in given
