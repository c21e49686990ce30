"""What the door does not answer itself goes on, and those behind it learn who calls.

That calls of every kind go on unchanged is held in tests/conformance.
"""

import asyncio
import ssl
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import status_pb2

from tests.support.echo import DOWN, UNARY, Place, start_grpc

both = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
PATIENCE = 20


@both
async def test_who_calls_is_the_doors_to_say(place: Place, *, tls: bool) -> None:
    """Whatever the caller says about itself is taken out."""
    sent = (("x-argus-door-peer", "6.6.6.6"), ("x-argus-door-need-bin", b"1"), ("x-argus-door-later", "x"))
    async with place.channel(tls=tls) as channel:
        assert await channel.unary_unary(UNARY)(b"hello", metadata=sent) == b"hello"
    told = {name: values for name, values in place.echo.seen.items() if name.startswith("x-argus-door-")}
    assert told == {"x-argus-door-peer": ["127.0.0.1"], "x-argus-door-scheme": ["https" if tls else "http"]}


async def test_a_server_that_is_away_is_unavailable_and_found_again(place: Place) -> None:
    """With the reason, as every error of Argus has one; the door needs no restart."""
    async with place.channel() as channel:
        echo = channel.unary_unary(UNARY)
        assert await echo(b"x") == b"x"
        await place.grpc_server.stop(0)
        (place.folder / "grpc").unlink(missing_ok=True)
        with pytest.raises(grpc.aio.AioRpcError) as away:
            await echo(b"x")
        assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        details = dict(away.value.trailing_metadata())["grpc-status-details-bin"]
        assert isinstance(details, bytes)
        assert status_pb2.Status.FromString(details).code == grpc.StatusCode.UNAVAILABLE.value[0]
        place.grpc_server = await start_grpc(place.echo, place.folder)
        assert await echo(b"x", wait_for_ready=True) == b"x"


@pytest.mark.parametrize(
    ("lines", "status"),
    [(["Host: a"], b"200"), ([], b"400"), (["Host: a", "Host: a"], b"400"), (["Host: a", "Host: b"], b"400")],
)
async def test_http_1_1_says_its_host_once(place: Place, lines: list[str], status: bytes) -> None:
    """RFC 9112, section 3.2."""
    reader, writer = await asyncio.open_connection("127.0.0.1", place.plain.port)
    writer.write("\r\n".join(["GET / HTTP/1.1", *lines, "Connection: close", "", ""]).encode())
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    assert answer.split(b" ")[1] == status
    writer.close()


@both
async def test_http_goes_on_in_both_versions(place: Place, *, tls: bool) -> None:
    """With path, query, body and headers; without what holds for one connection alone, and without claims."""
    base = f"https://127.0.0.1:{place.encrypted.port}" if tls else f"http://127.0.0.1:{place.plain.port}"
    trusted: Any = ssl.create_default_context(cadata=place.authority.decode()) if tls else True
    headers = {"x-argus-door-certificate": "forged", "connection": "close, x-hop", "x-hop": "1", "x-kept": "1"}
    async with httpx.AsyncClient(verify=trusted) as http:
        answer = await http.post(f"{base}/a/b?c=d%20e", content=b"12345", headers=headers)
        assert (answer.status_code, answer.headers["x-answer"]) == (200, "1")
        said = answer.json()
        told = dict(said["headers"])
        assert (said["method"], said["path"], said["query"], said["length"]) == ("POST", "/a/b", "c=d%20e", 5)
        assert (told["host"], told["x-kept"], told["x-argus-door-peer"]) == (base.partition("//")[2], "1", "127.0.0.1")
        assert not {"x-hop", "x-argus-door-certificate"} & told.keys()
        whole = await http.get(f"{base}/streamed")
        assert whole.content == b"".join(bytes([number]) * 10_000 for number in range(100))


async def test_two_thousand_calls_at_once_are_all_answered(place: Place) -> None:
    """Over one connection, whose streams are bounded."""
    async with place.channel() as channel:
        echo = channel.unary_unary(UNARY)
        answers = await asyncio.gather(*(echo(str(number).encode()) for number in range(2000)))
    assert answers == [str(number).encode() for number in range(2000)]


async def test_readers_that_do_not_read_hold_up_nobody_else(place: Place) -> None:
    """Eight streams of a megabyte each, of which nobody takes a byte."""
    async with place.channel() as lazy, place.channel() as other:
        streams = [lazy.unary_stream(DOWN)(b"1000") for _ in range(8)]
        for stream in streams:
            assert len(await stream.read()) == 1024
        async with asyncio.timeout(PATIENCE):
            for number in range(50):
                assert await other.unary_unary(UNARY)(bytes([number])) == bytes([number])
        for stream in streams:
            stream.cancel()
