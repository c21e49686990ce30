"""What is no gRPC is refused by the same status at every door, and costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import pytest
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame

from tests.conformance.doors import FRONT_H2C, GRPCIO, SERVICE, WireDoor, ask
from tests.door.raw import Raw

if TYPE_CHECKING:
    from tests.conformance.doors import Metadata

PATIENCE: Final = 20
HOT: Final = SERVICE + "VerifyAccessToken"
COLD: Final = "/argus.v1.SessionService/GetSession"
PLAIN: Final = (FRONT_H2C, GRPCIO)
GRPC: Final = "application/grpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came back: an answer, the end of the stream, or that of the connection."""

    http: str = ""
    status: str = ""
    text: str = ""
    reset: bool = False
    closed: bool = False


def message(content: bytes, *, flag: int = 0) -> bytes:
    """A gRPC message."""
    return bytes([flag]) + len(content).to_bytes(4, "big") + content


async def told(raw: Raw) -> Told:
    """Waits for whatever ends the call."""
    head: dict[str, str] = {}
    async with asyncio.timeout(PATIENCE):
        while events := await raw.events():
            for event in events:
                match event:
                    case ResponseReceived() | TrailersReceived():
                        head |= dict(event.headers)  # type: ignore[arg-type]
                    case StreamReset(error_code=code) if code is not ErrorCodes.NO_ERROR:
                        return Told(reset=True)
                    case ConnectionTerminated():
                        return Told(closed=True)
                    case StreamEnded():
                        text = unquote(head.get("grpc-message", ""))
                        return Told(http=head[":status"], status=head.get("grpc-status", ""), text=text)
                    case DataReceived():
                        pass
    return Told(closed=True)


async def play(
    door: WireDoor, path: str, body: bytes | None, metadata: Sequence[tuple[str, str]], *, method: str = "POST"
) -> Told:
    """One request, by the frame."""
    raw = await Raw.to(int(door.running.grpc_address.rpartition(":")[2]))
    try:
        stream = raw.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "argus"), (":path", path), *metadata]
        raw.h2.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            raw.h2.send_data(stream, body, end_stream=True)
        await raw.flush()
        return await told(raw)
    except ProtocolError as error:
        error.add_note(f"by {door.name}")
        raise
    finally:
        raw.close()


def typed(kind: str = GRPC, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """Metadata of a call."""
    return [("te", "trailers"), ("content-type", kind), ("x-request-id", "conformance-3"), *more]


# Refused without a caller's token, so that it is seen that the message was read, and by whom.
NOBODY: Final = "16"
INTERNAL: Final = "13"
MESSAGES: Final = {
    "two messages": (message(b"a") + message(b"b"), NOBODY, ()),
    "more bytes than one message": (message(b"") + b"x", NOBODY, ()),
    "compressed without saying by what": (message(b"abc", flag=1), INTERNAL, ()),
    "a length beyond all bounds": (b"\0\xff\xff\xff\xff", "8", ()),
    "an encoding that nobody knows": (message(b"abc", flag=1), INTERNAL, (("grpc-encoding", "snappy"),)),
    "not what the encoding says": (message(b"abc", flag=1), INTERNAL, (("grpc-encoding", "gzip"),)),
}


@pytest.mark.parametrize("path", [HOT, COLD])
@pytest.mark.parametrize("case", MESSAGES)
async def test_malformed_messages_are_refused_alike(case: str, path: str, wire_doors: dict[str, WireDoor]) -> None:
    """Hot calls go on to who knows better."""
    body, expected, more = MESSAGES[case]
    found = {name: await play(wire_doors[name], path, body, typed(GRPC, *more)) for name in PLAIN}
    assert found == dict.fromkeys(PLAIN, found[GRPCIO])
    assert (found[GRPCIO].http, found[GRPCIO].status) == ("200", expected)


@pytest.mark.parametrize("path", [HOT, COLD])
@pytest.mark.parametrize(
    "kind", [GRPC, f"{GRPC}+proto", f"{GRPC}+json", f"{GRPC}; charset=utf-8", "application/grpc-web"]
)
async def test_the_codec_changes_nothing(kind: str, path: str, wire_doors: dict[str, WireDoor]) -> None:
    """All are read as protobuf, as grpcio does."""
    found = {name: await play(wire_doors[name], path, message(b""), typed(kind)) for name in PLAIN}
    assert found == dict.fromkeys(PLAIN, found[GRPCIO])
    assert found[GRPCIO].status == NOBODY


@pytest.mark.parametrize("path", [HOT, COLD])
@pytest.mark.parametrize("kind", ["application/json", "Application/GRPC", "text/plain"])
async def test_other_content_types_are_no_calls(kind: str, path: str, wire_doors: dict[str, WireDoor]) -> None:
    """They are the HTTP edge's, which knows no such path; grpcio alone has no other port to tell them from."""
    found = await play(wire_doors[FRONT_H2C], path, message(b""), typed(kind))
    assert (found.http, found.status) == ("404", "")


@pytest.mark.parametrize("path", [HOT, COLD])
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_other_methods_are_no_calls(method: str, path: str, wire_doors: dict[str, WireDoor]) -> None:
    """Refused by everybody, be it by a status or by the end of the stream; never answered."""
    for name in PLAIN:
        found = await play(wire_doors[name], path, message(b""), typed(), method=method)
        assert found.reset or found.status not in {"0", NOBODY}, (name, found)


BROKEN: Final[dict[str, Sequence[Frame]]] = {
    "data of no stream": [DataFrame(1, data=b"x")],
    "a reset of no stream": [RstStreamFrame(1, error_code=8)],
    "an even stream": [HeadersFrame(2, data=b"\x82\x86\x84", flags=["END_HEADERS", "END_STREAM"])],
    "headers that cannot be read": [HeadersFrame(1, data=b"\xff\xff\xff\xff\xff\xff", flags=["END_HEADERS"])],
    "a window beyond its bound": [SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 2**31})],
    "headers that are not continued": [HeadersFrame(1, data=b"\x82"), PingFrame(0, opaque_data=b"12345678")],
}


