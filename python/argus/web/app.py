"""The HTTP applications: one for everybody, one for operators."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from argus.web.documents import Documents
from argus.web.headers import SecurityHeaders
from argus.web.health import Health, Readiness
from argus.web.issuers import Issuers
from argus.web.metrics import Metrics

_ERRORS: Final = {404: "not_found", 405: "method_not_allowed", 500: "internal"}

Fault = Callable[[Request, int], Awaitable[Response | None]]
"""What somebody sees of a failure with this status; None: it is a program, and gets JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserEdge:
    """What browsers ask for.

    Attributes:
        routes: Where it is.
        faults: What is seen where there is nothing.
    """

    routes: Sequence[Route]
    faults: Fault


def public_app(
    *,
    readiness: Readiness,
    issuers: Issuers,
    key_set_max_age: timedelta,
    browser: BrowserEdge | None = None,
    is_https: bool = False,
) -> Starlette:
    """What everybody may ask for.

    Args:
        readiness: Says whether this process can serve.
        issuers: What tenants publish.
        key_set_max_age: How long consumers may keep it.
        browser: What browsers ask for.
        is_https: Browsers reach it by https.
    """
    health = Health(readiness)
    return _application(
        [
            Route("/healthz", health.live),
            Route("/readyz", health.ready),
            *issuers.routes(Documents(max_age=key_set_max_age)),
            *(browser.routes if browser else ()),
        ],
        faults=browser.faults if browser else None,
        is_https=is_https,
    )


def admin_app(*, readiness: Readiness, registry: CollectorRegistry) -> Starlette:
    """What operators may ask for; it listens apart."""
    health = Health(readiness)
    metrics = Metrics(registry)
    return _application(
        [Route("/healthz", health.live), Route("/readyz", health.ready), Route("/metrics", metrics.get)]
    )


def _application(routes: list[Route], *, faults: Fault | None = None, is_https: bool = False) -> Starlette:
    application = Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders, is_https=is_https)],
        exception_handlers={status: _handler(status, error, faults) for status, error in _ERRORS.items()},
    )
    # Where else a path would be found: the answer would lead to whatever host the request names.
    application.router.redirect_slashes = False
    return application


def _handler(status: int, error: str, faults: Fault | None) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, exception: Exception) -> Response:
        answer = await faults(request, status) if faults else None
        if answer is None:
            answer = JSONResponse({"error": error}, status_code=status)
        answer.headers.update(getattr(exception, "headers", None) or {})
        return answer

    return handle
