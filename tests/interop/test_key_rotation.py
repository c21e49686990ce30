"""Keys change under load, and nobody notices: three servers, go-oidc, jose and our own module, each with its cache.

Times are those of a real installation divided by 150: key sets may be kept for 2 s, new keys are published 4 s ahead.
jose and our module may not ask for unknown keys within that time, so that publishing ahead alone must do; go-oidc
keeps keys until it meets one that it does not know, and always may ask. `make key-rotation` does it many times over.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console
from rich.progress import track

from argus.sdk.jwks import KeySetTimes
from argus.storage.embedded import EmbeddedStores, StoreUrls
from argus.v1 import key_service_pb2 as keys
from tests.support.offline_verifiers import Module, OfflineVerifier, go_oidc, jose
from tests.support.servers import free_ports
from tests.support.toolchains import AbsentError

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack
    from argus.server.served import Served
    from tests.interop.key_load import KeyLoad, Record

ROUNDS: Final = int(os.environ.get("ARGUS_KEY_ROTATION_ROUNDS", "1"))
SERVERS: Final = 3
PATIENCE_SECONDS: Final = 60
MAX_AGE: Final = timedelta(seconds=2)
KEPT_BY_JOSE: Final = 1.5 * MAX_AGE
MODULE, GO_OIDC, JOSE = "argus.sdk.jwks", "go-oidc", "jose"
# What is promised of servers.
PROMISED_SECONDS: Final = 1.0
# Until the key set of any server is without the key, and then as long as it is kept; on a machine that does much else.
SLACK_SECONDS: Final = PROMISED_SECONDS + 1.0
BOUNDS: Final = {
    MODULE: MAX_AGE.total_seconds() + SLACK_SECONDS,
    JOSE: KEPT_BY_JOSE.total_seconds() + SLACK_SECONDS,
    # It asks for the set as soon as it meets a token of the new key.
    GO_OIDC: SLACK_SECONDS,
}

pytestmark = pytest.mark.timeout(120 + 60 * ROUNDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened, and which verifiers were not there."""

    record: Record
    absent: dict[str, str]


@pytest.fixture(scope="module")
async def outcome(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outcome]:
    """Rounds of a rotation by schedule, one by hand, and an emergency."""
    folder = tmp_path_factory.mktemp("rotation")
    with EmbeddedStores(folder / "stores") as stores:
        async with AsyncExitStack() as stack:
            yield await play(stores.urls, folder, stack)
        stores.delete()


async def play(stores: StoreUrls, folder: Path, stack: AsyncExitStack) -> Outcome:
    """Starts servers and verifiers, and lets keys change under load."""
    # grpc may be loaded only once the stores run.
    from argus.server.private_stack import stack_over
    from tests.interop.key_load import KeyLoad

    (port,) = free_ports(1)
    private = await stack.enter_async_context(
        stack_over(stores, base_url=f"http://127.0.0.1:{port}", key_set_max_age=MAX_AGE)
    )
    served = [serve(private, folder / str(number), port if number == 0 else 0, stack) for number in range(SERVERS)]
    api = await private.new_tenant()
    apis = [api.at(server.grpc_address) for server in served]
    for one in (api, *apis):
        stack.push_async_callback(one.close)
    offline, absent = await verifiers(api.tenant_id, [server.http_url for server in served])
    for verifier in offline.values():
        stack.push_async_callback(verifier.stop)
        await verifier.start()
    load = KeyLoad(apis, offline)
    installation = Installation(private, load, api.parent)
    async with load.running():
        console = Console(file=sys.__stderr__)
        for _ in track(range(ROUNDS), "rotations and emergencies", console=console):
            await installation.rotate(installation.by_schedule)
            await installation.rotate(installation.by_hand)
            await installation.emergency()
    console.print("\n".join(load.record.figures()), highlight=False)
    return Outcome(record=load.record, absent=absent)


def serve(private: PrivateStack, folder: Path, http_port: int, stack: AsyncExitStack) -> Served:
    """A server in a process of its own; that of the port given is the issuer's address."""
    from argus.server.served import Served

    server = Served(
        private.settings,
        folder,
        http_listen=f"127.0.0.1:{http_port}",
        key_set_max_age=f"{MAX_AGE.total_seconds():g}s",
        drain_time="0s",
    )
    return stack.enter_context(server.running())


