"""The key-encryption key: which one encrypts, what happens when it changes, and when it is not there."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from argus.credentials import store as credentials
from argus.credentials.totp import store as totp_store
from argus.credentials.totp.service import totp_place
from argus.storage.embedded import StoreUrls
from argus.storage.postgres import Database
from argus.tokens.encryption import kek_id_of
from argus.tokens.kek.command import KeyEncryptionUnavailableError, WrappingCommand
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.model import DamagedSecretError, KeyUse, WrongKeyEncryptionKeyError
from argus.tokens.reencryption import Reencryption
from argus.tokens.reencryption_store import count_by_kek
from argus.tokens.secrets import SecretName
from argus.tokens.service import InstallationSecrets, SigningKeys
from tests.support.features import Features, origin, own_database
from tests.support.kms import Kms

OLD, NEW = os.urandom(32), os.urandom(32)
PATIENCE = timedelta(seconds=30)
SECRETS: tuple[SecretName, ...] = ("bucket", "identifier_hmac", "mail_secrets")


class Process:
    """What a process makes of its settings."""

    def __init__(self, features: Features, own: Any, **previous: Any) -> None:
        self.keks = KeyEncryptionKeys(features.db, features.now, own, **previous)
        self.signing_keys = SigningKeys(features.db, features.now, self.keks)
        self.secrets = InstallationSecrets(features.db, features.now, self.keks)
        self.reencrypt = Reencryption(features.db, features.now, self.keks)

    async def reads(self, tenant: str) -> dict[str, bytes]:
        """Everything that is encrypted, read; the process starts like this."""
        await self.keks.ensure()
        await self.secrets.ensure()
        keys = {one.key.kid: one.private_key for one in await self.signing_keys.usable(tenant)}
        return keys | {name: await self.secrets.get(name) for name in SECRETS}


@pytest.fixture
async def features(stores: StoreUrls) -> AsyncIterator[Features]:
    """Features over a database of the test's own, whose keys are under `OLD`."""
    async with own_database(stores.database) as url, Database.open(url, max_size=8, timeout=PATIENCE) as db:
        made = Features(db, key=OLD)
        await made.keks.ensure()
        await made.secrets.ensure()
        yield made
        made.passwords.close()


@pytest.fixture
async def tenant(features: Features) -> str:
    """A tenant with a ring of keys: with the three secrets six things that are encrypted."""
    tenant = await features.new_tenant()
    async with features.db.transaction(origin(tenant), now=features.time) as tx:
        await features.signing_keys.create_ring(tx, tenant)
    return tenant


@pytest.fixture
def kms(tmp_path: Path) -> Kms:
    return Kms(tmp_path / "kms")


def command(kms: Kms) -> WrappingCommand:
    """The command of a provider."""
    return WrappingCommand(kms.command, timeout=PATIENCE)


async def rotate(process: Process, tenant: str, use: KeyUse = "refresh") -> str:
    """A new key of a process; its id."""
    return (await process.signing_keys.rotate(tenant, use, immediate=True, origin=origin(tenant))).kid


async def test_the_wrong_key_is_named_and_nothing_is_written_with_it(features: Features, tenant: str) -> None:
    """At the start, and whenever something is read or written."""
    wrong = Process(features, NEW)
    for call in (
        wrong.keks.ensure(),
        wrong.secrets.ensure(),
        rotate(wrong, tenant),
    ):
        with pytest.raises(WrongKeyEncryptionKeyError, match=kek_id_of(OLD)) as refused:
            await call
        assert kek_id_of(NEW) in str(refused.value)
        assert "ARGUS_KEY_ENCRYPTION_KEY" in str(refused.value)
    for one in await wrong.signing_keys.usable(tenant):
        assert one.private_key == b""
        assert isinstance(one.fault, WrongKeyEncryptionKeyError)
        assert kek_id_of(OLD) in str(one.fault)
    assert await count_by_kek(features.db) == {kek_id_of(OLD): 6}


async def test_a_key_that_does_not_sign_is_pulled_without_encryption(features: Features, tenant: str) -> None:
    """It needs no successor; the one that signs does."""
    wrong = Process(features, NEW)
    (old,) = [one for one in (await features.signing_keys.list(tenant, page_size=9))[0] if one.use == "refresh"]
    new = await rotate(Process(features, OLD), tenant)
    assert (await wrong.signing_keys.revoke(tenant, old.kid, origin(tenant))).state == "revoked"
    with pytest.raises(WrongKeyEncryptionKeyError):
        await wrong.signing_keys.revoke(tenant, new, origin(tenant))
    assert (await features.signing_keys.get(tenant, new)).state == "active"


