"""The key-encryption key of real processes: wrong ones stop the start, and it changes while servers serve."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
import httpx
import pytest
from google.rpc import status_pb2
from pydantic import SecretStr

from argus.server.api import Api
from argus.server.served import Served
from argus.tokens.encryption import kek_id_of
from argus.tokens.reencryption_store import count_by_kek
from argus.v1 import session_service_pb2 as sessions
from tests.support.kms import Kms
from tests.support.own_stores import until
from tests.support.people import Person, new_person, reason_of, refresh, terminate, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from argus.server.app import Argus
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores

_PATIENCE: Final = 60.0
_KEYS: Final = 150
_PROMISED: Final = 1.0


def as_setting(*keys: bytes) -> str:
    """Keys as a setting has them."""
    return ",".join(base64.b64encode(key).decode() for key in keys)


class Place:
    """An installation whose keys are under a first key-encryption key, and processes over it."""

    def __init__(self, own: EmbeddedStores, private: PrivateStack, api: Api, folder: Path) -> None:
        self.stores = own
        self.private = private
        self.api = api
        self.folder = folder
        self.first = private.settings.key_encryption_bytes() or b""
        self.kms = Kms(folder / "kms")
        self._number = 0

    def served(self, **settings: str) -> Served:
        """A server with these settings of its key-encryption key."""
        self._number += 1
        own = {"key_encryption_key": "", **settings}
        base = self.private.settings.model_copy(update={"key_encryption_key": SecretStr("")})
        return Served(base, self.folder / str(self._number), **own)

    def argus(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """A command with these settings of its key-encryption key."""
        given = self.private.settings
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")},
            "ARGUS_REDIS_URL": given.redis_url.get_secret_value(),
            "ARGUS_DATABASE_URL": given.database_url.get_secret_value(),
            **{f"ARGUS_{name}_LISTEN": "127.0.0.1:0" for name in ("GRPC", "HTTP", "ADMIN")},
            **{f"ARGUS_{name.upper()}": value for name, value in settings.items()},
        }
        program = "from argus.cli.main import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def run(self, *words: str, **settings: str) -> tuple[int, str]:
        """How a command ended, and all that it said."""
        process = self.argus(*words, **settings)
        said = await asyncio.to_thread(process.communicate, timeout=_PATIENCE)
        return process.returncode, "".join(said)

    async def counted(self) -> dict[str, int]:
        """How many things are under each key-encryption key."""
        return await count_by_kek(self.private.server.argus.db)

    @asynccontextmanager
    async def calling(self, served: Served) -> AsyncIterator[Api]:
        """The client, calling a process."""
        its = self.api.at(served.grpc_address)
        yield its
        await its.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Stores that no other test uses, and a server over them that makes what a test needs."""
    from argus.server.private_stack import stack_over
    from argus.storage.embedded import EmbeddedStores

    with EmbeddedStores(tmp_path / "stores") as own:
        async with stack_over(own.urls) as private, private.fresh_tenant() as api:
            yield Place(own, private, api, tmp_path)
        own.delete()


async def test_a_wrong_key_or_a_provider_that_refuses_stops_the_start_and_says_what_to_do(place: Place) -> None:
    """One line, without a trace and without a key; who is away has another exit code than a wrong setting."""
    old, wrong = as_setting(place.first), as_setting(os.urandom(32))
    for command in (("serve",), ("keys", "list", "--tenant", "t")):
        code, said = await place.run(*command, key_encryption_key=wrong)
        assert code == 2
        assert said.startswith("argus: this database is encrypted with the key-encryption key ")
        assert kek_id_of(place.first) in said
        assert "set ARGUS_KEY_ENCRYPTION_KEY" in said
        assert "Traceback" not in said
        assert wrong not in said
    code, said = await place.run(
        "keys", "reencrypt", key_encryption_command=place.kms.command, key_encryption_key_previous=old
    )
    assert (code, "forgotten" in said) == (0, True)
    place.kms.fail("denied")
    code, said = await place.run("serve", key_encryption_command=place.kms.command)
    assert code == 5
    assert "can't unwrap: exit status 1: permission denied for principal argus" in said
    assert "Traceback" not in said
    code, said = await place.run("serve", key_encryption_key=old)
    assert code == 2
    assert "(wrapped by a command)" in said


