"""What Argus is held against does what it says: an empty server that answers, and signatures that are made."""

import asyncio

import pytest

from argus._core import Echo, signature_costs
from argus.server.bench.hot import Hot
from argus.server.bench.runs import Calls, Pace, run
from bench.peers.contender import naive
from bench.peers.echo.contender import echo


async def test_the_empty_server_answers_every_call_with_the_same_bytes_whatever_is_asked() -> None:
    server = Echo("127.0.0.1:0", b"\x0a\x02ok")
    calls = Calls(
        address=f"127.0.0.1:{server.port}",
        method="/any.Service/Method",
        authorization="Bearer one",
        requests=[b"", b"x" * 100_000],
        count=200,
    )
    turn, answers = await run(calls, Pace(in_flight=16), {}, tick=lambda _: None)
    assert turn.calls == 200
    assert set(answers) == {b"\x0a\x02ok"}


async def test_it_takes_part_with_the_sessions_and_answers_of_another_server() -> None:
    asked: list[int] = []
    async with naive("EdDSA") as server, echo(server, tick=asked.append) as empty:
        sessions = await empty.begin(4)
        turn = await empty.verify(sessions, 40, Pace(in_flight=4))
        _, answers = await empty.ask(sessions, 1, Pace(in_flight=1))
        _, of_naive = await Hot(server).ask(sessions, 1, Pace(in_flight=1))
    assert len(answers[0]) == pytest.approx(len(of_naive[0]), abs=16)
    assert turn.cpu_us["server"] > 0
    assert sum(asked) == 41


async def test_an_address_that_somebody_has_is_an_error() -> None:
    server = Echo("127.0.0.1:0", b"")
    with pytest.raises(OSError, match="in use"):
        Echo(f"127.0.0.1:{server.port}", b"")
    with pytest.raises(ValueError, match="address"):
        Echo("localhost", b"")


async def test_signatures_cost_what_is_known_of_their_kinds() -> None:
    costs = await asyncio.to_thread(signature_costs, 20)
    assert costs.keys() == {"RSA-2048 sign", "RSA-2048 verify", "Ed25519 sign", "Ed25519 verify"}
    assert costs["RSA-2048 sign"] > costs["RSA-2048 verify"] > 0
    assert costs["RSA-2048 sign"] > costs["Ed25519 verify"] > costs["Ed25519 sign"] > 0
    with pytest.raises(ValueError, match="signature"):
        signature_costs(0)
