"""A RevocationService that says whatever a test wants said, at whatever time of day."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from argus.v1 import revocation_service_pb2 as pb
from argus.v1 import revocation_service_pb2_grpc

_PATIENCE_SECONDS = 30
_START = datetime(2026, 1, 1, tzinfo=UTC)


def revocation(kind: str, subject: str, *, at: float = 0.0, expires: float = 3600.0) -> pb.Revocation:
    """Something that was over, and whose tokens have expired, so many seconds after the beginning."""
    return pb.Revocation(
        kind=pb.RevocationKind.Value(f"REVOCATION_KIND_{kind}"),
        subject=subject,
        time=_timestamp(_START + timedelta(seconds=at)),
        expire_time=_timestamp(_START + timedelta(seconds=expires)),
    )


class Teller(revocation_service_pb2_grpc.RevocationServiceServicer):
    """Tells what it is told to tell.

    `ahead` is how far its time of day is after the beginning; unless `is_whole`, its messages are parts of a list.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self.heartbeat = 60.0
        self.is_whole = True
        self.requests: list[pb.WatchRevocationsRequest] = []
        self.first: list[pb.Revocation] = []
        self._queue: asyncio.Queue[pb.WatchRevocationsResponse | None] = asyncio.Queue()
        self._asked = asyncio.Event()

    def message(self, *revocations: pb.Revocation, token: str = "") -> pb.WatchRevocationsResponse:
        """A message of now."""
        interval = Duration()
        interval.FromTimedelta(timedelta(seconds=self.heartbeat))
        state_time = _timestamp(_START + timedelta(seconds=self.ahead)) if self.is_whole else None
        return pb.WatchRevocationsResponse(
            revocations=revocations, resume_token=token, state_time=state_time, heartbeat_interval=interval
        )

    def tell(self, *revocations: pb.Revocation, token: str = "") -> None:
        """Sends a message of now."""
        self._queue.put_nowait(self.message(*revocations, token=token))

    def hang_up(self) -> None:
        """Ends the stream as a server does that stops."""
        self._queue.put_nowait(None)

    async def asked(self, count: int) -> None:
        """Waits until so many streams were asked for."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.requests) < count:
                self._asked.clear()
                await self._asked.wait()

    async def SnapshotRevocations(  # noqa: N802
        self, request: pb.SnapshotRevocationsRequest, context: Any
    ) -> pb.SnapshotRevocationsResponse:
        """Nobody asks for it."""
        del request, context
        raise NotImplementedError

    async def WatchRevocations(  # noqa: N802
        self, request: pb.WatchRevocationsRequest, context: Any
    ) -> AsyncGenerator[pb.WatchRevocationsResponse, None]:
        """Tells."""
        self.requests.append(request)
        self._asked.set()
        yield self.message(*self.first, token=f"token {len(self.requests)}")
        while (message := await self._queue.get()) is not None:
            yield message
        await context.abort(grpc.StatusCode.UNAVAILABLE, "stopping")


@asynccontextmanager
async def telling(teller: Teller) -> AsyncIterator[str]:
    """Where the teller answers."""
    server = grpc.aio.server()
    revocation_service_pb2_grpc.add_RevocationServiceServicer_to_server(teller, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def claims(*, at: float = 0.0, **changes: Any) -> dict[str, Any]:
    """Claims of a token that was issued so many seconds after the beginning."""
    return {"sid": "s", "sub": "u", "client_id": "c", "iat": int(_START.timestamp() + at)} | changes


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
