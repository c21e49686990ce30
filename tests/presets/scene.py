"""A tenant under a preset, its users, and the time moved to the very moment of a number."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from argus.policies.model import Scope
from argus.v1 import policy_service_pb2 as policies
from argus.v1 import session_service_pb2 as sessions
from tests.support.moments import SECOND, begin_second, move_to, now
from tests.support.people import Person, new_person
from tests.support.policies import set_document
from tests.support.stack import Stack

__all__ = ["SECOND"]

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.presets.numbers import Number

HARDWARE: Final = ("pwd", "hwk", "mfa", "user")
"""What a backend has seen that vouches for level 3."""
# As loose as can be set: what holds all the same is the preset's.
LOOSEST: Final[dict[str, Any]] = {
    "idle_seconds": 90 * 86400,
    "absolute_seconds": 90 * 86400,
    "access_seconds": 3600,
    "refresh_is_activity": True,
    "lockout_tries": 100,
    "step_up_age_seconds": 86400,
    "session_limit": 10_000,
    "recovery_ends_sessions": False,
}


@dataclass(frozen=True, slots=True)
class Office:
    """A tenant under a policy."""

    stack: Stack
    api: Api

    @property
    def now(self) -> datetime:
        return now(self.stack)

    async def new_person(self) -> Person:
        """A user whose password meets every framework."""
        return await new_person(self.api, password=GOOD)

    async def vouch(self, person: Person, *, acr: int = 3, amr: tuple[str, ...] = HARDWARE) -> Any:
        """A session on a backend's word."""
        request = sessions.CreateSessionRequest(parent=person.name, acr=f"urn:argus:acr:{acr}", amr=amr)
        return await self.api.sessions.CreateSession(request)

    async def move_to(self, moment: datetime) -> None:
        """Moves the time to a moment that is still to come."""
        await move_to(self.stack, moment)

    async def begin_second(self) -> None:
        """Moves the time to the beginning of a second: stores count whole ones."""
        await begin_second(self.stack)

    async def execute(self, query: str, *values: Any) -> None:
        """Writes to PostgreSQL behind the server's back: nobody waits for years."""
        async with self.stack.argus.db.transaction() as tx:
            await tx.execute(query, values)

    async def failures(self) -> set[bytes]:
        """Redis keys of all counts of failures."""
        return {key async for key in self.stack.argus.redis.client.scan_iter(match="a1:g:*", count=1000)}

    async def set_failures(self, key: bytes, count: int) -> None:
        """Writes to Redis behind the server's back: nobody waits for a hundred guesses."""
        value = cast("bytes", await self.stack.argus.redis.client.get(key))
        await self.stack.argus.redis.client.set(key, struct.pack(">I", count) + value[4:], keepttl=True)

    async def count(self, query: str, *values: Any) -> int:
        """The number that a query gives."""
        row = await self.stack.argus.db.fetch_one(f"SELECT count(*) AS n {query}", values)
        return 0 if row is None else int(row["n"])


GOOD: Final = "seven quiet otters under 1 bridge"
"""A password that meets every framework."""


async def new_office(stack: Stack, document: dict[str, Any]) -> Office:
    """A new tenant that has set this."""
    api = await stack.new_tenant()
    await set_policy(stack, api.tenant_id, document)
    return Office(stack, api)


async def office_of(stack: Stack, number: Number, **more: Any) -> Office:
    """A new tenant under a preset, which has set everything else as loosely as can be.

    Args:
        stack: The server.
        number: What the test is about; where it is one of privileged access, all access is.
        more: Other fields, as strict as the test needs them whatever the preset says: what it shows is one number.
    """
    privileged = {"privileged": True} if number.privileged else {}
    return await new_office(stack, {**LOOSEST, "presets": [number.preset], **privileged, **more})


async def office_of_number_alone(stack: Stack, number: Number, **more: Any) -> Office:
    """A new tenant that has set a number by itself, which its preset puts in force, too.

    For numbers that can't be seen to bite beside others of the same preset: an old password alone, say, where no
    password alone begins a session.
    """
    office = await office_of(stack, number)
    request = policies.GetEffectivePolicyRequest(parent=office.api.parent)
    in_force = {one.key: one.value for one in (await office.api.policies.GetEffectivePolicy(request)).fields}
    assert in_force[number.key].number_value == number.value
    return await new_office(stack, {**LOOSEST, number.key: number.value, **more})


async def set_policy(stack: Stack, tenant_id: str, document: dict[str, Any], *, user_id: str = "") -> None:
    """Sets a tenant's document, or a user's; every process knows it from then on."""
    scope = Scope(kind="user", id=user_id) if user_id else None
    await set_document(stack, tenant_id, document, scope=scope)


def time_of(stamp: Any) -> datetime:
    """The time of a protobuf timestamp."""
    return stamp.ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]  # messages are made at run time
