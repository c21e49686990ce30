"""What a tenant's theme adds to its pages: the colours, and the logo."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from argus.web.pages.render import Reader, theme_css
from argus.web.pages.site import Site

# Addresses name their version, and others may keep what everybody sees.
_KEPT: Final = {"cache-control": "public, max-age=86400"}


class LookPages:
    """`theme.css` and `logo`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Where they are."""
        return [*self._site.route("/theme.css", self._css), *self._site.route("/logo", self._logo)]

    async def _css(self, reader: Reader) -> Response:
        return Response(theme_css(reader.theme), media_type="text/css", headers=_KEPT)

    async def _logo(self, reader: Reader) -> Response:
        if not reader.theme.logo:
            raise HTTPException(404)
        return Response(reader.theme.logo, media_type=reader.theme.logo_type, headers=_KEPT)
