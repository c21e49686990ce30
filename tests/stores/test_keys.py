"""The life of signing keys: published before use, kept after it, pulled in an emergency."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from argus import _core
from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.base.limits import CLOCK_LEEWAY, LONGEST_ACCESS_LIFE, LONGEST_SESSION
from argus.tenants.model import TenantFields
from argus.tokens.model import (
    EMERGENCY_REFRESH_ID_KEYS,
    KEY_USES,
    MOST_KEYS,
    MOST_REFRESH_ID_KEYS,
    KeyNotFoundError,
    KeyRingFullError,
    KeyUse,
    SigningKey,
)
from argus.tokens.ring import generate
from argus.tokens.service import InstallationSecrets, SigningKeys
from tests.support.features import Features, origin

# After so many rotations the ids that are not left for emergencies are taken.
_ROTATIONS = MOST_REFRESH_ID_KEYS - EMERGENCY_REFRESH_ID_KEYS - 1
JWKS_MAX_AGE = timedelta(minutes=10)


async def new_ring(features: Features) -> str:
    """Id of a tenant with its first keys."""
    tenant = await features.new_tenant()
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.signing_keys.create_ring(tx, tenant)
    features.advance(timedelta(milliseconds=1))
    return tenant


async def keys_of(features: Features, tenant: str) -> Sequence[SigningKey]:
    """Keys of all uses, oldest first."""
    keys, _ = await features.signing_keys.list(tenant, page_size=100)
    return keys[::-1]


async def states(features: Features, tenant: str, use: KeyUse) -> list[str]:
    """States of the keys of a use, oldest first."""
    return [key.state for key in await keys_of(features, tenant) if key.use == use]


async def test_a_ring_has_one_active_key_for_each_use(features: Features) -> None:
    """RS256 for access tokens, EdDSA for refresh tokens, HMAC 0 for their ids; private halves come back."""
    tenant = await new_ring(features)
    usable = {one.key.use: one for one in await features.signing_keys.usable(tenant)}
    assert set(usable) == set(KEY_USES)
    assert [usable[use].key.algorithm for use in KEY_USES] == ["RS256", "EdDSA", "HS256"]
    assert all(one.key.state == "active" for one in usable.values())
    assert usable["access"].key.bits == 2048
    assert usable["refresh_id"].key.kid == "0"
    assert len(usable["refresh_id"].private_key) == 32
    assert usable["refresh_id"].key.public_jwk is None
    assert await features.signing_keys.active_refresh_id_key(tenant) == 0
    for use in ("access", "refresh"):
        jwk = usable[use].key.public_jwk
        assert jwk is not None
        assert jwk["kid"] == usable[use].key.kid
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(jwk)


async def test_a_key_is_published_before_it_signs_and_kept_after(features: Features) -> None:
    """Pending for the key set's max-age, active, retiring for the longest token life, retired."""
    tenant = await new_ring(features)
    key = await features.signing_keys.rotate(tenant, "access", immediate=False, origin=origin(tenant))
    assert key.active_time == features.time + JWKS_MAX_AGE
    assert await states(features, tenant, "access") == ["active", "pending"]
    features.advance(JWKS_MAX_AGE - timedelta(milliseconds=1))
    await features.signing_keys.advance_due()
    assert await states(features, tenant, "access") == ["active", "pending"]
    features.advance(timedelta(milliseconds=1))
    await features.signing_keys.advance_due()
    assert await states(features, tenant, "access") == ["retiring", "active"]
    features.advance(LONGEST_ACCESS_LIFE + CLOCK_LEEWAY - timedelta(milliseconds=1))
    await features.signing_keys.advance_due()
    assert await states(features, tenant, "access") == ["retiring", "active"]
    features.advance(timedelta(milliseconds=1))
    await features.signing_keys.advance_due()
    assert await states(features, tenant, "access") == ["retired", "active"]
    assert [one.key.kid for one in await features.signing_keys.usable(tenant) if one.key.use == "access"] == [key.kid]
    kept = await features.db.fetch_all(
        "SELECT octet_length(private_ciphertext) > 0 AS kept FROM signing_keys"
        " WHERE tenant_id = %s AND use = 'access' ORDER BY create_time",
        (tenant,),
    )
    assert [row["kept"] for row in kept] == [False, True]


