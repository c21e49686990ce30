"""Which other origins may use a tenant's passkeys (WebAuthn Level 3, 5.11: `/.well-known/webauthn`).

A browser asks for it at the host of the relying party id, which is the tenant's own: that host passes the question on
to here.
"""

import json
from collections.abc import Callable
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from argus.base import ids
from argus.base.errors import UnavailableError
from argus.credentials.passkey_rules.service import PasskeyRulebook

Exists = Callable[[str], bool]
"""Whether there is a tenant of that id, and it is not disabled; `KeyError`: it can't be told now."""


class RelatedOrigins:
    """The origins of each tenant's rules, as browsers read them."""

    def __init__(self, rulebook: PasskeyRulebook, exists: Exists, *, max_age: timedelta) -> None:
        self._rulebook = rulebook
        self._exists = exists
        self._headers = {"cache-control": f"public, max-age={int(max_age.total_seconds())}, must-revalidate"}

    def routes(self) -> list[Route]:
        """Where it is."""
        return [Route("/t/{tenant_id}/.well-known/webauthn", self._get)]

    async def _get(self, request: Request) -> Response:
        tenant_id = request.path_params["tenant_id"]
        try:
            if not ids.TENANT_ID.fullmatch(tenant_id) or not self._exists(tenant_id):
                raise HTTPException(404)
            rules = await self._rulebook.of(tenant_id)
        except (UnavailableError, KeyError):
            raise HTTPException(503, headers={"cache-control": "no-store", "retry-after": "1"}) from None
        # Applications of a telephone are no origins to browsers.
        origins = [one for one in rules.origins if one.startswith(("https:", "http:"))]
        body = json.dumps({"origins": origins}, separators=(",", ":"))
        return Response(body, media_type="application/json", headers=self._headers)
