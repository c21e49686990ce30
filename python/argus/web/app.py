"""The HTTP applications: one for everybody, one for operators."""

from datetime import timedelta

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


def public_app(*, readiness: Readiness, issuers: Issuers, key_set_max_age: timedelta) -> Starlette:
    """What everybody may ask for.

    Args:
        readiness: Says whether this process can serve.
        issuers: What tenants publish.
        key_set_max_age: How long consumers may keep it.
    """
    health = Health(readiness)
    return _application(
        [
            Route("/healthz", health.live),
            Route("/readyz", health.ready),
            *issuers.routes(Documents(max_age=key_set_max_age)),
        ]
    )


def admin_app(*, readiness: Readiness, registry: CollectorRegistry) -> Starlette:
    """What operators may ask for; it listens apart."""
    health = Health(readiness)
    metrics = Metrics(registry)
    return _application(
        [Route("/healthz", health.live), Route("/readyz", health.ready), Route("/metrics", metrics.get)]
    )


def _application(routes: list[Route]) -> Starlette:
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={404: _not_found, 405: _method_not_allowed, 500: _failed},
    )


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "not_found"}, status_code=404)


async def _method_not_allowed(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "method_not_allowed"}, status_code=405, headers=getattr(error, "headers", None))


async def _failed(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "internal"}, status_code=500)