async def test_an_immediate_rotation_signs_at_once(features: Features) -> None:
    """Without the time that verifiers need."""
    tenant = await new_ring(features)
    for use in KEY_USES:
        features.advance(timedelta(seconds=1))
        key = await features.signing_keys.rotate(tenant, use, immediate=True, origin=origin(tenant))
        assert key.state == "active"
        assert await states(features, tenant, use) == ["retiring", "active"]
    assert await features.signing_keys.active_refresh_id_key(tenant) == 1


async def test_the_algorithm_of_refresh_tokens_changes_with_the_next_key(features: Features) -> None:
    """New rings and rotated keys follow the setting; keys that are there stay; RSA ones have the tenant's size."""
    tenant = await new_ring(features)
    rsa = SigningKeys(features.db, features.now, features.keks, jwks_max_age=JWKS_MAX_AGE, refresh_algorithm="RS256")
    async with features.db.transaction() as tx:
        await tx.execute("UPDATE tenants SET rsa_bits = 3072 WHERE tenant_id = %s", (tenant,))
    assert (await rsa.advance_due(), await states(features, tenant, "refresh")) == (0, ["active"])
    key = await rsa.rotate(tenant, "refresh", immediate=False, origin=origin(tenant))
    assert (key.algorithm, key.bits, key.state) == ("RS256", 3072, "pending")
    features.advance(JWKS_MAX_AGE)
    await features.signing_keys.advance_due()
    usable = [one for one in await rsa.usable(tenant) if one.key.use == "refresh"]
    assert [(one.key.algorithm, one.key.state) for one in usable] == [("EdDSA", "retiring"), ("RS256", "active")]
    pulled = await rsa.revoke(tenant, key.kid, origin(tenant))
    assert (pulled.algorithm, await states(features, tenant, "refresh")) == (
        "RS256",
        ["retiring", "revoked", "active"],
    )
    material = await rsa.generate_ring(rsa_bits=2048)
    assert [(one.use, one.algorithm, one.bits) for one in material] == [
        ("access", "RS256", 2048),
        ("refresh", "RS256", 2048),
        ("refresh_id", "HS256", 0),
    ]


async def test_racing_rotations_leave_one_active_key(features: Features) -> None:
    """However many come at once."""
    tenant = await new_ring(features)
    await asyncio.gather(
        *(features.signing_keys.rotate(tenant, "refresh", immediate=True, origin=origin(tenant)) for _ in range(4)),
        *(features.signing_keys.rotate(tenant, "refresh_id", immediate=True, origin=origin(tenant)) for _ in range(4)),
    )
    for use in ("refresh", "refresh_id"):
        assert sorted(await states(features, tenant, use)) == ["active", *["retiring"] * 4]
    keys, _ = await features.signing_keys.list(tenant, page_size=100)
    assert {key.kid for key in keys if key.use == "refresh_id"} == {"0", "1", "2", "3", "4"}


async def test_racing_schedulers_do_each_step_once(features: Features) -> None:
    """Who comes second finds nothing left to do."""
    tenant = await new_ring(features)
    await features.signing_keys.rotate(tenant, "refresh", immediate=False, origin=origin(tenant))
    features.advance(JWKS_MAX_AGE)
    await asyncio.gather(*(features.signing_keys.advance_due() for _ in range(3)))
    assert await states(features, tenant, "refresh") == ["retiring", "active"]
    # Four at the ring's beginning and for the first step: three first keys activated, one retiring, one active.
    assert (await features.event_types(tenant)).count("key.state_changed") == 5


async def test_old_keys_get_their_successors_by_schedule(features: Features) -> None:
    """After the rotation period a new key is published, and takes over when it has been seen."""
    tenant = await new_ring(features)
    features.advance(timedelta(days=90))
    await asyncio.gather(*(features.signing_keys.advance_due() for _ in range(2)))
    for use in KEY_USES:
        assert await states(features, tenant, use) == ["active", "pending"]
    features.advance(JWKS_MAX_AGE)
    await features.signing_keys.advance_due()
    for use in KEY_USES:
        assert await states(features, tenant, use) == ["retiring", "active"]


