"""Metrics for Prometheus."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response


class Metrics:
    """`/metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def get(self, request: Request) -> Response:
        """All metrics, in the format that the scraper asks for."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await run_in_threadpool(encode, self._registry)
        return Response(body, headers={"content-type": content_type})
