"""Liveness and readiness for load balancers and orchestrators."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

Readiness: TypeAlias = Callable[[], Awaitable[Mapping[str, str]]]
"""What keeps this process from serving, by part; empty = nothing."""


class Health:
    """`/healthz` and `/readyz`."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def live(self, _request: Request) -> Response:
        """The process runs; a store that is away is no reason to restart it."""
        return PlainTextResponse("ok\n")

    async def ready(self, _request: Request) -> Response:
        """200 if this process can serve, else 503; says what is missing.

        Without PostgreSQL it still can: tokens are verified and refreshed, and taking every process out of the
        load balancer would end that, too.
        """
        faults = await self._readiness()
        is_ready = not faults.keys() - {"postgresql"}
        return JSONResponse({"ready": is_ready, "faults": dict(faults)}, status_code=200 if is_ready else 503)