async def test_a_key_that_was_moved_or_changed_is_refused(features: Features, tenant: str) -> None:
    """Whoever writes to PostgreSQL can't give a tenant the key of another."""
    other = await features.new_tenant()
    async with features.db.transaction(origin(other), now=features.time) as tx:
        await features.signing_keys.create_ring(tx, other)
        await tx.execute(
            """UPDATE signing_keys SET private_ciphertext = o.private_ciphertext FROM signing_keys o
                WHERE signing_keys.tenant_id = %s AND signing_keys.use = 'refresh_id'
                  AND o.tenant_id = %s AND o.use = 'refresh_id'""",
            (tenant, other),
        )
    faults = {one.key.use: one.fault for one in await features.signing_keys.usable(tenant)}
    assert isinstance(faults["refresh_id"], DamagedSecretError)
    assert f"signing_keys/{tenant}/refresh_id/0" in str(faults["refresh_id"])
    assert (faults["access"], faults["refresh"]) == (None, None)


async def test_processes_with_old_and_new_settings_work_side_by_side(features: Features, tenant: str) -> None:
    """Until `argus keys reencrypt` everything is written under the old key, which both know; then nothing is."""
    old, new = Process(features, OLD), Process(features, NEW, previous=[OLD])
    before = await new.reads(tenant)
    added = await rotate(new, tenant)
    async with features.db.transaction() as tx:
        await tx.execute("UPDATE tenants SET is_system = true WHERE tenant_id = %s", (tenant,))
    assert before.items() <= (await old.reads(tenant)).items()
    assert added in await old.reads(tenant)
    done = await new.reencrypt()
    assert (done.kek_id, done.is_new, done.keys, done.secrets) == (kek_id_of(NEW), True, 4, 3)
    assert await count_by_kek(features.db) == {kek_id_of(NEW): 7}
    alone = Process(features, NEW)
    assert before.items() <= (await alone.reads(tenant)).items()
    await rotate(alone, tenant)
    # The old settings have had their time.
    with pytest.raises(WrongKeyEncryptionKeyError, match=kek_id_of(NEW)):
        await Process(features, OLD).keks.ensure()
    again = await alone.reencrypt()
    assert (again.is_new, again.keys, again.secrets) == (False, 0, 0)
    assert (await features.event_types(tenant)).count("key.encrypted_anew") == 1


async def test_a_run_that_is_cut_short_leaves_everything_readable(features: Features, tenant: str) -> None:
    """Each thing is under one key or the other; the next run goes on with what is left."""
    for use in ("refresh", "refresh_id") * 60:
        await features.signing_keys.rotate(tenant, use, immediate=True, origin=origin(tenant))
        features.advance(timedelta(milliseconds=1))
    process = Process(features, NEW, previous=[OLD])
    before = await process.reads(tenant)
    told: list[tuple[int, int]] = []

    def cut(done: int, all_of_them: int) -> None:
        told.append((done, all_of_them))
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await process.reencrypt(cut)
    assert told == [(3, 126), (103, 126)]
    assert await count_by_kek(features.db) == {kek_id_of(NEW): 103, kek_id_of(OLD): 23}
    for one in (process, Process(features, OLD, previous=[NEW])):
        assert await one.reads(tenant) == before
    done = await Process(features, NEW, previous=[OLD]).reencrypt()
    assert (done.is_new, done.keys, done.secrets) == (False, 23, 0)
    assert await Process(features, NEW).reads(tenant) == before


async def test_what_is_written_meanwhile_is_not_left_behind(features: Features, tenant: str) -> None:
    """Whoever encrypts holds the key that encrypts until what was encrypted is written."""
    process = Process(features, NEW, previous=[OLD])
    await process.keks.ensure()
    async with features.db.transaction() as tx:
        ciphertext, kek_id = await features.keks.encrypt(tx, b"x" * 32, place="installation_secrets/late")
        running = asyncio.create_task(process.reencrypt())
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not await _waiting(features.db):
                assert not running.done()
        await tx.execute(
            "INSERT INTO installation_secrets (name, ciphertext, kek_id, create_time) VALUES ('late', %s, %s, %s)",
            (ciphertext, kek_id, features.time),
        )
    done = await running
    assert (kek_id, done.secrets) == (kek_id_of(OLD), 4)
    assert await count_by_kek(features.db) == {kek_id_of(NEW): 7}