@pytest.mark.parametrize("case", BROKEN)
async def test_broken_frames_close_the_connection(case: str, wire_doors: dict[str, WireDoor]) -> None:
    """And no other one; grpcio overlooks most of them."""
    door = wire_doors[FRONT_H2C]
    raw = await Raw.to(int(door.running.grpc_address.rpartition(":")[2]))
    raw.write(b"".join(frame.serialize() for frame in BROKEN[case]))
    is_closed = await raw.is_closed_within(PATIENCE)
    raw.close()
    assert is_closed
    assert (await ask(door.channel, COLD, b"")).reason == "CALLER_UNAUTHENTICATED"


SPOILT: Final = {
    "a deadline": ("grpc-timeout", "abc"),
    "an encoding": ("grpc-encoding", "snappy"),
    "binary metadata": ("x-trace-bin", "***"),
    "a content type": ("content-type", "application/grpc+\x7f"),
}


@pytest.fixture
async def strangers(wire_doors: dict[str, WireDoor]) -> AsyncIterator[dict[str, Any]]:
    """A connection of its own to each server."""
    opened = {name: door.open() for name, door in wire_doors.items()}
    yield opened
    for channel in opened.values():
        await channel.close()


@pytest.mark.parametrize("case", SPOILT)
async def test_what_one_caller_spoils_is_not_remembered_for_another(
    case: str, wire_doors: dict[str, WireDoor], strangers: dict[str, Any]
) -> None:
    """All callers share one connection behind the door, and its table of headers: none that was bad may stay in it."""
    honest: Metadata = (("x-trace-bin", b"abc"),)
    for name in PLAIN:
        for _ in range(3):
            await play(wire_doors[name], COLD, message(b""), typed(GRPC, SPOILT[case]))
        for _ in range(5):
            answer = await ask(strangers[name], COLD, b"", honest)
            assert answer.reason == "CALLER_UNAUTHENTICATED", (name, answer)


@pytest.mark.parametrize("path", [HOT, COLD])
@pytest.mark.parametrize("name", PLAIN)
async def test_the_end_of_a_call_may_come_after_its_answer(
    path: str, name: str, wire_doors: dict[str, WireDoor]
) -> None:
    """Clients may end a stream by an empty frame of its own; however many are overtaken, the connection goes on."""
    calls = 300
    raw = await Raw.to(int(wire_doors[name].running.grpc_address.rpartition(":")[2]))
    streams = []
    for _ in range(calls):
        stream = raw.open(path)
        raw.h2.send_data(stream, message(b""))
        await raw.flush()
        assert (await told(raw)).status == NOBODY
        streams.append(stream)
    raw.write(b"".join(DataFrame(stream, flags=["END_STREAM"]).serialize() for stream in streams))
    last = raw.open(path)
    raw.h2.send_data(last, message(b""), end_stream=True)
    await raw.flush()
    found = await told(raw)
    raw.close()
    assert found.status == NOBODY
