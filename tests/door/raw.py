"""HTTP/2 by the frame, for callers that no client library would be."""

import asyncio
from collections.abc import Iterable
from typing import Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, ResponseReceived, StreamReset, TrailersReceived

HEAD = (
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "argus"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)
_FRAME = 16_384


class Raw:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))

    @classmethod
    async def to(cls, port: int) -> Self:
        """Connects and shakes hands."""
        made = cls(*await asyncio.open_connection("127.0.0.1", port))
        made.h2.initiate_connection()
        await made.flush()
        return made

    def write(self, frames: bytes) -> None:
        """Sends what no library would."""
        self._writer.write(frames)

    async def flush(self) -> None:
        """Sends what is ready."""
        self._writer.write(self.h2.data_to_send())
        await self._writer.drain()

    def open(self, path: str, *more: tuple[str, str], ends: bool = False) -> int:
        """Begins a call; its number."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [*HEAD[:3], (":path", path), *HEAD[3:], *more], end_stream=ends)
        return stream

    async def send(self, stream: int, content: bytes, *, ends: bool = False) -> None:
        """Sends content in frames, as the windows of the other side allow."""
        parts = [content[first : first + _FRAME] for first in range(0, len(content) or 1, _FRAME)]
        for number, part in enumerate(parts, 1):
            while self.h2.local_flow_control_window(stream) < len(part):
                await self.events()
            self.h2.send_data(stream, part, end_stream=ends and number == len(parts))
        await self.flush()

    def reset(self, streams: Iterable[int]) -> None:
        """Gives calls up."""
        for stream in streams:
            self.h2.reset_stream(stream, ErrorCodes.CANCEL)

    async def events(self) -> list[Event]:
        """What came; empty: the connection was closed."""
        data = await self._reader.read(65_536)
        events = self.h2.receive_data(data) if data else []
        await self.flush()
        return events

    async def statuses(self, streams: int, seconds: float) -> tuple[list[str], int]:
        """Waits until so many streams are over: their gRPC statuses, and how many were reset."""
        told: list[str] = []
        resets = 0
        async with asyncio.timeout(seconds):
            while len(told) + resets < streams:
                for event in await self.events():
                    if isinstance(event, ResponseReceived | TrailersReceived):
                        headers: dict[Any, Any] = dict(event.headers)
                        told += [headers["grpc-status"]] if "grpc-status" in headers else []
                    resets += isinstance(event, StreamReset) and event.error_code != ErrorCodes.NO_ERROR
        return told, resets

    async def is_closed_within(self, seconds: float) -> bool:
        """Whether the other side closes it."""
        try:
            async with asyncio.timeout(seconds):
                while events := await self.events():
                    if any(isinstance(event, ConnectionTerminated) for event in events):
                        break
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        """Ends it."""
        self._writer.close()