async def verifiers(tenant_id: str, urls: Sequence[str]) -> tuple[dict[str, OfflineVerifier], dict[str, str]]:
    """All that this machine has what it takes for, and why it has not the others."""
    times = KeySetTimes(fresh=MAX_AGE, stale=timedelta(minutes=1), pause=timedelta(seconds=30))
    made: dict[str, Callable[[], OfflineVerifier]] = {
        MODULE: lambda: Module(f"{urls[-1]}/t/{tenant_id}/.well-known/jwks.json", times),
        GO_OIDC: lambda: go_oidc(f"{urls[0]}/t/{tenant_id}"),
        JOSE: lambda: jose(f"{urls[0]}/.well-known/oauth-authorization-server/t/{tenant_id}", kept=KEPT_BY_JOSE),
    }
    found, absent = {}, {}
    for name, make in made.items():
        try:
            # Programs are built first.
            found[name] = await asyncio.to_thread(make)
        except AbsentError as error:
            absent[name] = str(error)
    return found, absent


class Installation:
    """The tenant whose keys change, as its operators see it."""

    def __init__(self, private: PrivateStack, load: KeyLoad, tenant: str) -> None:
        self._signing_keys = private.server.argus.signing_keys
        self._load = load
        self._tenant = tenant

    async def rotate(self, begin: Callable[[], Awaitable[None]]) -> None:
        """A rotation, from the publishing of the next key until it has signed much."""
        before = await self._active()
        await begin()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self._active() == before:
                # Any server may; they look every five seconds.
                await self._signing_keys.advance_due()
        await self._load.uses(await self._active())
        await self._load.lasts(MAX_AGE.total_seconds())

    async def by_schedule(self) -> None:
        """What every server does when a key has signed for long enough, as here every key has: all rings."""
        period, self._signing_keys._rotation_period = self._signing_keys._rotation_period, timedelta(milliseconds=1)
        await self._signing_keys.advance_due()
        self._signing_keys._rotation_period = period

    async def by_hand(self) -> None:
        """What `argus keys rotate` does."""
        for use in (keys.KEY_USE_ACCESS, keys.KEY_USE_REFRESH):
            await self._rotate(keys.RotateKeyRequest(parent=self._tenant, use=use))

    async def _rotate(self, request: keys.RotateKeyRequest) -> None:
        await self._load.call(lambda api: api.keys.RotateKey(request))

    async def emergency(self) -> None:
        """The key that signs is pulled, and another one takes its place at once."""
        kid = await self._active()
        request = keys.RevokeKeyRequest(name=f"{self._tenant}/keys/{kid}", comment="stolen")
        await self._load.pull(kid, lambda: self._load.call(lambda api: api.keys.RevokeKey(request)))
        await self._load.uses(await self._active())
        await self._load.lasts(max(BOUNDS.values()) + MAX_AGE.total_seconds())

    async def _active(self) -> str:
        request = keys.ListKeysRequest(parent=self._tenant, page_size=100)
        listed = await self._load.call(lambda api: api.keys.ListKeys(request))
        (active,) = (
            key for key in listed.keys if key.use == keys.KEY_USE_ACCESS and key.state == keys.KEY_STATE_ACTIVE
        )
        return str(active.name.rpartition("/")[2])


def of(outcome: Outcome, verifier: str) -> Record:
    """What happened, if the verifier was there."""
    if verifier in outcome.absent:
        pytest.skip(outcome.absent[verifier])
    return outcome.record


async def test_no_call_fails_while_keys_change(outcome: Outcome) -> None:
    """Refreshes, whoever serves them; and there was something to notice."""
    record = outcome.record
    assert record.failed_calls == []
    assert len(record.emergencies) == ROUNDS
    assert len(record.keys()) == 1 + 3 * ROUNDS


@pytest.mark.parametrize("number", range(SERVERS))
async def test_every_server_takes_good_tokens_and_refuses_a_pulled_key_within_a_second(
    outcome: Outcome, number: int
) -> None:
    """Those of a new key, too, whichever server began to sign with it."""
    record, verifier = outcome.record, f"grpc {number}"
    assert record.failures(verifier, recovers_within=0) == []
    assert record.last_accepted(verifier) < PROMISED_SECONDS


@pytest.mark.parametrize("verifier", [MODULE, GO_OIDC, JOSE])
async def test_offline_verifiers_take_good_tokens_and_refuse_a_pulled_key_within_their_time(
    outcome: Outcome, verifier: str
) -> None:
    """Only an emergency gives no time to learn of the new key; it is known as soon as the old one is forgotten."""
    record = of(outcome, verifier)
    assert record.failures(verifier, recovers_within=BOUNDS[verifier]) == []
    assert record.last_accepted(verifier) < BOUNDS[verifier]
