"""The policies and their revisions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from argus.policies.model import Document, Scope, ScopeKind, SetDocument
from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction


async def documents(
    db: Database, keys: Sequence[tuple[str, ScopeKind, str]]
) -> dict[tuple[str, ScopeKind, str], SetDocument]:
    """What is set for scopes: each a tenant, the scope's kind, and its id."""
    rows = await db.fetch_all(
        """SELECT tenant_id, scope_kind, scope_id, document, active, report_only, report_only_document FROM policies
             JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w (tenant_id, scope_kind, scope_id)
                  USING (tenant_id, scope_kind, scope_id)""",
        columns(keys),
    )
    return {(row["tenant_id"], row["scope_kind"], row["scope_id"]): _set_document(row) for row in rows}


async def tenant_and_client_documents(db: Database, tenant_id: str) -> list[tuple[Scope, SetDocument]]:
    """What is set for a tenant and for any of its clients."""
    rows = await db.fetch_all(
        """SELECT scope_kind, scope_id, document, active, report_only, report_only_document FROM policies
            WHERE tenant_id = %s AND scope_kind IN ('tenant', 'client')""",
        (tenant_id,),
    )
    return [(Scope(kind=row["scope_kind"], id=row["scope_id"]), _set_document(row)) for row in rows]


async def documents_with(db: Database, tenant_id: str, key: str) -> list[tuple[Scope, Document]]:
    """The documents in force of a tenant that have a key, whatever their scope."""
    rows = await db.fetch_all(
        "SELECT scope_kind, scope_id, document FROM policies WHERE tenant_id = %s AND document ? %s", (tenant_id, key)
    )
    return [(Scope(kind=row["scope_kind"], id=row["scope_id"]), row["document"]) for row in rows]


async def tenants_with_any(db: Database, keys: Sequence[str]) -> list[str]:
    """The tenants some document of which has one of the keys."""
    rows = await db.fetch_all(
        "SELECT DISTINCT tenant_id FROM policies WHERE document ?| %s ORDER BY tenant_id", (list(keys),)
    )
    return [row["tenant_id"] for row in rows]


async def all_tenants(db: Database) -> list[str]:
    """Every tenant."""
    return [row["tenant_id"] for row in await db.fetch_all("SELECT tenant_id FROM tenants ORDER BY tenant_id")]


def _set_document(row: Row) -> SetDocument:
    return SetDocument(
        document=row["document"],
        revision=row["active"],
        tried=row["report_only_document"],
        tried_revision=row["report_only"],
    )


async def find_revision(reader: Database | Transaction, tenant_id: str, digest: bytes) -> int | None:
    """Number of the policy with this digest."""
    row = await reader.fetch_one(
        "SELECT revision FROM policy_revisions WHERE tenant_id = %s AND digest = %s", (tenant_id, digest)
    )
    return None if row is None else row["revision"]


async def insert_revision(tx: Transaction, tenant_id: str, *, digest: bytes, document: Document, at: datetime) -> int:
    """Gives a policy its number; the one it has if it got one meanwhile."""
    # One at a time for a tenant, or two would choose the same number.
    await tx.execute("SELECT 1 FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))
    found = await find_revision(tx, tenant_id, digest)
    if found is not None:
        return found
    row = await tx.fetch_one(
        """INSERT INTO policy_revisions (tenant_id, revision, digest, document, create_time)
           SELECT %(tenant)s, COALESCE(max(revision), 0) + 1, %(digest)s, %(document)s, %(at)s
             FROM policy_revisions WHERE tenant_id = %(tenant)s
           RETURNING revision""",
        {"tenant": tenant_id, "digest": digest, "document": Jsonb(dict(document)), "at": at},
    )
    return 0 if row is None else int(row["revision"])


async def revision_document(db: Database, tenant_id: str, revision: int) -> Document | None:
    """The document of a numbered policy."""
    row = await db.fetch_one(
        "SELECT document FROM policy_revisions WHERE tenant_id = %s AND revision = %s", (tenant_id, revision)
    )
    return None if row is None else row["document"]


async def all_revisions(db: Database, tenant_id: str) -> list[dict[str, Any]]:
    """All numbered policies of a tenant."""
    return await db.fetch_all(
        "SELECT revision, document FROM policy_revisions WHERE tenant_id = %s ORDER BY revision", (tenant_id,)
    )
