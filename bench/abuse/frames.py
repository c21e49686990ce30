"""HTTP/2 for attackers: frames made once and sent as fast as the other side takes them."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Sequence
from typing import Final, Self

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PIECE: Final = 16_000
_CANCEL: Final = 8
_LONGEST_READ: Final = 65_536


def head(path: str, method: str = "POST", *more: tuple[str, str]) -> bytes:
    """A header block that can be sent again and again: it neither uses nor changes the connection's table."""
    fields = [(":method", method), (":scheme", "http"), (":authority", "argus"), (":path", path)]
    if method == "POST":
        fields += [("te", "trailers"), ("content-type", "application/grpc")]
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode([(name, value, True) for name, value in [*fields, *more]])


def opening(stream: int, block: bytes, *, ends: bool) -> bytes:
    """The frames that begin a request."""
    first, *rest = [block[at : at + _PIECE] for at in range(0, len(block), _PIECE)]
    frames: list[Frame] = [HeadersFrame(stream, data=first, flags=["END_STREAM"] if ends else [])]
    frames += [ContinuationFrame(stream, data=piece) for piece in rest]
    frames[-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in frames)


def reset(stream: int) -> bytes:
    """The frame that gives a request up."""
    return RstStreamFrame(stream, error_code=_CANCEL).serialize()


def data(stream: int, content: bytes) -> bytes:
    """A piece of a request's body."""
    return DataFrame(stream, data=content).serialize()


class Line:
    """One connection of an attacker; to loopback only."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._next = 1
        self._ended = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None

    @classmethod
    async def to(cls, address: str, *, window: int | None = None) -> Self:
        """Connects and shakes hands.

        Args:
            address: Host and port.
            window: Bytes of an answer that the other side may send unasked; None: as many as it likes.

        Raises:
            ValueError: The address is not loopback.
        """
        line = await cls.silent(address)
        settings = {} if window is None else {SettingsFrame.INITIAL_WINDOW_SIZE: window}
        await line.send(PREFACE, SettingsFrame(0, settings=settings).serialize())
        if window is None:
            await line.send(WindowUpdateFrame(0, window_increment=2**30).serialize())
            line.listen()
        return line

    @classmethod
    async def silent(cls, address: str) -> Self:
        """Connects, and says nothing."""
        host, _, port = address.rpartition(":")
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"{address} is not loopback")
        return cls(*await asyncio.open_connection(host, int(port), limit=_LONGEST_READ))

    def streams(self, count: int) -> Sequence[int]:
        """Numbers of the next requests."""
        first, self._next = self._next, self._next + 2 * count
        return range(first, self._next, 2)

    async def send(self, *parts: bytes) -> None:
        """Sends, at the pace of the other side."""
        self._writer.write(b"".join(parts))
        await self._writer.drain()

    @property
    def has_ended(self) -> bool:
        """The other side has closed it."""
        return self._ended.is_set() or self._reader.at_eof() or self._writer.is_closing()

    async def lasts(self, seconds: float) -> bool:
        """Waits so long, or until the other side has closed it; whether it has not."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)
        return not self.has_ended

    def listen(self) -> None:
        """Takes whatever comes, from now on."""
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while await self._reader.read(_LONGEST_READ):
                pass
        self._ended.set()

    def close(self) -> None:
        """Goes."""
        if self._draining is not None:
            self._draining.cancel()
        self._writer.close()
