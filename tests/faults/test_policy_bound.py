"""A change of a policy reaches three processes within the bound that SetPolicy states."""

import asyncio
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from google.protobuf.struct_pb2 import Struct

from argus.server.api import Api
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.own_stores import PATIENCE_SECONDS
from tests.support.people import new_person

SERVERS: Final = 3
ROUNDS: Final = 10
LONGEST: Final = timedelta(hours=1)
# Each is shorter than the one before by more than lives differ: sessions that live follow nothing longer.
SHORTENED: Final = 0.9
JITTER: Final = 0.05
_PAUSE: Final = 0.005


async def test_a_policy_reaches_three_processes_within_its_bound(tmp_path: Path) -> None:
    """Set through one of them; tokens that the others refresh and sessions that they begin live as long as it says."""
    with EmbeddedStores(tmp_path / "stores") as stores, ExitStack() as running:
        async with stack_over(stores.urls) as private, private.fresh_tenant() as api:
            servers = [Served(private.settings, tmp_path / str(number)) for number in range(SERVERS)]
            for server in servers:
                running.enter_context(server.running())
            callers = [api.at(server.grpc_address) for server in servers]
            await _set_access(callers[0], LONGEST)
            holders = [await _Holder.new(caller) for caller in callers]
            times: list[float] = []
            bound = timedelta(0)
            for round_number in range(ROUNDS):
                span = timedelta(seconds=round(LONGEST.total_seconds() * SHORTENED ** (round_number + 1)))
                bound = await _set_access(callers[round_number % SERVERS], span)
                begun = time.monotonic()
                asking = asyncio.gather(*(_until(holder, span, begun) for holder in holders))
                # A session that begins now is given what is in force now, whoever begins it.
                born = await asyncio.gather(*(_Holder.new(caller) for caller in callers))
                assert all(_is(span, holder.first_life) for holder in born)
                times += await asking
            metrics = await asyncio.gather(*(_metrics(server) for server in servers))
            for caller in callers:
                await caller.close()
    times.sort()
    assert times[-1] <= bound.total_seconds(), times[-5:]
    assert all(one["argus_policy_bound_seconds"] == bound.total_seconds() for one in metrics)
    assert all(one["argus_policy_age_seconds"] <= bound.total_seconds() for one in metrics)


class _Holder:
    """Whoever holds a session and refreshes it through one server."""

    def __init__(self, api: Api, begun: types.TokenSet) -> None:
        self._api = api
        self._token = begun.refresh_token
        self.first_life = begun.expires_in.ToTimedelta().total_seconds()

    @classmethod
    async def new(cls, api: Api) -> "_Holder":
        signed_in = await (await new_person(api)).sign_in()
        return cls(api, signed_in.tokens)

    async def life(self) -> float:
        """Refreshes; how long the new access token lives."""
        request = tokens.RefreshTokenRequest(refresh_token=self._token)
        made: types.TokenSet = (await self._api.tokens.RefreshToken(request)).tokens
        self._token = made.refresh_token
        return made.expires_in.ToTimedelta().total_seconds()


async def _until(holder: _Holder, span: timedelta, begun: float) -> float:
    """Seconds until a refresh gives what was set: the ask began so long after the change."""
    while True:
        asked = time.monotonic() - begun
        if _is(span, await holder.life()):
            return asked
        assert asked < PATIENCE_SECONDS, span
        await asyncio.sleep(_PAUSE)  # another process's reading is awaited


def _is(span: timedelta, life: float) -> bool:
    """Lives are shortened by up to a twentieth, so that tokens are not renewed all at once."""
    return span.total_seconds() * (1 - JITTER) - 1 <= life <= span.total_seconds()


async def _set_access(api: Api, span: timedelta) -> timedelta:
    document = Struct()
    document.update({"access_seconds": span.total_seconds()})
    policy = pb.Policy(name=f"{api.parent}/policy", document=document)
    answer = await api.policies.SetPolicy(pb.SetPolicyRequest(policy=policy))
    return answer.policy_bound.ToTimedelta()


async def _metrics(server: Served) -> dict[str, float]:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{server.admin_url}/metrics")).text
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.startswith("argus_policy_")}
