"""All that locks a user's devices and sessions, at once: nobody waits in a circle, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest

from argus.base.ids import new_id
from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.server.private_stack import stack_over
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.features import origin
from tests.support.own_stores import until
from tests.support.people import WRONG_PASSWORD, context, new_person, refresh, step_up, verify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from argus.base.clock import Clock
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores
    from tests.support.people import Person

LIMIT: Final = 40
DEVICES: Final = 3
TURNS: Final = int(os.environ.get("ARGUS_LOCK_TURNS", "12"))
# What is refused because somebody else was first.
OVERTAKEN: Final = frozenset(
    {
        "DEVICE_NOT_FOUND",
        "GUESSING_THROTTLED",
        "LOGIN_NOT_FOUND",
        "POSTURE_REFUSED",
        "REFRESH_REPLAYED",
        "SESSION_ENDED",
        "SESSION_LIMIT_REACHED",
        "SESSION_NOT_FOUND",
        "STEP_UP_OVERTAKEN",
        "STEP_UP_REQUIRED",
        "TOKEN_INVALID",
    }
)


@dataclass(kw_only=True)
class Crowd:
    """Those who act for one user at once, until those who prove something have done so for so many times."""

    person: Person
    clock: Clock
    random: random.Random = field(default_factory=lambda: random.Random(8))  # noqa: S311 - no secret
    tokens: list[str] = field(default_factory=lambda: [""] * DEVICES)
    begun: list[types.Session] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    async def rage(self) -> None:
        """All at once."""
        for number in range(DEVICES):
            await self.create(number)
        acts = [*[self.create] * 4, *[self.report] * 2, *[self.use] * 2, self.name, self.forget, self.end]
        async with asyncio.TaskGroup() as acting:
            others = [acting.create_task(self._again(act, turns=None)) for act in acts]
            async with asyncio.TaskGroup() as proving:
                for act in (self.sign_in, self.refuse, self.step_up, self.step_up):
                    proving.create_task(self._again(act, turns=TURNS))
            for one in others:
                one.cancel()

    async def _again(self, act: Callable[[], Awaitable[Any]], *, turns: int | None) -> None:
        for _ in range(turns) if turns else count():
            failure = await failure_of(act())
            if failure is None:
                self.done[act.__name__] += 1
            else:
                self.refused[failure.reason] += 1

    async def create(self, number: int | None = None) -> None:
        """A session on a backend's word, on one of a few devices."""
        number = self.random.randrange(DEVICES) if number is None else number
        request = sessions.CreateSessionRequest(
            parent=self.person.name,
            client_context=context(),
            device_token=self.tokens[number],
            request_id=new_id(),
        )
        made = await self.person.api.sessions.CreateSession(request)
        self._note(number, made)

    async def sign_in(self) -> None:
        """By password."""
        number = self.random.randrange(DEVICES)
        self._note(number, await self.person.sign_in(device_token=self.tokens[number]))

    async def refuse(self) -> None:
        """A wrong password, which its device and the sessions on it pay for."""
        assert await self.person.try_password(WRONG_PASSWORD, device_token=self.random.choice(self.tokens))

    async def report(self) -> None:
        """A service has looked at a device."""
        verdict = self.random.choice([devices.INTEGRITY_VERDICT_FAILED, devices.INTEGRITY_VERDICT_UNSPECIFIED])
        posture = devices.Posture(source=devices.POSTURE_SOURCE_MDM, integrity=verdict)
        posture.measured_time.FromMilliseconds(self.clock.now_ms())
        await self.person.api.devices.ReportPosture(
            devices.ReportPostureRequest(name=self._device(), posture=posture, request_id=new_id())
        )

    async def name(self) -> None:
        """The user calls a device something else."""
        request = devices.UpdateDeviceRequest(
            device=devices.KnownDevice(name=self._device(), device=types.Device(display_name=new_id())),
            request_id=new_id(),
        )
        request.update_mask.paths.append("device.display_name")
        await self.person.api.devices.UpdateDevice(request)

    async def forget(self) -> None:
        """A device, and the sessions on it; now and then, or there would be nothing to step up."""
        if self.random.random() > 0.05:
            await self.report()
            return
        await self.person.api.devices.ForgetDevice(
            devices.ForgetDeviceRequest(name=self._device(), request_id=new_id())
        )

    async def end(self) -> None:
        """One of the newest sessions."""
        await self.person.api.sessions.TerminateSession(
            sessions.TerminateSessionRequest(name=self.random.choice(self.begun[-LIMIT // 2 :]).name)
        )

    async def step_up(self) -> None:
        """The user of a session proves itself anew."""
        done = await step_up(self.person.api, self.random.choice(self.refresh_tokens[-LIMIT // 2 :]))
        self.refresh_tokens.append(done.tokens.refresh_token)

    async def use(self) -> None:
        """A session is used, and its place and activity are written; what is used twice is contested."""
        newer = await refresh(self.person.api, self.random.choice(self.refresh_tokens[-LIMIT // 2 :]))
        await verify(self.person.api, newer.tokens.access_token)

    def _device(self) -> str:
        session = self.random.choice(self.begun[-LIMIT // 2 :])
        return f"{self.person.name}/devices/{session.device.name}"

    def _note(self, number: int, made: Any) -> None:
        self.tokens[number] = made.device_token or self.tokens[number]
        self.begun.append(made.session)
        self.refresh_tokens.append(made.tokens.refresh_token)


async def deadlocks(stores: EmbeddedStores) -> int:
    """How many PostgreSQL has seen; the server must have gone, or its counts may not have come."""
    async with await psycopg.AsyncConnection.connect(stores.urls.database) as connection:
        found = await connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        row = await found.fetchone()
    assert row
    return int(row[0])


async def _nobody_waits(private: PrivateStack) -> bool:
    row = await private.server.argus.db.fetch_one("SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
    return row == {"n": 0}


@pytest.mark.timeout(300)
async def test_nobody_waits_in_a_circle(breakable: EmbeddedStores) -> None:
    one_million = 1_000_000
    async with (
        stack_over(breakable.urls, caller_quota=one_million, tenant_quota=one_million) as made,
        made.fresh_tenant() as api,
    ):
        document = {"session_limit": LIMIT, "on_limit": "end_oldest"}
        scope = Scope(kind="tenant", id=api.tenant_id)
        await made.server.argus.policies.set_document(api.tenant_id, scope, document, origin=origin(api.tenant_id))
        await made.server.argus.snapshot.refresh()
        crowd = Crowd(person=await new_person(api), clock=made.clock)
        await crowd.rage()
        await made.server.argus.effects.flush()
        await until(lambda: _nobody_waits(made))
    assert await deadlocks(breakable) == 0
    assert set(crowd.refused) <= OVERTAKEN
    assert set(crowd.done) >= {"create", "sign_in", "refuse", "report", "name", "forget", "end", "step_up", "use"}
