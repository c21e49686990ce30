"""The rules of a tenant for its keys: sizes and schedule, set by RPC, in force with the next key."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from argus.server.api import Api, failure_of
from argus.v1 import key_service_pb2 as keys
from argus.v1 import tenant_service_pb2 as tenants
from tests.support.people import new_person, reason_of, refresh, verify
from tests.support.presented import header_of
from tests.support.stack import Stack

ACCESS = keys.KEY_USE_ACCESS


async def update(api: Api, *paths: str, **fields: object) -> tenants.Tenant:
    """Changes fields of the tenant of `api`."""
    request = tenants.UpdateTenantRequest(
        tenant=tenants.Tenant(name=api.parent, **fields),  # type: ignore[arg-type]  # as the test names them
        update_mask=FieldMask(paths=paths or list(fields)),
    )
    return (await api.tenants.UpdateTenant(request)).tenant


async def rotate(stack: Stack, api: Api) -> keys.Key:
    """A new key for access tokens, that signs at once."""
    request = keys.RotateKeyRequest(parent=api.parent, use=ACCESS, immediate=True)
    made = (await api.keys.RotateKey(request)).key
    await stack.argus.snapshot.refresh()
    return made


@pytest.mark.timeout(300)
async def test_the_size_of_rsa_keys_changes_with_the_next_key(stack: Stack) -> None:
    """2048, 3072, 4096 and back; tokens of every size are good side by side."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    access_tokens, refresh_token = [done.tokens.access_token], done.tokens.refresh_token
    listed = await api.keys.ListKeys(keys.ListKeysRequest(parent=api.parent))
    assert [key.bits for key in listed.keys if key.use == ACCESS] == [2048]
    for bits in (3072, 4096, 2048):
        assert (await update(api, rsa_bits=bits)).rsa_bits == bits
        assert header_of(access_tokens[-1]) == header_of((await refresh(api, refresh_token)).tokens.access_token)
        key = await rotate(stack, api)
        assert key.bits == bits
        access_tokens.append((await refresh(api, refresh_token)).tokens.access_token)
        assert header_of(access_tokens[-1])["kid"] == key.name.rpartition("/")[2]
    for token in access_tokens:
        assert (await verify(api, token)).sub == person.user_id
    signatures = {len(token.rpartition(".")[2]) for token in access_tokens}
    assert signatures == {342, 512, 683}


async def test_the_schedule_is_the_tenants_or_the_settings(stack: Stack) -> None:
    """Unset, set, never; an update that does not name it leaves it alone."""
    api = await stack.new_tenant()
    got = (await api.tenants.GetTenant(tenants.GetTenantRequest(name=api.parent))).tenant
    assert (got.rsa_bits, got.HasField("key_rotation_period")) == (2048, False)
    month = Duration(seconds=int(timedelta(days=30).total_seconds()))
    assert (await update(api, key_rotation_period=month)).key_rotation_period == month
    assert (await update(api, display_name="Another")).key_rotation_period == month
    never = await update(api, key_rotation_period=Duration())
    assert never.HasField("key_rotation_period")
    assert never.key_rotation_period == Duration()
    assert not (await update(api, "key_rotation_period")).HasField("key_rotation_period")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rsa_bits", 1024),
        ("rsa_bits", 0),
        ("rsa_bits", -2048),
        ("key_rotation_period", Duration(seconds=60)),
        ("key_rotation_period", Duration(seconds=-60)),
        ("key_rotation_period", Duration(seconds=10**11)),
    ],
)
async def test_what_can_not_be_is_refused_by_name(stack: Stack, field: str, value: object) -> None:
    """Weak keys above all."""
    api = await stack.new_tenant()
    failure = await failure_of(update(api, **{field: value}))
    assert failure is not None
    assert (failure.code, failure.field) == ("INVALID_ARGUMENT", f"tenant.{field}")


async def test_a_tenant_begins_with_the_keys_that_its_creator_asks_for(stack: Stack) -> None:
    """Or those of the setting."""
    system = await stack.private.new_tenant(is_system=True)
    for bits, made in ((0, 2048), (3072, 3072)):
        tenant_id = f"{system.tenant_id[:20]}-{bits}"
        request = tenants.CreateTenantRequest(tenant_id=tenant_id, tenant=tenants.Tenant(rsa_bits=bits))
        assert (await system.tenants.CreateTenant(request)).tenant.rsa_bits == made
        found, _ = await stack.argus.signing_keys.list(tenant_id, page_size=10)
        assert [key.bits for key in found if key.use == "access"] == [made]
    weak = tenants.CreateTenantRequest(tenant_id="weak", tenant=tenants.Tenant(rsa_bits=1024))
    assert await reason_of(system.tenants.CreateTenant(weak)) == "FIELD_INVALID"
    await system.close()
