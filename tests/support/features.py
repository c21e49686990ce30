"""The features over a database of their own, with a clock that stands still until it is moved."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import psycopg
from pydantic import SecretStr

from argus.audit.service import Audit
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.clients.service import Clients
from argus.credentials.service import Passwords
from argus.groups.service import Groups
from argus.policies.service import Policies
from argus.storage.migrate import migrate
from argus.storage.postgres import Database
from argus.tenants.service import Tenants
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.service import InstallationSecrets, SigningKeys
from argus.users.model import NewIdentifier, User
from argus.users.service import Users

ISSUER_BASE = "https://id.example.com"
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "three correct horses on one staple"


class Features:
    """All features of one database."""

    def __init__(self, db: Database, *, key: bytes | None = None) -> None:
        self.time = BEGIN
        self.db = db
        self.key = key or os.urandom(32)
        self.settings = Settings(
            key_encryption_key=SecretStr(base64.b64encode(self.key).decode()), argon2_workers=2, argon2_queue=2
        )
        self.keks = KeyEncryptionKeys(db, self.now, self.key)
        self.tenants = Tenants(db, self.now, ISSUER_BASE)
        self.users = Users(db, self.now)
        self.groups = Groups(db, self.now)
        self.clients = Clients(db, self.now, ISSUER_BASE)
        self.passwords = Passwords(db, self.now, self.settings, secret=b"draw")
        self.policies = Policies(db, self.now)
        self.signing_keys = SigningKeys(db, self.now, self.keks)
        self.secrets = InstallationSecrets(db, self.now, self.keks)
        self.audit = Audit(db, self.now)

    def now(self) -> datetime:
        """The time of everything."""
        return self.time

    def advance(self, by: timedelta) -> None:
        """Moves the time."""
        self.time += by

    async def new_tenant(self) -> str:
        """Id of a tenant that has nothing in it."""
        tenant_id = f"t{os.urandom(6).hex()}"
        async with self.db.transaction(origin(tenant_id), now=self.time) as tx:
            await self.tenants.create(tx, tenant_id)
        return tenant_id

    async def new_user(self, tenant_id: str, identifier: str | None = None) -> User:
        """A user with one identifier."""
        value = identifier or f"u{os.urandom(6).hex()}@example.com"
        return await self.users.create(
            tenant_id, identifiers=[NewIdentifier(kind="email", value=value)], origin=origin(tenant_id)
        )

    async def event_types(self, tenant_id: str) -> list[str]:
        """Types of the tenant's audit rows, in their order."""
        rows = await self.db.fetch_all(
            "SELECT type FROM audit_events WHERE tenant_id = %s ORDER BY time, transaction", (tenant_id,)
        )
        return [row["type"] for row in rows]


def origin(tenant_id: str, *, request_id: str = "", digest: bytes = b"", validate_only: bool = False) -> Origin:
    """Somebody who changes something in a tenant."""
    return Origin(
        tenant_id=tenant_id,
        actor="client:test",
        request_id=new_id(),
        method="/test",
        idempotency_key=request_id,
        request_sha256=digest,
        validate_only=validate_only,
    )


@asynccontextmanager
async def own_database(server_url: str) -> AsyncIterator[str]:
    """A new, migrated database of a server; dropped at the end."""
    name = f"features_{os.urandom(6).hex()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
            migrate(url, now=BEGIN)
            yield url
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