async def test_a_tenant_may_have_a_schedule_of_its_own_or_none(features: Features) -> None:
    """What it says counts before the settings, and of two tenants each has its own."""
    periods = {"own": timedelta(days=7), "never": timedelta(0), "settings": None}
    tenants = {name: await new_ring(features) for name in periods}
    for name, tenant in tenants.items():
        fields = TenantFields(key_rotation_period=periods[name])
        await features.tenants.update(tenant, fields, paths={"key_rotation_period"}, origin=origin(tenant))
    unscheduled = SigningKeys(features.db, features.now, features.keks, rotation_period=timedelta(0))
    for days, keys, renewed in (
        (6, unscheduled, set()),
        (1, unscheduled, {"own"}),
        (83, features.signing_keys, {"own", "settings"}),
    ):
        features.advance(timedelta(days=days))
        await keys.advance_due()
        pending = {name for name, tenant in tenants.items() if "pending" in await states(features, tenant, "access")}
        assert pending == renewed
        features.advance(JWKS_MAX_AGE)
        await keys.advance_due()
    assert await states(features, tenants["never"], "access") == ["active"]


async def test_a_ring_that_is_full_keeps_no_other_from_its_next_key(features: Features) -> None:
    """Its own schedule goes on as soon as an id is free."""
    full, other = sorted([await new_ring(features), await new_ring(features)])
    for _ in range(_ROTATIONS):
        await features.signing_keys.rotate(full, "refresh_id", immediate=True, origin=origin(full))
    # So that its turn comes, and before it is the turn of the other.
    async with features.db.transaction() as tx:
        await tx.execute("UPDATE tenants SET key_rotation_period = '1 day' WHERE tenant_id IN (%s, %s)", (full, other))
    features.advance(timedelta(days=1))
    await features.signing_keys.advance_due()
    assert "pending" not in await states(features, full, "refresh_id")
    assert "pending" in await states(features, other, "refresh_id")


async def test_a_ring_publishes_no_more_keys_than_consumers_take(features: Features) -> None:
    """The next rotation is refused and says what to do; what has leaked is pulled all the same; time makes room."""
    tenant, most = await new_ring(features), MOST_KEYS["access"]
    (oldest,) = [key for key in await keys_of(features, tenant) if key.use == "access"]
    for number in range(1, most):
        await features.signing_keys.rotate(tenant, "access", immediate=bool(number % 2), origin=origin(tenant))
        features.advance(timedelta(milliseconds=1))
    for immediate in (False, True):
        with pytest.raises(KeyRingFullError, match=r"3605 s after .* can be revoked all the same") as refused:
            await features.signing_keys.rotate(tenant, "access", immediate=immediate, origin=origin(tenant))
        said = {"keyUse": "access", "keyId": oldest.kid, "state": "retiring", "keptSeconds": "3605"}
        assert refused.value.metadata == said
    for _ in range(2):
        keys = [key for key in await keys_of(features, tenant) if key.use == "access"]
        assert len([key for key in keys if key.state != "revoked"]) == most
        (active,) = [key for key in keys if key.state == "active"]
        await features.signing_keys.revoke(tenant, active.kid, origin(tenant))
    # Rings from before the bound may be larger than it.
    async with features.db.transaction() as tx:
        await tx.execute(
            "UPDATE signing_keys SET state = 'retiring' WHERE tenant_id = %s AND use = 'access' AND state = 'revoked'",
            (tenant,),
        )
    (active,) = [key for key in await keys_of(features, tenant) if (key.use, key.state) == ("access", "active")]
    assert (await features.signing_keys.revoke(tenant, active.kid, origin(tenant))).state == "revoked"
    features.advance(LONGEST_ACCESS_LIFE + CLOCK_LEEWAY)
    await features.signing_keys.advance_due()
    await features.signing_keys.rotate(tenant, "access", immediate=True, origin=origin(tenant))