async def test_secrets_of_authenticator_apps_go_along(features: Features, tenant: str) -> None:
    """They are under the new key, for their own place alone, and a key that one is under is not forgotten."""
    user, place = await features.new_user(tenant), totp_place(tenant, "app")
    async with features.db.transaction(now=features.time) as tx:
        await credentials.insert(tx, tenant, user.user_id, credential_id="app", kind="totp", name="", at=features.time)
        ciphertext, kek_id = await features.keks.encrypt(tx, b"secret", place=place)
        await totp_store.insert(tx, tenant, "app", ciphertext=ciphertext, kek_id=kek_id, last_step=0)
    done = await Process(features, NEW, previous=[OLD]).reencrypt()
    assert (done.keys, done.secrets) == (3, 4)
    assert await count_by_kek(features.db) == {kek_id_of(NEW): 7}
    (sealed,) = await totp_store.of_user(features.db, tenant, user.user_id)
    keks = Process(features, NEW).keks
    assert await keks.decrypt(sealed.ciphertext, kek_id=sealed.kek_id, place=place) == b"secret"
    with pytest.raises(DamagedSecretError):
        await keks.decrypt(sealed.ciphertext, kek_id=sealed.kek_id, place=totp_place(tenant, "another"))


async def _waiting(db: Database) -> int:
    row = await db.fetch_one(
        "SELECT count(*) AS n FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE NOT l.granted AND a.datname = current_database()"
    )
    return 0 if row is None else int(row["n"])


async def _wait_for(db: Database, number: int) -> None:
    """Waits until so many wait for locks."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while await _waiting(db) < number:
            pass


async def test_racing_runs_and_rotations_all_end_under_one_key(features: Features, tenant: str, kms: Kms) -> None:
    """Two runs that each have a new key made, while keys are rotated."""
    process = Process(features, command(kms), previous=[OLD])
    before = await process.reads(tenant)
    processes = [Process(features, command(kms), previous=[OLD]) for _ in range(2)]
    uses: list[KeyUse] = ["refresh", "refresh_id"]
    await asyncio.gather(*(one.reencrypt() for one in processes), *(rotate(process, tenant, use) for use in uses * 5))
    # Whoever came first may have ended before the last key was written under its own.
    await process.reencrypt()
    counted = await count_by_kek(features.db)
    assert list(counted.values()) == [16]
    assert before.items() <= (await Process(features, command(kms)).reads(tenant)).items()


@pytest.mark.parametrize("is_by_command", [False, True])
async def test_of_racing_runs_one_chooses_and_each_tells_of_what_it_wrote(
    features: Features, tenant: str, kms: Kms, is_by_command: bool
) -> None:
    """Also of one that comes when another is at work already."""
    processes = [Process(features, command(kms) if is_by_command else NEW, previous=[OLD]) for _ in range(3)]
    async with features.db.transaction() as tx:
        # Nobody gets beyond this key for now.
        await tx.fetch_all("SELECT 1 FROM signing_keys WHERE tenant_id = %s FOR UPDATE", (tenant,))
        running = [asyncio.create_task(one.reencrypt()) for one in processes[:2]]
        await _wait_for(features.db, 2)
        running.append(asyncio.create_task(processes[2].reencrypt()))
        await _wait_for(features.db, 3)
    done = await asyncio.gather(*running)
    (kek_id,) = {one.kek_id for one in done}
    assert await count_by_kek(features.db) == {kek_id: 6}
    assert sorted(one.is_new for one in done) == [False, False, True]
    assert (sum(one.keys for one in done), sum(one.secrets for one in done)) == (3, 3)
    assert kms.operations.count("wrap") == int(is_by_command)
    again = await processes[0].reencrypt()
    assert (again.is_new, again.keys) == ((True, 3) if is_by_command else (False, 0))


async def test_a_change_that_was_not_finished_is_gone_on_with(
    features: Features, tenant: str, kms: Kms, tmp_path: Path
) -> None:
    """The provider makes no further key for it; another provider's key is none to go on with."""
    process = Process(features, command(kms), previous=[OLD])
    await process.keks.ensure()
    half = await process.keks.replace()
    done = await process.reencrypt()
    assert (done.kek_id, done.is_new, done.keys, done.secrets) == (half, False, 3, 3)
    await process.keks.replace()
    another = Process(features, command(Kms(tmp_path / "another")), previous_wrapping=command(kms))
    done = await another.reencrypt()
    assert (done.is_new, done.keys, done.secrets, done.forgotten) == (True, 3, 3, 2)


async def test_a_new_installation_has_its_key_made_and_wrapped(stores: StoreUrls, kms: Kms) -> None:
    """Processes that race at the first start agree; only the provider can tell the key."""
    async with own_database(stores.database) as url, Database.open(url, max_size=8) as db:
        features = Features(db)
        processes = [Process(features, command(kms)) for _ in range(3)]
        chosen = await asyncio.gather(*(one.keks.ensure() for one in processes))
        assert len(set(chosen)) == 1
        rows = await db.fetch_all("SELECT kek_id, wrapped FROM key_encryption_keys")
        assert [row["kek_id"] for row in rows] == [chosen[0]]
        assert rows[0]["wrapped"].startswith("kms:v0:")
        await asyncio.gather(*(one.secrets.ensure() for one in processes))
        assert len({await one.secrets.get("bucket") for one in processes}) == 1
        with pytest.raises(WrongKeyEncryptionKeyError, match="wrapped by a command"):
            await Process(features, NEW).keks.ensure()
        features.passwords.close()