async def test_the_key_changes_while_servers_serve(place: Place) -> None:
    """Two servers, restarted one after the other; the change is killed halfway; nobody notices; the old key is done."""
    new = os.urandom(32)
    olds, both = (
        {"key_encryption_key": as_setting(place.first)},
        {"key_encryption_key": as_setting(new), "key_encryption_key_previous": as_setting(place.first)},
    )
    person = await new_person(place.api)
    await _many_keys(place)
    user = User(person)
    with place.served(**olds).running() as one:
        async with user.of(place, one):
            await user.some()
            with place.served(**both).running() as other:
                async with user.of(place, other):
                    # Both settings at once: what either of them makes, the other can read.
                    for asked in (one, other):
                        async with place.calling(asked) as api:
                            await _rotate(api)
                        await user.some()
                    one.stop()
                    one = place.served(**both)  # noqa: PLW2901 - the same server with other settings
                    with one.running():
                        async with user.of(place, one):
                            await _killed_halfway(place, both)
                            counted = await place.counted()
                            assert set(counted) == {kek_id_of(place.first), kek_id_of(new)}
                            await user.some()
                            code, said = await place.run("keys", "reencrypt", **both)
                            assert code == 0, said
                            assert set(await place.counted()) == {kek_id_of(new)}
                            async with place.calling(one) as api:
                                await _rotate(api)
                            await user.some()
    with place.served(key_encryption_key=as_setting(new)).running() as last:
        async with user.of(place, last):
            await user.some()
    assert user.failures == []
    assert user.done > 10
    code, said = await place.run("serve", **olds)
    assert (code, kek_id_of(new) in said) == (2, True)


async def _is_faulty(argus: Argus) -> bool:
    return bool(argus.snapshot.fault)


async def test_a_server_that_can_not_read_the_new_key_says_so_and_goes_on_with_what_it_has(place: Place) -> None:
    """It would not learn of a key that is pulled: it takes itself out of the load balancer."""
    new, argus = os.urandom(32), place.private.server.argus
    person = await new_person(place.api)
    done = await person.sign_in()
    code, said = await place.run(
        "keys",
        "reencrypt",
        key_encryption_key=as_setting(new),
        key_encryption_key_previous=as_setting(place.first),
    )
    assert code == 0, said
    await until(lambda: _is_faulty(argus))
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{place.private.server.admin_url}/readyz")
    assert (answer.status_code, answer.json()["faults"]) == (503, {"snapshot": "can't decrypt keys"})
    assert (await verify(place.api, done.tokens.access_token)).sub == person.user_id


