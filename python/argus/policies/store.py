"""The policies and their revisions in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from argus.policies.model import Document, EffectivePolicy, Scope, ScopeKind, SetDocument, from_document
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
        """SELECT scope_kind, scope_id, document, active, report_only, report_only_document, update_time FROM policies
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
        update_time=row.get("update_time"),
    )


async def find_revision(reader: Database | Transaction, tenant_id: str, digest: bytes) -> int | None:
    """Number of the policy with this digest."""
    row = await reader.fetch_one(
        "SELECT revision FROM policy_revisions WHERE tenant_id = %s AND digest = %s", (tenant_id, digest)
    )
    return None if row is None else row["revision"]


async def insert_revision(
    tx: Transaction, tenant_id: str, *, digest: bytes, document: Document, narrower: Collection[str], at: datetime
) -> int:
    """Gives a policy its number; the one it has if it got one meanwhile."""
    # One at a time for a tenant, or two would choose the same number.
    await tx.execute("SELECT 1 FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))
    found = await find_revision(tx, tenant_id, digest)
    if found is not None:
        return found
    row = await tx.fetch_one(
        """INSERT INTO policy_revisions (tenant_id, revision, digest, document, narrower, create_time)
           SELECT %(tenant)s, COALESCE(max(revision), 0) + 1, %(digest)s, %(document)s, %(narrower)s, %(at)s
             FROM policy_revisions WHERE tenant_id = %(tenant)s
           RETURNING revision""",
        {
            "tenant": tenant_id,
            "digest": digest,
            "document": Jsonb(dict(document)),
            "narrower": sorted(narrower),
            "at": at,
        },
    )
    return 0 if row is None else int(row["revision"])


async def numbered(db: Database, tenant_id: str, revision: int) -> EffectivePolicy | None:
    """The policy of a number."""
    row = await db.fetch_one(
        "SELECT revision, document, narrower FROM policy_revisions WHERE tenant_id = %s AND revision = %s",
        (tenant_id, revision),
    )
    return None if row is None else _numbered(row)


async def all_revisions(db: Database, tenant_id: str) -> list[EffectivePolicy]:
    """All numbered policies of a tenant."""
    rows = await db.fetch_all(
        "SELECT revision, document, narrower FROM policy_revisions WHERE tenant_id = %s ORDER BY revision", (tenant_id,)
    )
    return [_numbered(row) for row in rows]


def _numbered(row: Row) -> EffectivePolicy:
    return EffectivePolicy(
        revision=row["revision"], policy=from_document(row["document"]), narrower=frozenset(row["narrower"])
    )
