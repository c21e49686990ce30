"""The secrets of channels at rest: for their own place alone, and along when the key-encryption key changes."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from argus.notifications.channels import store
from argus.notifications.channels.model import ChannelFields, secret_place
from argus.notifications.channels.service import Channels
from argus.notifications.endpoints.addresses import AddressRules
from argus.storage.embedded import StoreUrls
from argus.storage.postgres import Database
from argus.tokens.encryption import kek_id_of
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.model import DamagedSecretError
from argus.tokens.reencryption import Reencryption
from argus.tokens.reencryption_store import count_by_kek
from tests.support.features import Features, origin, own_database

OLD, NEW = os.urandom(32), os.urandom(32)


@pytest.fixture
async def features(stores: StoreUrls) -> AsyncIterator[Features]:
    """Features over a database of the test's own, whose keys are under `OLD`."""
    async with own_database(stores.database) as url, Database.open(url, timeout=timedelta(seconds=30)) as db:
        made = Features(db, key=OLD)
        await made.keks.ensure()
        yield made
        made.passwords.close()


def channels(features: Features, keks: KeyEncryptionKeys) -> Channels:
    """The channels, as a process with these keys has them."""
    return Channels(features.db, keks, AddressRules(()), now=features.now)


async def test_the_secrets_of_webhooks_go_along_with_a_new_key(features: Features) -> None:
    """Both that sign now are read as before, by who knows the new key alone."""
    tenant = await features.new_tenant()
    fields = ChannelFields(url="https://hooks.example.com/", event_types=("session.*",))
    old = channels(features, features.keks)
    channel, first = await old.create(tenant, "webhook", fields, origin=origin(tenant))
    second, _ = await old.rotate_secret(tenant, channel.channel_id, overlap=timedelta(hours=1), origin=origin(tenant))
    assert await old.secrets(tenant, channel.channel_id) == [second, first]
    before = await count_by_kek(features.db)
    keks = KeyEncryptionKeys(features.db, features.now, NEW, previous=[OLD])
    done = await Reencryption(features.db, features.now, keks)()
    assert done.secrets == 2
    assert await count_by_kek(features.db) == {kek_id_of(NEW): sum(before.values())}
    alone = KeyEncryptionKeys(features.db, features.now, NEW)
    assert await channels(features, alone).secrets(tenant, channel.channel_id) == [second, first]
    (sealed, _) = await store.secrets(features.db, tenant, channel.channel_id, now=features.time)
    elsewhere = secret_place(tenant, "another", sealed.secret_id)
    with pytest.raises(DamagedSecretError):
        await alone.decrypt(sealed.ciphertext, kek_id=sealed.kek_id, place=elsewhere)
