"""An end on one server reaches another one that has the session in memory, as fast as is promised."""

from pathlib import Path
from typing import Final

from argus.server.api import Api
from argus.server.bench.hot import Begun
from argus.server.bench.revocation import percentile, times_to_refusal
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from tests.support.people import new_person

SESSIONS: Final = 100
GOAL_MS: Final = 50
BOUND_MS: Final = 250


async def test_an_end_is_known_on_another_server_within_fifty_milliseconds(tmp_path: Path) -> None:
    """p99 within the goal, and no end later than the bound; other programs may run beside."""
    with EmbeddedStores(tmp_path / "stores") as stores:
        async with stack_over(stores.urls) as private, private.fresh_tenant() as api:
            with Served(private.settings, tmp_path / "other").running() as other:
                verifying = api.at(other.grpc_address)
                sessions = [await _begin(api) for _ in range(SESSIONS)]
                times = await times_to_refusal(sessions, ending=api, verifying=verifying)
                await verifying.close()
    assert percentile(times, 99) <= GOAL_MS, sorted(times)[-5:]
    assert max(times) < BOUND_MS


async def _begin(api: Api) -> Begun:
    person = await new_person(api)
    signed_in = await person.sign_in()
    return Begun.of(signed_in.session.name, signed_in.tokens)