async def test_a_full_ring_is_no_larger_than_what_consumers_take() -> None:
    """At 4096 bits: 50 KiB are the least that a library in use takes (Nimbus), and the SDK takes more."""
    _, jwk = _core.public_jwk((await generate("access", "RS256", rsa_bits=4096)).private_key)
    assert MOST_KEYS["access"] * (len(jwk) + 1) + len('{"keys":[]}') < 50 * 1024 / 1.25


async def test_a_revoked_active_key_has_a_successor_at_once(features: Features) -> None:
    """Idempotent; the successor signs in the same instant; another tenant's key can't be named."""
    tenant, other = await new_ring(features), await new_ring(features)
    keys, _ = await features.signing_keys.list(tenant, page_size=100)
    for key in keys:
        features.advance(timedelta(seconds=1))
        with pytest.raises(KeyNotFoundError):
            await features.signing_keys.revoke(other, f"x{key.kid}", origin(other))
        revoked = await features.signing_keys.revoke(tenant, key.kid, origin(tenant), comment="leaked")
        assert (revoked.state, revoked.end_time) == ("revoked", features.time)
        assert await states(features, tenant, key.use) == ["revoked", "active"]
        again = await features.signing_keys.revoke(tenant, key.kid, origin(tenant))
        assert again == revoked
    assert (await features.event_types(tenant)).count("key.revoked") == 3
    assert sorted(await states(features, other, "access")) == ["active"]


async def test_a_revoked_key_is_known_by_name_as_long_as_it_matters(features: Features) -> None:
    """A refresh token under it leads to a step-up until it would have expired anyway."""
    tenant = await new_ring(features)
    keys, _ = await features.signing_keys.list(tenant, page_size=100)
    revoked = next(key for key in keys if key.use == "refresh")
    await features.signing_keys.revoke(tenant, revoked.kid, origin(tenant))
    assert revoked.kid in {one.key.kid for one in await features.signing_keys.usable(tenant)}
    assert await private_halves(features, tenant, [revoked.kid]) == [True]
    features.advance(LONGEST_SESSION + CLOCK_LEEWAY)
    assert revoked.kid not in {one.key.kid for one in await features.signing_keys.usable(tenant)}
    await features.signing_keys.advance_due()
    assert await private_halves(features, tenant, [revoked.kid]) == [False]
    assert await features.signing_keys.advance_due() == 0


async def test_of_a_pulled_key_that_only_verifies_nothing_but_its_name_is_kept(features: Features) -> None:
    """What is not there can't be stolen once more; those that were pulled before that was so are erased, too."""
    tenant = await new_ring(features)
    pulled = [key for key in (await features.signing_keys.list(tenant, page_size=9))[0] if key.use != "refresh"]
    for key in pulled:
        await features.signing_keys.revoke(tenant, key.kid, origin(tenant))
        (left,) = [one for one in await features.signing_keys.usable(tenant) if one.key.kid == key.kid]
        assert (left.key.state, left.private_key, left.fault) == ("revoked", b"", None)
    kids = [key.kid for key in pulled]
    assert await private_halves(features, tenant, kids) == [False, False]
    async with features.db.transaction() as tx:
        await tx.execute("UPDATE signing_keys SET private_ciphertext = 'x', kek_id = 'old' WHERE state = 'revoked'")
    await features.signing_keys.advance_due()
    assert await private_halves(features, tenant, kids) == [False, False]


async def private_halves(features: Features, tenant: str, kids: Sequence[str]) -> list[bool]:
    """Whether PostgreSQL has them."""
    rows = await features.db.fetch_all(
        "SELECT private_ciphertext <> '' AS held FROM signing_keys WHERE tenant_id = %s AND kid = ANY(%s)",
        (tenant, list(kids)),
    )
    return [row["held"] for row in rows]


async def test_a_retired_key_can_be_pulled_and_stays_what_it_is(features: Features) -> None:
    """Its private half is gone: whoever reads the ring must not look for it."""
    tenant = await new_ring(features)
    (old,) = [one for one in (await features.signing_keys.list(tenant, page_size=10))[0] if one.use == "access"]
    await features.signing_keys.rotate(tenant, "access", immediate=True, origin=origin(tenant))
    features.advance(LONGEST_ACCESS_LIFE + CLOCK_LEEWAY)
    await features.signing_keys.advance_due()
    assert (await features.signing_keys.revoke(tenant, old.kid, origin(tenant))).state == "retired"
    assert old.kid not in {one.key.kid for one in await features.signing_keys.usable(tenant)}
    assert await states(features, tenant, "access") == ["retired", "active"]


