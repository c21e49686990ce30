"""Keeps the engine's view of tenants, keys, clients and policies in step with PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from argus._core import Engine
from argus.base.errors import UnavailableError
from argus.clients.service import Clients, KnownClient
from argus.internal.v1 import engine_pb2
from argus.policies.model import Policy
from argus.policies.service import Policies
from argus.storage.postgres import Database
from argus.tenants.model import Tenant
from argus.tenants.service import Tenants
from argus.tokens.kek.command import KeyEncryptionUnavailableError
from argus.tokens.model import KeyUse, UnreadableSecretError, UsableKey
from argus.tokens.service import InstallationSecrets, SigningKeys

log = structlog.get_logger(__name__)

_CHANNEL: Final = "argus_configuration"
_CAN_NOT_DECRYPT: Final = "can't decrypt keys"
_POLL: Final = timedelta(milliseconds=500)
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
        tenants: By id; of those that can't be read now what was read last.
        unread: Ids of those.
    """

    version: int
    server_start: datetime
    tenants: Mapping[str, engine_pb2.TenantSnapshot]
    unread: frozenset[str]


class SnapshotKeeper:
    """Reads what the engine must know, at the start and after every change, and hands it over whole.

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
        secrets: InstallationSecrets,
    ) -> None:
        self._db = db
        self._engine = engine
        self._tenants = tenants
        self._clients = clients
        self._signing_keys = signing_keys
        self._policies = policies
        self._secrets = secrets
        self._lock = asyncio.Lock()
        self._loaded: _Reading | None = None
        self._fault = "not loaded"
        self._can_encrypt = True

    @property
    def fault(self) -> str:
        """What keeps the engine from having what PostgreSQL says, now or after the next change; empty: nothing."""
        return self._fault or ("" if self._can_encrypt else _CAN_NOT_DECRYPT)

    async def refresh(self) -> None:
        """Gives the engine the state of now.

        A tenant whose keys can't be read keeps no other from its changes: the engine keeps what it has of it, and this
        process is not ready until it can read them, as it would not learn of a key that is pulled.

        Raises:
            UnavailableError: PostgreSQL is away; the engine keeps what it has.
            UnreadableSecretError: At the start: keys are encrypted with another key-encryption key, or damaged.
            ValueError: The engine does not take what stands in PostgreSQL, and keeps what it has.
        """
        async with self._lock:
            reading = await self._read()
            if reading is not self._loaded:
                snapshot = engine_pb2.Snapshot(
                    version=reading.version,
                    bucket_key=await self._secrets.get("bucket"),
                    tenants=reading.tenants.values(),
                )
                try:
                    self._engine.load(snapshot.SerializeToString())
                except ValueError:
                    self._fault = "can't be loaded"
                    raise
                self._loaded = reading
            self._fault = _CAN_NOT_DECRYPT if reading.unread else ""

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
        if before is None or before.server_start != server_start or before.version > version:
            known: Mapping[str, engine_pb2.TenantSnapshot] = {}
        elif before.version == version and not before.unread:
            return before
        else:
            stale = await self._changed(before.version) | before.unread
            known = {one: before.tenants[one] for one in before.tenants.keys() - stale}
        tenants, unread = {}, set()
        for tenant in await self._tenants.all():
            if tenant.disabled:
                continue
            tenant_id = tenant.tenant_id
            try:
                tenants[tenant_id] = known.get(tenant_id) or await self._tenant(tenant)
            except (UnreadableSecretError, KeyEncryptionUnavailableError) as error:
                if before is None:
                    raise  # a server does not start with a wrong key-encryption key
                unread.add(tenant_id)
                if tenant_id not in before.unread:
                    log.error("snapshot.unreadable", tenant_id=tenant_id, cause=str(error))  # noqa: TRY400 - as above
                if tenant_id in before.tenants:
                    tenants[tenant_id] = before.tenants[tenant_id]
        return _Reading(version=version, server_start=server_start, tenants=tenants, unread=frozenset(unread))

    async def _changed(self, since: int) -> set[str]:
        """Tenants that changed after a version."""
        rows = await self._db.fetch_all("SELECT tenant_id FROM tenant_configuration WHERE version > %s", (since,))
        return {row["tenant_id"] for row in rows}

    async def _tenant(self, tenant: Tenant) -> engine_pb2.TenantSnapshot:
        clients = await self._clients.known(tenant.tenant_id)
        effective = await self._policies.for_clients(tenant.tenant_id, [one.client.client_id for one in clients])
        return engine_pb2.TenantSnapshot(
            id=tenant.tenant_id,
            issuer=self._tenants.issuer(tenant.tenant_id),
            keys=_keys(await self._signing_keys.usable(tenant.tenant_id)),
            clients=[_client(one, effective[one.client.client_id].revision) for one in clients],
            # After the clients': theirs may have been numbered just now.
            policies=[
                _policy(revision, policy)
                for revision, policy in (await self._policies.revisions(tenant.tenant_id)).items()
            ],
            is_system=tenant.is_system,
            not_before=_seconds(tenant.not_before),
        )


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


def _client(known: KnownClient, policy_revision: int) -> engine_pb2.ClientSnapshot:
    client = known.client
    return engine_pb2.ClientSnapshot(
        id=client.client_id,
        scopes=client.scopes,
        resource=client.resource,
        disabled=not known.is_usable,
        policy_revision=policy_revision,
        not_before=_seconds(client.not_before),
    )


def _policy(revision: int, policy: Policy) -> engine_pb2.PolicySnapshot:
    return engine_pb2.PolicySnapshot(
        revision=revision,
        idle=_whole(policy.idle),
        absolute=_whole(policy.absolute),
        access=_whole(policy.access),
        grace=_whole(policy.grace),
        deadline=_whole(policy.request_deadline),
        refresh_is_activity=policy.refresh_is_activity,
        strict=policy.rotation == "strict",
        end_on_replay=policy.reuse == "end",
    )


def _whole(span: timedelta) -> int:
    return int(span.total_seconds())


def _seconds(time: datetime | None) -> int:
    return 0 if time is None else int(time.timestamp())
