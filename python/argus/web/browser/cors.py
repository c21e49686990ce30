"""What lets scripts of applications on other origins read answers (CORS), after `csrf` has let their requests in."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from argus.web.browser.csrf import HEADER, CrossSiteRequestError, SameOrigin

_ALLOWED: Final = f"content-type, dpop, {HEADER}"
_EXPOSED: Final = "dpop-nonce, retry-after, www-authenticate, x-request-id"
_REMEMBERED: Final = "600"


def preflight(request: Request, same_origin: SameOrigin) -> Response:
    """Leave to ask, for the one method of a path; anybody else gets none.

    Raises:
        CrossSiteRequestError: It is no preflight of an application's origin.
    """
    if same_origin.application(request) is None or "access-control-request-method" not in request.headers:
        raise CrossSiteRequestError("ORIGIN")
    headers = {"access-control-allow-headers": _ALLOWED, "access-control-max-age": _REMEMBERED}
    return Response(status_code=204, headers=headers)


def mark(response: Response, request: Request, same_origin: SameOrigin) -> Response:
    """Lets an application's script read the answer, refusals too; no other origin is ever named, and never all."""
    response.headers.add_vary_header("Origin")
    origin = same_origin.application(request)
    if origin is not None:
        response.headers["access-control-allow-origin"] = origin
        response.headers["access-control-allow-credentials"] = "true"
        response.headers["access-control-expose-headers"] = _EXPOSED
    return response
