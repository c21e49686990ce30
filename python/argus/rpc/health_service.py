"""Serves `grpc.health.v1.Health`."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

from argus.base.errors import UnavailableError

Context = grpc.aio.ServicerContext[Any, Any]

_PAUSE: Final = timedelta(seconds=1)


class HealthServicer:
    """Serves `grpc.health.v1.Health`.

    The servicer of grpcio-health-checking has no end for those that watch, so that each of them holds up a stop until
    its grace is over; and of several that watch one service, the first to leave takes the news from the others.
    """

    def __init__(self) -> None:
        """Knows no service yet."""
        self._states: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._is_refusing = False
        self._is_over = False

    def set(self, service: str, state: int) -> None:
        """Says how a service is; without effect after `refuse`."""
        if not self._is_refusing and self._states.get(service) != state:
            self._states[service] = state
            self._tell()

    def refuse(self) -> None:
        """Says NOT_SERVING of all services from now on."""
        self._is_refusing = True
        self._states = dict.fromkeys(self._states, int(health_pb2.HealthCheckResponse.NOT_SERVING))
        self._tell()

    def end_watches(self) -> None:
        """Ends the streams of those that watch once they have been told the last there is to know."""
        self._is_over = True
        self._tell()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        """Says how a service is."""
        state = self._states.get(request.service)
        if state is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return health_pb2.HealthCheckResponse(status=state)

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse, None]:
        """Says how a service is, and again whenever that changes."""
        told = None
        while True:
            # Before the look: what changes during the sending is not missed.
            changed = self._changed
            state = self._states.get(request.service, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            if state != told:
                yield health_pb2.HealthCheckResponse(status=state)
                told = state
            elif self._is_over:
                raise UnavailableError("argus", _PAUSE, cause="STOPPING")
            else:
                await changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
