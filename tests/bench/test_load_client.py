"""The load client makes the calls that it was told to make, and times them from when they were due."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2

from argus._core import Load, LoadReport
from argus.server.bench.runs import Calls, CallsFailedError, Pace, run
from tests.support.own_stores import until
from tests.support.servers import free_ports

METHOD = "/argus.test.Echo/Echo"
Behaviour = Callable[[bytes, Any], Awaitable[bytes]]


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[str]:
    """A server of one method over bytes; where it listens."""
    server = grpc.aio.server()
    handlers: Any = {"Echo": grpc.unary_unary_rpc_method_handler(behaviour)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("argus.test.Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def finished(address: str, requests: Sequence[bytes] = (b"",), **how: Any) -> LoadReport:
    """What came of a run."""
    options: dict[str, Any] = {"authorization": "", "deadline_ms": 10_000, "connections": 2} | how
    load = Load(address, METHOD, requests, **options)
    while (report := await asyncio.to_thread(load.wait, 0.05)) is None:
        pass
    assert load.answered == options["calls"]
    return report


async def echo(request: bytes, _context: Any) -> bytes:
    return request


class Counting:
    """How many calls there were, and how many at a time; answers a moment later."""

    def __init__(self) -> None:
        self.now = self.most = self.all = 0

    async def answer(self, request: bytes, _context: Any) -> bytes:
        self.now, self.all = self.now + 1, self.all + 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.005)
        self.now -= 1
        return request


class Stalling:
    """Stalls once, for everybody who calls then; after that it answers at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: asyncio.Event | None = None

    async def answer(self, request: bytes, _context: Any) -> bytes:
        if self._open is None:
            self._open = asyncio.Event()
            asyncio.get_running_loop().call_later(self._seconds, self._open.set)
        await self._open.wait()
        return request


async def test_every_call_sends_the_next_request_and_its_answer_is_in_its_place() -> None:
    requests = [b"a", b"bb", b"ccc"]
    async with serving(echo) as address:
        closed = await finished(address, requests, calls=8, in_flight=3)
        opened = await finished(address, requests, calls=8, rate=500.0)
    for report in (closed, opened):
        assert report.answers() == [(0, requests[number % 3]) for number in range(8)]
        assert report.codes == {code_pb2.OK: 8}
        assert report.seconds > 0


async def test_a_closed_loop_keeps_so_many_calls_in_flight_and_never_more() -> None:
    counting = Counting()
    async with serving(counting.answer) as address:
        await finished(address, calls=120, in_flight=6)
    assert (counting.all, counting.most) == (120, 6)


async def test_an_open_loop_charges_a_stall_to_every_call_that_waited_and_a_closed_one_to_the_first_alone() -> None:
    # Due over half a second, of which the server is away for all: the median has waited for a quarter.
    async with serving(Stalling(0.5).answer) as address:
        opened = await finished(address, calls=100, rate=200.0)
    async with serving(Stalling(0.5).answer) as address:
        closed = await finished(address, calls=100, in_flight=1)
    assert opened.latency(50) > 0.15
    assert closed.latency(50) < 0.15 < closed.latency(100)


async def test_an_open_loop_lasts_as_long_as_its_rate_says() -> None:
    async with serving(echo) as address:
        report = await finished(address, calls=51, rate=100.0)
    assert report.seconds >= 0.5
    assert report.lateness(0) < 0.1


async def test_an_open_loop_that_cannot_keep_its_rate_says_how_late_it_was_and_charges_that_to_the_calls() -> None:
    # Due within 25 ms, which no client can do.
    async with serving(echo) as address:
        report = await finished(address, calls=5000, rate=200_000.0)
    assert report.lateness(100) > 0.01
    assert all(report.latency(percent) > report.lateness(percent) for percent in (50, 99, 100))


async def test_the_server_is_told_who_calls_and_how_long_it_has() -> None:
    seen: list[tuple[object, float]] = []

    async def look(request: bytes, context: Any) -> bytes:
        seen.append((dict(context.invocation_metadata()).get("authorization"), context.time_remaining()))
        return request

    async with serving(look) as address:
        await finished(address, calls=1, in_flight=1, authorization="Bearer one", deadline_ms=7000)
    ((authorization, remaining),) = seen
    assert authorization == "Bearer one"
    assert 0 < remaining <= 7


async def test_what_is_not_answered_ok_is_an_answer_to_the_client_and_an_end_to_a_benchmark() -> None:
    async def refuse(request: bytes, context: Any) -> bytes:
        if request == b"bad":
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return request

    async with serving(refuse) as address:
        report = await finished(address, [b"good", b"bad"], calls=4, in_flight=1)
        assert report.codes == {code_pb2.OK: 2, code_pb2.UNAVAILABLE: 2}
        assert report.answers()[1] == (code_pb2.UNAVAILABLE, b"not now")
        calls = Calls(address=address, method=METHOD, authorization="", requests=[b"good", b"bad"], count=4)
        with pytest.raises(CallsFailedError, match=r"2 of 4 calls .* UNAVAILABLE, not now"):
            await run(calls, Pace(in_flight=1), {}, tick=lambda _: None)


async def test_a_call_that_is_never_answered_ends_at_its_deadline() -> None:
    async with serving(Stalling(60).answer) as address:
        report = await finished(address, calls=2, in_flight=2, deadline_ms=200)
    assert set(report.codes) <= {code_pb2.DEADLINE_EXCEEDED, code_pb2.CANCELLED}
    assert report.latency(0) >= 0.19


async def test_a_run_that_is_given_up_stops() -> None:
    counting = Counting()
    async with serving(counting.answer) as address:
        load = Load(
            address, METHOD, [b""], calls=1_000_000, authorization="", deadline_ms=1000, connections=1, in_flight=2
        )
        while not load.answered:
            assert await asyncio.to_thread(load.wait, 0.01) is None
        del load
        await until(_is_idle(counting))
        before = counting.all
        await finished(address, calls=20, in_flight=1)
    # A loop that went on would have called as often again; what it had in flight may have come late.
    assert counting.all <= before + 22


def _is_idle(counting: Counting) -> Callable[[], Awaitable[bool]]:
    async def is_idle() -> bool:
        return counting.now == 0

    return is_idle


async def test_nobody_there_and_plans_without_sense_are_told_apart() -> None:
    (port,) = free_ports(1)
    with pytest.raises(ConnectionError, match=rf"127\.0\.0\.1:{port} can't be reached"):
        await finished(f"127.0.0.1:{port}", calls=1, in_flight=1)
    for plan in ({}, {"in_flight": 1, "rate": 1.0}, {"in_flight": 0}, {"rate": 0.0}, {"rate": float("nan")}):
        with pytest.raises(ValueError, match=r"either in_flight or rate|there must be a call|the rate must be"):
            await finished("127.0.0.1:1", calls=1, **plan)
    with pytest.raises(ValueError, match="no request"):
        await finished("127.0.0.1:1", [], calls=1, in_flight=1)
