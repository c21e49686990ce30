from datetime import timedelta

import pytest

from argus.base.errors import EtagMismatchError, InvalidFieldError, RequestAlreadyDoneError
from argus.base.ids import etag
from argus.clients.model import (
    CallerCredentialsInvalidError,
    ClientDisabledError,
    ClientExistsError,
    ClientFields,
    ClientNotFoundError,
    ScopeNotHeldError,
)
from tests.support.features import Features, origin

FIELDS = ClientFields(display_name="Service", scopes=["users.read", "documents.read"], resource="https://a.example.com")


async def test_a_client_proves_itself_by_its_secret_alone(features: Features) -> None:
    """Only a hash is kept; a wrong secret, an unknown client and another tenant's look alike."""
    tenant, other = await features.new_tenant(), await features.new_tenant()
    client, secret = await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    assert await features.clients.authenticate(tenant, "service", secret) == client
    row = await features.db.fetch_one("SELECT secret_sha256 FROM clients WHERE tenant_id = %s", (tenant,))
    assert row is not None
    assert secret.encode() not in bytes(row["secret_sha256"])
    for attempt in ((tenant, "service", "wrong"), (tenant, "nobody", secret), (other, "service", secret)):
        with pytest.raises(CallerCredentialsInvalidError) as refused:
            await features.clients.authenticate(*attempt)
        assert str(refused.value) == "client id and secret do not fit"


async def test_a_disabled_client_learns_so_after_its_secret(features: Features) -> None:
    """Who has not the secret learns nothing."""
    tenant = await features.new_tenant()
    _, secret = await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    await features.clients.update(
        tenant, "service", ClientFields(disabled=True), paths={"disabled"}, origin=origin(tenant)
    )
    with pytest.raises(ClientDisabledError):
        await features.clients.authenticate(tenant, "service", secret)
    with pytest.raises(CallerCredentialsInvalidError):
        await features.clients.authenticate(tenant, "service", "wrong")


async def test_a_rotated_secret_stops_the_old_one_at_once(features: Features) -> None:
    """And a repeat of the request is told so, without a secret."""
    tenant = await features.new_tenant()
    _, old = await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    once = origin(tenant, request_id="r1")
    new = await features.clients.rotate_secret(tenant, "service", origin=once)
    with pytest.raises(RequestAlreadyDoneError):
        await features.clients.rotate_secret(tenant, "service", origin=once)
    await features.clients.authenticate(tenant, "service", new)
    with pytest.raises(CallerCredentialsInvalidError):
        await features.clients.authenticate(tenant, "service", old)
    with pytest.raises(ScopeNotHeldError):
        await features.clients.rotate_secret(tenant, "service", grantable={"clients.write"}, origin=origin(tenant))


async def test_updates_change_what_is_named_and_nothing_else(features: Features) -> None:
    """By field mask, with the etag heeded; scopes of Argus can be given by their holders only."""
    tenant = await features.new_tenant()
    client, _ = await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    wanted = ClientFields(display_name="Other", scopes=["users.read", "users.write"], max_asserted_acr=3)
    changed = await features.clients.update(
        tenant, "service", wanted, paths={"display_name"}, etag=etag(client.revision), origin=origin(tenant)
    )
    assert (changed.display_name, changed.scopes, changed.resource) == ("Other", client.scopes, client.resource)
    assert await features.clients.get(tenant, "service") == changed
    with pytest.raises(EtagMismatchError):
        await features.clients.update(
            tenant, "service", wanted, paths={"display_name"}, etag=etag(client.revision), origin=origin(tenant)
        )
    with pytest.raises(ScopeNotHeldError):
        await features.clients.update(
            tenant, "service", wanted, paths={"scopes"}, grantable={"clients.write"}, origin=origin(tenant)
        )
    with pytest.raises(InvalidFieldError):
        await features.clients.update(tenant, "service", wanted, paths={"resource"}, origin=origin(tenant))
    assert await features.clients.get(tenant, "service") == changed


async def test_an_id_is_given_once(features: Features) -> None:
    """Also after its client was deleted: old tokens must not become a new client's."""
    tenant = await features.new_tenant()
    _, secret = await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    with pytest.raises(ClientExistsError):
        await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.clients.delete(tx, tenant, "service")
    with pytest.raises(CallerCredentialsInvalidError):
        await features.clients.authenticate(tenant, "service", secret)
    with pytest.raises(ClientNotFoundError):
        await features.clients.get(tenant, "service")
    with pytest.raises(ClientExistsError):
        await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    known = await features.clients.known(tenant)
    assert [(one.client.client_id, one.is_usable) for one in known] == [("service", False)]
    assert (await features.clients.list(tenant, page_size=5))[0] == []


async def test_not_before_only_rises(features: Features) -> None:
    """Of tenants, clients and users alike."""
    tenant = await features.new_tenant()
    await features.clients.create(tenant, "service", FIELDS, origin=origin(tenant))
    user = await features.new_user(tenant)
    late, early = features.time, features.time - timedelta(hours=1)
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        for at in (late, early):
            assert await features.clients.set_not_before(tx, tenant, "service", at) == late
            assert await features.tenants.set_not_before(tx, tenant, at) == late
            assert await features.users.set_not_before(tx, tenant, user.user_id, at) == late
        with pytest.raises(ClientNotFoundError):
            await features.clients.set_not_before(tx, tenant, "nobody", late)
