"""Keeps the engine's view of tenants, keys, clients and policies in step with PostgreSQL."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from argus._core import Engine
from argus.base.errors import UnavailableError
from argus.clients.service import Clients, KnownClient
from argus.internal.v1 import engine_pb2
from argus.plans.model import Subscription
from argus.plans.service import Plans
from argus.policies.model import EffectivePolicy
from argus.policies.service import Policies
from argus.server.policy_messages import ceiling_message, policy_message
from argus.storage.postgres import Database
from argus.tenants.model import Tenant
from argus.tenants.service import Tenants
from argus.tokens.kek.command import KeyEncryptionUnavailableError
from argus.tokens.model import KeyUse, UnreadableSecretError, UsableKey
from argus.tokens.service import InstallationSecrets, SigningKeys

log = structlog.get_logger(__name__)

_CHANNEL: Final = "argus_configuration"
_CAN_NOT_DECRYPT: Final = "can't decrypt keys"
_CAN_NOT_LOAD: Final = "can't be loaded"
_POLL: Final = timedelta(milliseconds=500)
# Between two readings: calls that name what nobody knows may ask for one each.
_PAUSE: Final = timedelta(milliseconds=20)
# The longest that a call waits for a reading: a PostgreSQL that hangs must not fill the server with calls.
_PATIENCE: Final = timedelta(seconds=1)
_USES: Final[dict[KeyUse, engine_pb2.SnapshotKeyUse.ValueType]] = {
    "access": engine_pb2.SNAPSHOT_KEY_USE_ACCESS,
    "refresh": engine_pb2.SNAPSHOT_KEY_USE_REFRESH,
    "refresh_id": engine_pb2.SNAPSHOT_KEY_USE_REFRESH_ID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What was read last.

    Attributes:
        version: The version that PostgreSQL had before; what changed later is in a higher one.
        server_start: Of that PostgreSQL. Another one may be restored from a backup: its versions say nothing here.
        tenants: By id.
        unread: Why keys of some tenants can't be read, by id.
        encryption: The key-encryption keys that were known; with another one those are looked at again.
        plans: What the tenants have bought.
    """

    version: int
    server_start: datetime
    tenants: Mapping[str, engine_pb2.TenantSnapshot]
    unread: Mapping[str, Exception]
    encryption: frozenset[str]
    plans: Mapping[str, Subscription]