async def test_a_pending_key_can_be_pulled_without_a_successor(features: Features) -> None:
    """The active one goes on."""
    tenant = await new_ring(features)
    pending = await features.signing_keys.rotate(tenant, "refresh", immediate=False, origin=origin(tenant))
    await features.signing_keys.revoke(tenant, pending.kid, origin(tenant))
    assert await states(features, tenant, "refresh") == ["active", "revoked"]
    features.advance(JWKS_MAX_AGE)
    await features.signing_keys.advance_due()
    assert await states(features, tenant, "refresh") == ["active", "revoked"]


async def test_ids_of_refresh_id_keys_wrap_and_are_never_in_use_twice(features: Features) -> None:
    """A byte's worth; then the oldest that no token can name any more, else the rotation is refused.

    Some are left for emergencies: a key that has leaked can be pulled whatever was rotated before.
    """
    tenant = await new_ring(features)
    for number in range(1, _ROTATIONS + 1):
        key = await features.signing_keys.rotate(tenant, "refresh_id", immediate=True, origin=origin(tenant))
        assert key.kid == str(number)
        features.advance(timedelta(milliseconds=1))
    with pytest.raises(KeyRingFullError):
        await features.signing_keys.rotate(tenant, "refresh_id", immediate=True, origin=origin(tenant))
    leaked = await features.signing_keys.active_refresh_id_key(tenant)
    await features.signing_keys.revoke(tenant, str(leaked), origin(tenant))
    assert await features.signing_keys.active_refresh_id_key(tenant) == leaked + 1
    # One emergency after the other, many more than there are ids left for them.
    for _ in range(2 * EMERGENCY_REFRESH_ID_KEYS):
        features.advance(timedelta(milliseconds=1))
        leaked = await features.signing_keys.active_refresh_id_key(tenant)
        await features.signing_keys.revoke(tenant, str(leaked), origin(tenant))
        assert await features.signing_keys.active_refresh_id_key(tenant) != leaked
    features.advance(LONGEST_SESSION + CLOCK_LEEWAY)
    # The schedule takes the first freed id for the next key, the command the second.
    await features.signing_keys.advance_due()
    key = await features.signing_keys.rotate(tenant, "refresh_id", immediate=True, origin=origin(tenant))
    keys, _ = await features.signing_keys.list(tenant, page_size=100)
    assert next(one.kid for one in keys if one.state == "pending" and one.use == "refresh_id") == "0"
    assert key.kid == "1"


async def test_a_repeated_rotation_is_led_to_its_key(features: Features) -> None:
    """Idempotent by `request_id`; the repeat leaves no second key."""
    tenant = await new_ring(features)
    once = origin(tenant, request_id="r1")
    key = await features.signing_keys.rotate(tenant, "refresh", immediate=False, origin=once)
    with pytest.raises(RequestAlreadyDoneError) as done:
        await features.signing_keys.rotate(tenant, "refresh", immediate=False, origin=once)
    assert done.value.name == f"tenants/{tenant}/keys/{key.kid}"
    assert await states(features, tenant, "refresh") == ["active", "pending"]
    with pytest.raises(InvalidFieldError):
        await features.signing_keys.rotate("nobody", "refresh", immediate=False, origin=origin("nobody"))


async def test_installation_secrets_are_made_once(features: Features) -> None:
    """Racing processes agree."""
    async with features.db.transaction() as tx:
        await tx.execute("DELETE FROM installation_secrets")
    processes = [InstallationSecrets(features.db, features.now, features.keks) for _ in range(4)]
    await asyncio.gather(*(one.ensure() for one in processes))
    for name in ("bucket", "identifier_hmac"):
        found = {await one.get(name) for one in processes}
        assert len(found) == 1
        assert len(found.pop()) == 32
    assert await processes[0].get("bucket") != await processes[0].get("identifier_hmac")