async def test_a_server_that_can_not_read_the_new_keys_stops_using_a_pulled_one(place: Place) -> None:
    """The name of a key is enough to refuse it; for what is signed with a key that it can't read others are asked."""
    new, argus, tenant = {"key_encryption_key": as_setting(os.urandom(32))}, place.private.server.argus, place.api
    person = await new_person(tenant)
    token = (await person.sign_in()).tokens.access_token
    (old,) = [key for key in (await argus.signing_keys.list(tenant.tenant_id, page_size=9))[0] if key.use == "access"]
    code, said = await place.run("keys", "reencrypt", **new, key_encryption_key_previous=as_setting(place.first))
    assert code == 0, said
    code, said = await place.run("keys", "revoke", "--tenant", tenant.tenant_id, "--", old.kid, **new)
    assert code == 0, said

    # The key set without the new key would be an answer; that it can't be told is none.
    async with httpx.AsyncClient() as http:

        async def has_stopped() -> bool:
            answer = await http.get(f"{place.private.server.http_url}/t/{tenant.tenant_id}/.well-known/jwks.json")
            return (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")

        await until(has_stopped)
    # The caller's own token is under the pulled key, too.
    assert await reason_of(verify(tenant, token)) == "CALLER_TOKEN_INVALID"
    assert await reason_of(tenant.at(tenant.address).token()) == "UNAVAILABLE"
    with place.served(**new).running() as healthy:
        fresh = await tenant.at(healthy.grpc_address).token()
    kind, content = argus.engine.authenticate(
        f"Bearer {fresh}", scope="users.read", system_tenant_only=False, snapshot_confirmed=True
    )
    assert kind == 1
    assert status_pb2.Status.FromString(content).code == grpc.StatusCode.UNAVAILABLE.value[0]


async def test_a_pulled_key_waits_for_no_provider_that_hangs(tmp_path: Path) -> None:
    """A server whose way to its provider is cut misses a change of the key; what is pulled is refused all the same."""
    from argus.server.private_stack import stack_over
    from argus.storage.embedded import EmbeddedStores

    kms = Kms(tmp_path / "kms")
    by_command: dict[str, Any] = {"key_encryption_key": SecretStr(""), "key_encryption_command": kms.command}
    cut, program = tmp_path / "cut", tmp_path / "program"
    program.write_text(f'#!/bin/sh\n[ -e {cut} ] && exec sleep 600\nexec {kms.command} "$1"\n')
    program.chmod(0o700)
    with EmbeddedStores(tmp_path / "stores") as own:
        async with stack_over(own.urls, **by_command) as private, private.fresh_tenant() as api:
            place = Place(own, private, api, tmp_path)
            token = (await (await new_person(api)).sign_in()).tokens.access_token
            with place.served(key_encryption_command=str(program)).running() as served:
                async with place.calling(served) as its:
                    await verify(its, token)
                    cut.touch()
                    code, said = await place.run("keys", "reencrypt", key_encryption_command=kms.command)
                    assert code == 0, said
                    signing_keys, tenant = private.server.argus.signing_keys, api.tenant_id
                    (old,) = [key for key in (await signing_keys.list(tenant, page_size=9))[0] if key.use == "access"]
                    await signing_keys.revoke(tenant, old.kid, _origin(tenant))
                    begun = time.monotonic()

                    async def is_refused() -> bool:
                        return await reason_of(verify(its, token)) == "CALLER_TOKEN_INVALID"

                    await until(is_refused)
                    assert time.monotonic() - begun < _PROMISED
        own.delete()


async def test_a_running_server_has_a_new_key_before_it_needs_it(tmp_path: Path) -> None:
    """A pulled key must not wait for the provider: what a change of the key brings is asked for at once."""
    from argus.server.private_stack import stack_over
    from argus.storage.embedded import EmbeddedStores

    kms = Kms(tmp_path / "kms")
    by_command: dict[str, Any] = {"key_encryption_key": SecretStr(""), "key_encryption_command": kms.command}
    with EmbeddedStores(tmp_path / "stores") as own:
        async with stack_over(own.urls, **by_command) as private, private.fresh_tenant() as api:
            code, said = await Place(own, private, api, tmp_path).run(
                "keys", "reencrypt", key_encryption_command=kms.command
            )
            assert code == 0, said
            # Made at the first start and checked, asked for by the command, which makes and checks another.
            asked = ["wrap", "unwrap", "unwrap", "wrap", "unwrap", "unwrap"]

            async def has_asked() -> bool:
                return kms.operations == asked

            await until(has_asked)
            kms.fail("denied")
            argus, tenant = private.server.argus, api.tenant_id
            (active,) = [key for key in (await argus.signing_keys.list(tenant, page_size=9))[0] if key.use == "access"]
            await argus.signing_keys.revoke(tenant, active.kid, _origin(tenant))
            await argus.snapshot.refresh()
            assert kms.operations == asked
        own.delete()


class User:
    """Sessions that begin, refresh and are verified by whatever servers there are, all the time."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self.done = 0
        self.failures: list[BaseException] = []

    @asynccontextmanager
    async def of(self, place: Place, served: Served) -> AsyncIterator[None]:
        """Calls a server for the time of the block."""
        async with place.calling(served) as api:
            calling = asyncio.create_task(self._call(api, served))
            try:
                yield
            finally:
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)

    async def some(self) -> None:
        """Waits until more was done, or something failed."""
        goal = self.done + 5

        async def is_done() -> bool:
            return self.done >= goal or bool(self.failures)

        await until(is_done)

    async def _call(self, api: Api, served: Served) -> None:
        while served.is_running:
            try:
                begun = await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=self._person.name))
                renewed = (await refresh(api, begun.tokens.refresh_token)).tokens
                await verify(api, renewed.access_token)
                await terminate(api, begun.session.name)
            except grpc.aio.AioRpcError as error:
                if served.is_running:
                    self.failures.append(error)
                return
            self.done += 1


async def _rotate(api: Api) -> None:
    from argus.v1 import key_service_pb2 as keys

    for use in (keys.KEY_USE_ACCESS, keys.KEY_USE_REFRESH, keys.KEY_USE_REFRESH_ID):
        await api.keys.RotateKey(keys.RotateKeyRequest(parent=api.parent, use=use))


async def _many_keys(place: Place) -> None:
    """So many that a change of the key-encryption key takes a while."""
    argus, origin = place.private.server.argus, _origin(place.api.tenant_id)
    for _ in range(_KEYS):
        await argus.signing_keys.rotate(place.api.tenant_id, "refresh", immediate=True, origin=origin)


def _origin(tenant_id: str) -> Any:
    from argus.base.ids import new_id
    from argus.base.origin import Origin

    return Origin(tenant_id=tenant_id, actor="system:test", request_id=new_id())


async def _killed_halfway(place: Place, settings: dict[str, str]) -> None:
    """`argus keys reencrypt` is killed as soon as it has begun, and before it is done."""
    process = place.argus("keys", "reencrypt", **settings)

    async def has_begun() -> bool:
        assert process.poll() is None, process.communicate()
        return len(await place.counted()) > 1

    await until(has_begun)
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.communicate, timeout=_PATIENCE)
    assert process.returncode == -signal.SIGKILL
