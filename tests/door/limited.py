"""Doors with narrow bounds, over the servers of a place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argus._core import Door, DoorLimits
from tests.support.echo import Place


@asynccontextmanager
async def limited(place: Place, limits: DoorLimits) -> AsyncIterator[Door]:
    """Opens a door; closed at once at the end, whatever is under way."""
    grpc, http = place.folder / "grpc", place.folder / "http"
    door = Door(place.engine, "127.0.0.1:0", grpc_socket=grpc, http_socket=http, limits=limits)
    yield door
    await asyncio.to_thread(door.close, 0.2)
