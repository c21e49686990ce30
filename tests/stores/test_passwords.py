import asyncio
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from argus.base.errors import OverloadedError
from argus.credentials.model import CredentialNotFoundError, CredentialUserNotFoundError, PasswordRefusedError
from argus.credentials.service import Passwords
from tests.support.features import PASSWORD, Features, origin

ALICE = "alice@example.com"


async def set_password(features: Features, tenant: str, user_id: str, password: str = PASSWORD) -> str:
    """Sets it; id of the credential."""
    credential = await features.passwords.set(
        tenant, user_id, password, identifiers=["alice@example.com"], origin=origin(tenant)
    )
    return credential.credential_id


async def stored_hash(features: Features, tenant: str, user_id: str) -> str:
    """What the database holds."""
    row = await features.db.fetch_one(
        "SELECT secret_hash FROM credentials WHERE tenant_id = %s AND user_id = %s", (tenant, user_id)
    )
    assert row is not None
    return str(row["secret_hash"])


async def test_only_the_right_password_of_the_right_user_fits(features: Features) -> None:
    """And the last use is noted only when it was let in."""
    tenant = await features.new_tenant()
    alice, bob = await features.new_user(tenant), await features.new_user(tenant)
    credential_id = await set_password(features, tenant, alice.user_id)
    assert (await stored_hash(features, tenant, alice.user_id)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not (await features.passwords.check(tenant, alice.user_id, f"{PASSWORD}.", identifier=ALICE)).ok
    found = await features.passwords.find(tenant, alice.user_id)
    assert found is not None
    assert found.last_use_time is None
    features.advance(timedelta(minutes=1))
    right = await features.passwords.check(tenant, alice.user_id, PASSWORD, identifier=ALICE)
    assert (right.ok, right.credential_id, right.closed_to_unknown_devices) == (True, credential_id, False)
    found = await features.passwords.find(tenant, alice.user_id)
    assert found is not None
    assert found.last_use_time is None
    await features.passwords.used(tenant, right, PASSWORD)
    found = await features.passwords.find(tenant, alice.user_id)
    assert found is not None
    assert found.last_use_time == features.time
    assert not (await features.passwords.check(tenant, bob.user_id, PASSWORD, identifier=ALICE)).ok
    assert not (await features.passwords.check(tenant, None, PASSWORD, identifier=ALICE)).ok


async def test_asvs_6_3_8_an_unknown_user_costs_the_same_hash(features: Features) -> None:
    """One hash each, whether the user exists, has a password, or the input can't be a password at all."""
    tenant = await features.new_tenant()
    alice, bob = await features.new_user(tenant), await features.new_user(tenant)
    await set_password(features, tenant, alice.user_id)
    for user_id in (alice.user_id, bob.user_id, None):
        for password in ("wrong", "", "x" * 2000, "wrong\x00", "wrong\ud800"):
            before = features.passwords.hashes_done
            assert not (await features.passwords.check(tenant, user_id, password, identifier=ALICE)).ok
            assert features.passwords.hashes_done == before + 1


async def test_a_password_is_the_same_in_any_normal_form(features: Features) -> None:
    """NFC, before it is hashed."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    await set_password(features, tenant, user.user_id, "Zoë früh über Öl")
    assert (
        await features.passwords.check(
            tenant, user.user_id, "Zoe\u0308 fru\u0308h u\u0308ber O\u0308l", identifier=ALICE
        )
    ).ok


async def test_a_hash_of_other_parameters_is_renewed_with_success(features: Features) -> None:
    """Weaker or stronger, it is hashed anew, and only once its owner was let in."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    await set_password(features, tenant, user.user_id)
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    async with features.db.transaction() as tx:
        await tx.execute("UPDATE credentials SET secret_hash = %s WHERE tenant_id = %s", (old, tenant))
    assert not (await features.passwords.check(tenant, user.user_id, "wrong", identifier=ALICE)).ok
    assert await stored_hash(features, tenant, user.user_id) == old
    right = await features.passwords.check(tenant, user.user_id, PASSWORD, identifier=ALICE)
    assert await stored_hash(features, tenant, user.user_id) == old
    await features.passwords.used(tenant, right, PASSWORD)
    renewed = await stored_hash(features, tenant, user.user_id)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await features.passwords.check(tenant, user.user_id, PASSWORD, identifier=ALICE)).ok
    assert await stored_hash(features, tenant, user.user_id) == renewed


async def test_more_than_the_queue_holds_is_turned_away(features: Features) -> None:
    """Two workers and two that wait: of ten at once six are told to come again, and nothing is stuck afterwards."""
    tenant = await features.new_tenant()
    passwords = Passwords(features.db, features.now, features.settings, secret=b"draw")
    answers = await asyncio.gather(*(passwords.prepare(PASSWORD) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(answer, OverloadedError) for answer in answers) == 6
    assert passwords.hashes_done == 4
    assert not (await passwords.check(tenant, None, PASSWORD, identifier=ALICE)).ok
    passwords.close()


async def test_a_new_password_takes_the_old_ones_place(features: Features) -> None:
    """Under the same id, and open to unknown devices again."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    first = await set_password(features, tenant, user.user_id)
    for _ in range(2):
        await features.passwords.close_to_unknown_devices(tenant, user.user_id, origin(tenant))
    assert (await features.passwords.check(tenant, user.user_id, PASSWORD, identifier=ALICE)).closed_to_unknown_devices
    assert (await features.event_types(tenant)).count("credential.closed_to_unknown_devices") == 1
    features.advance(timedelta(hours=1))
    assert await set_password(features, tenant, user.user_id, "four incorrect mules at two staples") == first
    found = await features.passwords.find(tenant, user.user_id)
    assert found is not None
    assert (found.create_time, found.closed_to_unknown_devices) == (features.time, False)
    assert not (await features.passwords.check(tenant, user.user_id, PASSWORD, identifier=ALICE)).ok


async def test_a_refused_password_changes_nothing(features: Features) -> None:
    """The old one still fits."""
    tenant = await features.new_tenant()
    user = await features.new_user(tenant)
    await set_password(features, tenant, user.user_id)
    with pytest.raises(PasswordRefusedError):
        await set_password(features, tenant, user.user_id, "alice@example.com")
    assert (await features.passwords.check(tenant, user.user_id, PASSWORD, identifier=ALICE)).ok
    with pytest.raises(CredentialUserNotFoundError):
        await set_password(features, tenant, "nobody")


async def test_credentials_are_listed_and_deleted(features: Features) -> None:
    """A deleted one is gone."""
    tenant = await features.new_tenant()
    user, other = await features.new_user(tenant), await features.new_user(tenant)
    credential_id = await set_password(features, tenant, user.user_id)
    listed, token = await features.passwords.list(tenant, user.user_id, page_size=5)
    assert ([one.credential_id for one in listed], token) == ([credential_id], "")
    with pytest.raises(CredentialNotFoundError):
        await features.passwords.delete(tenant, other.user_id, credential_id, origin=origin(tenant))
    await features.passwords.delete(tenant, user.user_id, credential_id, origin=origin(tenant))
    assert not (await features.passwords.check(tenant, user.user_id, PASSWORD, identifier=ALICE)).ok
    with pytest.raises(CredentialNotFoundError):
        await features.passwords.delete(tenant, user.user_id, credential_id, origin=origin(tenant))