async def test_a_provider_that_can_not_give_back_what_it_took_is_refused(stores: StoreUrls, kms: Kms) -> None:
    """Before anything is under the key."""
    kms.fail("another key")
    async with own_database(stores.database) as url, Database.open(url, max_size=8) as db:
        features = Features(db)
        with pytest.raises(KeyEncryptionUnavailableError) as refused:
            await Process(features, command(kms)).keks.ensure()
        assert "does not unwrap what it has wrapped" in refused.value.detail
        assert await db.fetch_all("SELECT 1 FROM current_key_encryption_key") == []
        features.passwords.close()


async def test_a_command_takes_over_from_a_key_and_gives_back(
    features: Features, tenant: str, kms: Kms, tmp_path: Path
) -> None:
    """From a key in the settings to a command, a new key of the command, another command, and back to a key."""
    before = await Process(features, OLD).reads(tenant)
    first = Process(features, command(kms), previous=[OLD])
    assert await first.reads(tenant) == before
    assert (await first.reencrypt()).forgotten == 0
    running = Process(features, command(kms))
    assert await running.reads(tenant) == before
    kms.rotate()
    done = await first.reencrypt()
    assert (done.is_new, done.keys, done.forgotten) == (True, 3, 1)
    # A process that runs needs no restart: it has the new one unwrapped.
    assert await running.reads(tenant) == before
    (row,) = await features.db.fetch_all("SELECT wrapped FROM key_encryption_keys")
    assert row["wrapped"].startswith("kms:v1:")
    another = Kms(tmp_path / "another")
    second = Process(features, command(another), previous_wrapping=command(kms))
    assert await second.reads(tenant) == before
    await second.reencrypt()
    back = Process(features, NEW, previous_wrapping=command(another))
    assert await back.reads(tenant) == before
    assert (await back.reencrypt()).forgotten == 1
    assert await Process(features, NEW).reads(tenant) == before
    assert await features.db.fetch_all("SELECT kek_id FROM key_encryption_keys") == []


async def test_a_wrapped_key_is_kept_as_long_as_something_is_under_it(
    features: Features, tenant: str, kms: Kms
) -> None:
    """A key, a secret, or what is to be written next."""
    process = Process(features, command(kms), previous=[OLD])
    await process.reencrypt()
    for _ in range(2):
        await process.keks.replace()
        assert await process.keks.forget_unused() == 0
        await rotate(process, tenant)
    assert len(await count_by_kek(features.db)) == 3
    assert len(await Process(features, command(kms)).reads(tenant)) == 8
    async with features.db.transaction() as tx:
        await tx.execute("DELETE FROM signing_keys")
    # The secrets are under the first one, and the last one encrypts.
    assert await process.keks.forget_unused() == 1
    await Process(features, command(kms)).secrets.ensure()
    assert [(await process.reencrypt()).forgotten for _ in range(2)] == [1, 1]


async def test_a_provider_that_is_away_is_needed_by_new_processes_only(
    features: Features, tenant: str, kms: Kms
) -> None:
    """Who has the key goes on; who starts says what is wrong, and it is no wrong key."""
    running = Process(features, command(kms), previous=[OLD])
    before = await running.reads(tenant)
    await running.reencrypt()
    kms.fail("denied")
    await rotate(running, tenant)
    assert before.items() <= (await running.reads(tenant)).items()
    with pytest.raises(KeyEncryptionUnavailableError) as away:
        await Process(features, command(kms)).keks.ensure()
    assert "permission denied for principal argus" in away.value.detail
    with pytest.raises(KeyEncryptionUnavailableError):
        await running.reencrypt()
    kms.fail("")
    assert before.items() <= (await Process(features, command(kms)).reads(tenant)).items()


async def test_another_key_than_the_wrapped_one_is_refused(features: Features, tenant: str, kms: Kms) -> None:
    """A provider that answers, but wrongly."""
    running = Process(features, command(kms), previous=[OLD])
    await running.reencrypt()
    kms.fail("another key")
    with pytest.raises(KeyEncryptionUnavailableError) as refused:
        await Process(features, command(kms)).keks.ensure()
    assert "another key than the one that was wrapped" in refused.value.detail