class SnapshotKeeper:
    """Reads what the engine must know, at the start and after every change, and hands it over whole.

    `readings` says how often it has looked.

    A change made by any process is here within a second: PostgreSQL announces it, and the version is looked at
    twice a second in case the announcement is lost. Only the tenants that changed are read: a key that is pulled in
    one of them does not wait for thousands of others.
    """

    def __init__(
        self,
        db: Database,
        engine: Engine,
        *,
        tenants: Tenants,
        clients: Clients,
        signing_keys: SigningKeys,
        policies: Policies,
        plans: Plans,
        secrets: InstallationSecrets,
    ) -> None:
        self._db = db
        self._engine = engine
        self._tenants = tenants
        self._clients = clients
        self._signing_keys = signing_keys
        self._policies = policies
        self._plans = plans
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._next_time = 0.0
        self._is_stuck = False
        self._refused: frozenset[str] = frozenset()
        self._loaded: _Reading | None = None
        self._fault = "not loaded"
        self.readings = 0
        self._as_of: float | None = None
        self._can_encrypt = True

    @property
    def fault(self) -> str:
        """What keeps the engine from having what PostgreSQL says, now or after the next change; empty: nothing."""
        return self._fault or ("" if self._can_encrypt else _CAN_NOT_DECRYPT)

    @property
    def age(self) -> float | None:
        """Seconds since PostgreSQL last confirmed what the engine has: a change is here, or not older than this."""
        return None if self._as_of is None else time.monotonic() - self._as_of

    async def refresh(self) -> None:
        """Gives the engine the state of now: comes back after a reading that began after the call.

        All who wait for the same reading share it, so a flood of names that nobody knows costs a few readings a second.

        A key that can't be read keeps no other from its changes: the engine keeps what it has of it, and this process
        is not ready until it can.

        Raises:
            UnavailableError: PostgreSQL is away; the engine keeps what it has.
            UnreadableSecretError: At the start: keys are encrypted with another key-encryption key, or damaged.
            KeyEncryptionUnavailableError: At the start: the provider that wraps it is away, or refuses.
            ValueError: The engine does not take what stands in PostgreSQL, and keeps what it has.
        """
        if self._following is None:
            self._following = asyncio.create_task(self._follow_up())
            self._following.add_done_callback(self._forget)
        await asyncio.shield(self._following)

    async def confirm(self) -> None:
        """The same for a call that names what the engine does not know, which anybody can send: it waits for a second.

        Where somebody has waited in vain, nobody else does until a reading succeeds: a PostgreSQL that hangs must not
        fill the server with calls.

        Raises:
            UnavailableError: PostgreSQL is away, or hangs.
        """
        if self._is_stuck:
            raise UnavailableError("postgresql")
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                await self.refresh()
        except TimeoutError:
            self._is_stuck = True
            raise UnavailableError("postgresql") from None

    def _forget(self, task: asyncio.Task[None]) -> None:
        if self._following is task:
            self._following = None
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio complains where every waiter has left

    async def _follow_up(self) -> None:
        async with self._lock:
            await asyncio.sleep(self._next_time - asyncio.get_running_loop().time())
            # Whoever asks from here on needs a later one.
            self._following = None
            try:
                await self._take()
                self._is_stuck = False
            except UnavailableError:
                self._is_stuck = self._loaded is not None
                raise
            finally:
                self._next_time = asyncio.get_running_loop().time() + _PAUSE.total_seconds()

    async def _take(self) -> None:
        self.readings += 1
        begun = time.monotonic()
        reading = await self._read()
        if reading is not self._loaded:
            # First: of a tenant that the engine knows it is known what it has bought.
            self._plans.learn(reading.plans)
            snapshot = engine_pb2.Snapshot(
                version=reading.version,
                bucket_key=await self._secrets.get("bucket"),
                tenants=reading.tenants.values(),
            )
            try:
                faults = self._engine.load(snapshot.SerializeToString())
            except ValueError:
                self._fault = _CAN_NOT_LOAD
                raise
            self._note(faults)
            self._loaded = reading
        self._as_of = begun
        if self._refused:
            self._fault = _CAN_NOT_LOAD
        else:
            self._fault = _CAN_NOT_DECRYPT if reading.unread else ""

    def _note(self, faults: Sequence[str]) -> None:
        """Tells of keys that the engine refuses; those alone can't be used."""
        if faults and self._loaded is None:
            raise ValueError(faults[0])
        for fault in set(faults) - self._refused:
            log.error("snapshot.key_refused", cause=fault)
        self._refused = frozenset(faults)

    async def run(self) -> None:
        """Follows the changes until it is cancelled; a PostgreSQL that is away is waited for."""
        while True:
            try:
                async with self._db.listen(_CHANNEL) as woken:
                    await self._follow(woken)
            except UnavailableError as error:
                log.warning("snapshot.unavailable", component=error.component)
                await asyncio.sleep(_POLL.total_seconds())
            except (UnreadableSecretError, ValueError) as error:
                log.error("snapshot.unreadable", cause=str(error))  # noqa: TRY400 - where it came from says nothing
                await asyncio.sleep(_POLL.total_seconds())

    async def _follow(self, woken: asyncio.Event) -> None:
        while True:
            await self.refresh()
            await self._look_at_encryption()
            try:
                async with asyncio.timeout(_POLL.total_seconds()):
                    await woken.wait()
            except TimeoutError:
                continue
            woken.clear()

    async def _look_at_encryption(self) -> None:
        """What is changed next will be under the key that encrypts now."""
        try:
            await self._signing_keys.require_encryption()
        except (UnreadableSecretError, KeyEncryptionUnavailableError):
            self._can_encrypt = False
            raise
        self._can_encrypt = True

    async def _read(self) -> _Reading:
        # Read first: what changes while the rest is read makes the version rise again.
        row = await self._db.fetch_one(
            "SELECT version, pg_postmaster_start_time() AS server_start FROM configuration_version"
        )
        if row is None:
            raise LookupError("the database has no configuration version")
        version, server_start, before = int(row["version"]), row["server_start"], self._loaded
        encryption = self._signing_keys.known_encryption
        if before is None or before.server_start != server_start or before.version > version:
            known: Mapping[str, engine_pb2.TenantSnapshot] = {}
        elif before.version == version and (not before.unread or before.encryption == encryption):
            return before
        else:
            stale = await self._changed(before.version) | before.unread.keys()
            known = {one: before.tenants[one] for one in before.tenants.keys() - stale}
        tenants, unread = {}, {}
        for tenant in await self._tenants.all():
            if tenant.disabled:
                continue
            if tenant.tenant_id in known:
                tenants[tenant.tenant_id] = known[tenant.tenant_id]
                continue
            tenants[tenant.tenant_id], fault = await self._tenant(tenant)
            if fault is not None:
                unread[tenant.tenant_id] = fault
        self._tell(unread, before)
        return _Reading(
            version=version,
            server_start=server_start,
            tenants=tenants,
            unread=unread,
            encryption=encryption,
            plans=await self._plans.read(tenants),
        )

    def _tell(self, unread: Mapping[str, Exception], before: _Reading | None) -> None:
        for tenant_id, fault in unread.items():
            if before is None:
                raise fault  # a server does not start with a wrong key-encryption key
            if tenant_id not in before.unread:
                log.error("snapshot.unreadable", tenant_id=tenant_id, cause=str(fault))

    async def _changed(self, since: int) -> set[str]:
        """Tenants that changed after a version."""
        rows = await self._db.fetch_all("SELECT tenant_id FROM tenant_configuration WHERE version > %s", (since,))
        return {row["tenant_id"] for row in rows}

    async def _tenant(self, tenant: Tenant) -> tuple[engine_pb2.TenantSnapshot, Exception | None]:
        """What the engine must know of a tenant; and why some of its keys can't be read, if so."""
        clients = await self._clients.known(tenant.tenant_id)
        effective = await self._policies.for_clients(tenant.tenant_id, [one.client.client_id for one in clients])
        judged = await self._policies.judged_at_refresh(tenant.tenant_id)
        keys = await self._signing_keys.usable(tenant.tenant_id)
        snapshot = engine_pb2.TenantSnapshot(
            id=tenant.tenant_id,
            issuer=self._tenants.issuer(tenant.tenant_id),
            keys=_keys(keys),
            clients=[
                _client(one, effective[one.client.client_id], judges_rules=judged.holds(one.client.client_id))
                for one in clients
            ],
            # After the clients': theirs may have been numbered just now.
            policies=[policy_message(one) for one in await self._policies.revisions(tenant.tenant_id)],
            is_system=tenant.is_system,
            not_before=_seconds(tenant.not_before),
        )
        return snapshot, next((one.fault for one in keys if one.fault is not None), None)


def _keys(keys: Sequence[UsableKey]) -> list[engine_pb2.KeySnapshot]:
    return [
        engine_pb2.KeySnapshot(
            kid=one.key.kid,
            use=_USES[one.key.use],
            algorithm=one.key.algorithm,
            private_key=one.private_key,
            signs=one.key.state == "active",
            revoked=one.key.state == "revoked",
        )
        for one in keys
    ]


def _client(known: KnownClient, present: EffectivePolicy, *, judges_rules: bool) -> engine_pb2.ClientSnapshot:
    client = known.client
    return engine_pb2.ClientSnapshot(
        id=client.client_id,
        scopes=client.scopes,
        resource=client.resource,
        disabled=not known.is_usable,
        policy_revision=present.revision,
        ceiling=ceiling_message(present.policy),
        not_before=_seconds(client.not_before),
        judges_rules=judges_rules,
    )


def _seconds(time: datetime | None) -> int:
    return 0 if time is None else int(time.timestamp())
