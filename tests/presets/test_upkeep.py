"""Unused accounts are closed, and records kept and shortened, when the frameworks say so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.v1 import user_service_pb2 as users
from tests.presets.numbers import Number, concerns, numbers_of
from tests.presets.scene import GOOD, Office, office_of
from tests.support.people import Person, reason_of

if TYPE_CHECKING:
    from tests.support.stack import Stack

# What passes while a test runs.
A_WHILE = timedelta(seconds=60)


async def age_user(office: Office, person: Person, age: timedelta) -> None:
    """Nobody has used it for so long."""
    at, who = office.now - age, person.user_id
    await office.execute("UPDATE users SET create_time = %s, enable_time = NULL WHERE user_id = %s", at, who)
    await office.execute("UPDATE sessions SET create_time = %s, last_active_time = %s WHERE user_id = %s", at, at, who)


async def is_disabled(office: Office, person: Person) -> bool:
    """Whether a user may sign in no longer."""
    shown = (await office.api.users.GetUser(users.GetUserRequest(name=person.name))).user
    return shown.state == users.USER_STATE_DISABLED


@pytest.mark.parametrize("number", numbers_of("unused_account_seconds"))
async def test_unused_account(stack: Stack, number: Number) -> None:
    """Closed by the next round, once, with its reason; an administrator opens it, and that counts as a use."""
    office, span = await office_of(stack, number), timedelta(seconds=number.value)
    person, used = await office.new_person(), await office.new_person()
    await office.vouch(person)
    await age_user(office, person, span - A_WHILE)
    await age_user(office, used, span)
    await office.vouch(used)
    await stack.argus.unused_accounts.disable_due()
    assert not await is_disabled(office, person)
    await age_user(office, person, span)
    for _ in range(2):
        await stack.argus.unused_accounts.disable_due()
    assert await is_disabled(office, person)
    assert not await is_disabled(office, used)
    disabled = "FROM audit_events WHERE user_id = %s AND type = 'user.disabled' AND reason = 'UNUSED'"
    assert await office.count(disabled, person.user_id) == 1
    assert await reason_of(person.sign_in(password=GOOD)) == "FACTOR_REFUSED"
    await office.api.users.EnableUser(users.EnableUserRequest(name=person.name))
    await stack.advance(timedelta(seconds=5))  # who was enabled this very second is not looked at yet
    await stack.argus.unused_accounts.disable_due()
    assert not await is_disabled(office, person)


@pytest.mark.parametrize("number", numbers_of("unused_account_kept_seconds"))
async def test_unused_account_kept(stack: Stack, number: Number) -> None:
    """Deleted by the next round, once, with its reason; whoever is enabled, or disabled by somebody, is kept."""
    office, span = await office_of(stack, number), timedelta(seconds=number.value)
    person, back, held, hired = [await office.new_person() for _ in range(4)]
    for one in (person, back, held):
        await age_user(office, one, timedelta(days=3000))
    await stack.argus.unused_accounts.disable_due()
    for one in (back, hired):
        await office.api.users.EnableUser(users.EnableUserRequest(name=one.name))
    for one in (held, hired):
        await office.api.users.DisableUser(users.DisableUserRequest(name=one.name))

    async def kept(age: timedelta) -> list[bool]:
        await office.execute(
            "UPDATE users SET unused_time = %s WHERE tenant_id = %s AND unused_time IS NOT NULL",
            office.now - age,
            office.api.tenant_id,
        )
        for _ in range(2):
            await stack.argus.unused_accounts.delete_due()
        there = "FROM users WHERE user_id = %s AND delete_time IS NULL"
        return [await office.count(there, one.user_id) == 1 for one in (person, back, held, hired)]

    assert await kept(span - A_WHILE) == [True, True, True, True]
    assert await kept(span) == [False, True, True, True]
    deleted = "FROM audit_events WHERE user_id = %s AND type = 'user.deleted' AND reason = 'UNUSED'"
    assert await office.count(deleted, person.user_id) == 1


@pytest.mark.parametrize("number", numbers_of("audit_retention_seconds"))
async def test_audit_retention(stack: Stack, number: Number) -> None:
    """An event is there as long as it has to be, and then is not; that it went is an event itself."""
    office, span = await office_of(stack, number), timedelta(seconds=number.value)
    kept, gone = await office.new_person(), await office.new_person()
    of_user = "FROM audit_events WHERE user_id = %s AND type = 'user.created'"
    for person, age in ((kept, span - A_WHILE), (gone, span + timedelta(seconds=1))):
        await office.execute("UPDATE audit_events SET time = %s WHERE user_id = %s", office.now - age, person.user_id)
    await stack.argus.audit_upkeep.purge()
    assert await office.count(of_user, kept.user_id) == 1
    assert await office.count(of_user, gone.user_id) == 0
    purged = "FROM audit_events WHERE tenant_id = %s AND type = 'audit.purged'"
    assert await office.count(purged, office.api.tenant_id) == 1


@pytest.mark.parametrize("number", numbers_of("audit_ip_retention_seconds"))
@pytest.mark.parametrize(
    ("whole", "cut"), [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48")]
)
async def test_audit_ip_retention(stack: Stack, number: Number, whole: str, cut: str) -> None:
    """An address is whole for so long; then its network is left of it."""
    office, span = await office_of(stack, number), timedelta(seconds=number.value)
    young, old = await office.new_person(), await office.new_person()
    for person, age in ((young, span - A_WHILE), (old, span + timedelta(seconds=1))):
        await office.execute(
            "UPDATE audit_events SET time = %s, ip_address = %s WHERE user_id = %s",
            office.now - age,
            whole,
            person.user_id,
        )
    for _ in range(2):
        await stack.argus.audit_upkeep.cut_addresses()
    for person, shown in ((young, whole), (old, cut)):
        found = await stack.argus.db.fetch_all(
            "SELECT DISTINCT ip_address::text AS shown FROM audit_events WHERE user_id = %s", (person.user_id,)
        )
        assert {row["shown"].removesuffix("/32").removesuffix("/128") for row in found} == {shown}


@concerns(
    "unused_account_seconds", "unused_account_kept_seconds", "audit_retention_seconds", "audit_ip_retention_seconds"
)
async def test_without_a_policy_nothing_is_closed_or_forgotten(stack: Stack) -> None:
    """However long ago."""
    api = await stack.new_tenant()
    office = Office(stack, api)
    person = await office.new_person()
    await age_user(office, person, timedelta(days=3000))
    await office.execute(
        "UPDATE audit_events SET time = %s, ip_address = '192.0.2.77' WHERE user_id = %s",
        office.now - timedelta(days=3000),
        person.user_id,
    )
    await stack.argus.unused_accounts.disable_due()
    await stack.argus.unused_accounts.delete_due()
    await stack.argus.audit_upkeep.purge()
    await stack.argus.audit_upkeep.cut_addresses()
    assert not await is_disabled(office, person)
    whole = "FROM audit_events WHERE user_id = %s AND host(ip_address) = '192.0.2.77'"
    assert await office.count(whole, person.user_id) > 0
