"""What people see where there is no page, or none can be shown. Programs, which ask for no HTML, get JSON."""

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from argus.base.errors import ArgusError
from argus.web.pages.render import Reader
from argus.web.pages.site import Site
from argus.web.pages.telling import told_of

_OF_TENANT: Final = re.compile(r"/t/([a-z][a-z0-9-]{0,30})(?:/.*)?")
_KEYS: Final = {404: "error.NOT_FOUND", 405: "error.NOT_A_PAGE", 500: "error.UNAVAILABLE"}


class FaultPages:
    """The pages behind addresses that lead nowhere."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request, status: int) -> Response | None:
        """The page for somebody who looks; None for a program."""
        if "text/html" not in request.headers.get("accept", ""):
            return None
        reader = await self._reader(request)
        shown = told_of(reader, _KEYS[status], leads_home=bool(reader.tenant.tenant_id))
        return self._site.page(reader, "message", status, **shown)

    async def _reader(self, request: Request) -> Reader:
        found = _OF_TENANT.fullmatch(request.url.path)
        if found is None:
            return self._site.stranger(request)
        request.scope["path_params"] = {"tenant_id": found[1]}
        try:
            return await self._site.reader(request)
        except (HTTPException, ArgusError):
            return self._site.stranger(request)
