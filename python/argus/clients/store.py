"""The clients in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from argus.clients.model import Client
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = """tenant_id, client_id, display_name, scopes, resource, max_asserted_acr, disabled, not_before,
                     create_time, revision"""


async def find(db: Database | Transaction, tenant_id: str, client_id: str) -> Client | None:
    """The client, unless it was deleted."""
    row = await db.fetch_one(
        f"SELECT {_COLUMNS} FROM clients WHERE tenant_id = %s AND client_id = %s AND delete_time IS NULL",
        (tenant_id, client_id),
    )
    return None if row is None else Client(**row)


async def find_all(db: Database, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Client]:
    """The clients of those tenants and ids that were not deleted."""
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} FROM clients
              JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, client_id) USING (tenant_id, client_id)
             WHERE delete_time IS NULL""",
        columns(keys),
    )
    return {(row["tenant_id"], row["client_id"]): Client(**row) for row in rows}


async def find_with_secret(db: Database, tenant_id: str, client_id: str) -> tuple[Client, bytes] | None:
    """The client and the hash of its secret."""
    row = await db.fetch_one(
        f"""SELECT {_COLUMNS}, secret_sha256 FROM clients
             WHERE tenant_id = %s AND client_id = %s AND delete_time IS NULL""",
        (tenant_id, client_id),
    )
    if row is None:
        return None
    secret = bytes(row.pop("secret_sha256"))
    return Client(**row), secret


async def lock(tx: Transaction, tenant_id: str, client_id: str) -> Client | None:
    """The client, kept from other changes until the transaction ends."""
    row = await tx.fetch_one(
        f"""SELECT {_COLUMNS} FROM clients WHERE tenant_id = %s AND client_id = %s AND delete_time IS NULL
               FOR NO KEY UPDATE""",
        (tenant_id, client_id),
    )
    return None if row is None else Client(**row)


async def page(db: Database, tenant_id: str, *, after: str, limit: int) -> list[Client]:
    """Up to `limit` clients whose ids follow `after`."""
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} FROM clients WHERE tenant_id = %s AND client_id > %s AND delete_time IS NULL
             ORDER BY client_id LIMIT %s""",
        (tenant_id, after, limit),
    )
    return [Client(**row) for row in rows]


async def every(db: Database, tenant_id: str) -> list[dict[str, Any]]:
    """All clients, deleted ones too (their sessions' tokens must be refused for what they are): with `is_deleted`."""
    return await db.fetch_all(
        f"""SELECT {_COLUMNS}, delete_time IS NOT NULL AS is_deleted FROM clients
             WHERE tenant_id = %s ORDER BY client_id""",
        (tenant_id,),
    )


async def insert(tx: Transaction, client: Client, *, secret_sha256: bytes) -> bool:
    """Writes a new client; False if its id is or was taken."""
    written = await tx.execute(
        f"""INSERT INTO clients ({_COLUMNS}, secret_sha256)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        (
            client.tenant_id,
            client.client_id,
            client.display_name,
            list(client.scopes),
            client.resource,
            client.max_asserted_acr,
            client.disabled,
            client.not_before,
            client.create_time,
            client.revision,
            secret_sha256,
        ),
    )
    return written == 1


async def update(tx: Transaction, client: Client) -> None:
    """Writes the fields that can change."""
    await tx.execute(
        """UPDATE clients SET display_name = %s, scopes = %s, resource = %s, max_asserted_acr = %s, disabled = %s,
                              revision = %s
            WHERE tenant_id = %s AND client_id = %s""",
        (
            client.display_name,
            list(client.scopes),
            client.resource,
            client.max_asserted_acr,
            client.disabled,
            client.revision,
            client.tenant_id,
            client.client_id,
        ),
    )


async def replace_secret(tx: Transaction, tenant_id: str, client_id: str, *, secret_sha256: bytes) -> None:
    """Writes a new secret's hash."""
    await tx.execute(
        """UPDATE clients SET secret_sha256 = %s, revision = revision + 1
            WHERE tenant_id = %s AND client_id = %s AND delete_time IS NULL""",
        (secret_sha256, tenant_id, client_id),
    )


async def raise_not_before(tx: Transaction, tenant_id: str, client_id: str, at: datetime) -> datetime | None:
    """Moves the client's `not_before` forward, never back; None if there is no such client."""
    row = await tx.fetch_one(
        """UPDATE clients SET not_before = GREATEST(not_before, %s)
            WHERE tenant_id = %s AND client_id = %s AND delete_time IS NULL RETURNING not_before""",
        (at, tenant_id, client_id),
    )
    return None if row is None else row["not_before"]


async def delete(tx: Transaction, tenant_id: str, client_id: str, *, at: datetime) -> bool:
    """Leaves the client's id for history, without a secret that fits; False if there is no such client."""
    written = await tx.execute(
        """UPDATE clients SET delete_time = %s, disabled = true, secret_sha256 = '', revision = revision + 1
            WHERE tenant_id = %s AND client_id = %s AND delete_time IS NULL""",
        (at, tenant_id, client_id),
    )
    return written == 1
