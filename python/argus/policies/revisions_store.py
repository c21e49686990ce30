"""Policies of scopes and their revisions in PostgreSQL."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg.types.json import Jsonb

from argus.policies.model import Scope
from argus.policies.revisions_model import Revision, ScopePolicy
from argus.storage.postgres import Database, Row, Transaction

_POLICY: Final[LiteralString] = """
    SELECT scope_kind, scope_id, document, active, report_only, earlier, author, reason, update_time,
           revision AS version
      FROM policies WHERE tenant_id = %s"""
_REVISION: Final[LiteralString] = """
    SELECT scope_kind, scope_id, number, document, author, reason, create_time
      FROM policy_documents WHERE tenant_id = %s AND scope_kind = %s AND scope_id = %s"""


async def find(reader: Database | Transaction, tenant_id: str, scope: Scope) -> ScopePolicy | None:
    """What is set for a scope."""
    row = await reader.fetch_one(_POLICY + " AND scope_kind = %s AND scope_id = %s", (tenant_id, scope.kind, scope.id))
    return None if row is None else _policy(row)


async def lock_tenant(tx: Transaction, tenant_id: str) -> None:
    """Lets nobody else change policies of the tenant until the transaction ends, not even from nothing."""
    await tx.execute("SELECT 1 FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))


async def page(db: Database, tenant_id: str, *, after: tuple[str, str], limit: int) -> Sequence[ScopePolicy]:
    """Policies of a tenant by kind and id of their scopes."""
    rows = await db.fetch_all(
        _POLICY + " AND (scope_kind, scope_id) > (%s, %s) ORDER BY scope_kind, scope_id LIMIT %s",
        (tenant_id, *after, limit),
    )
    return [_policy(row) for row in rows]


async def write(tx: Transaction, tenant_id: str, policy: ScopePolicy) -> None:
    """Writes what is set for a scope."""
    await tx.execute(
        """INSERT INTO policies (tenant_id, scope_kind, scope_id, document, create_time, active, report_only,
                                 report_only_document, earlier, author, reason, update_time, revision)
           SELECT %(tenant)s, %(kind)s, %(id)s, %(document)s, %(at)s, %(active)s, %(report_only)s,
                  (SELECT document FROM policy_documents WHERE tenant_id = %(tenant)s AND scope_kind = %(kind)s
                      AND scope_id = %(id)s AND number = %(report_only)s),
                  %(earlier)s, %(author)s, %(reason)s, %(at)s, %(version)s
           ON CONFLICT (tenant_id, scope_kind, scope_id) DO UPDATE SET
               document = excluded.document, active = excluded.active, report_only = excluded.report_only,
               report_only_document = excluded.report_only_document, earlier = excluded.earlier,
               author = excluded.author, reason = excluded.reason, update_time = excluded.update_time,
               revision = excluded.revision""",
        {
            "tenant": tenant_id,
            "kind": policy.scope.kind,
            "id": policy.scope.id,
            "document": Jsonb(dict(policy.document)),
            "at": policy.update_time,
            "active": policy.active,
            "report_only": policy.report_only,
            "earlier": list(policy.earlier),
            "author": policy.author,
            "reason": policy.reason,
            "version": policy.version,
        },
    )


async def add_revision(tx: Transaction, tenant_id: str, revision: Revision) -> None:
    """Keeps a revision."""
    await tx.execute(
        """INSERT INTO policy_documents (tenant_id, scope_kind, scope_id, number, document, author, reason, create_time)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            *(tenant_id, revision.scope.kind, revision.scope.id, revision.number),
            *(Jsonb(dict(revision.document)), revision.author, revision.reason, revision.create_time),
        ),
    )


async def last_number(tx: Transaction, tenant_id: str, scope: Scope) -> int:
    """Number of the scope's newest revision; 0: there is none."""
    row = await tx.fetch_one(
        """SELECT COALESCE(max(number), 0) AS number FROM policy_documents
            WHERE tenant_id = %s AND scope_kind = %s AND scope_id = %s""",
        (tenant_id, scope.kind, scope.id),
    )
    return 0 if row is None else int(row["number"])


async def revision(reader: Database | Transaction, tenant_id: str, scope: Scope, number: int) -> Revision | None:
    """A revision of a scope."""
    row = await reader.fetch_one(_REVISION + " AND number = %s", (tenant_id, scope.kind, scope.id, number))
    return None if row is None else _revision(row)


async def revisions(db: Database, tenant_id: str, scope: Scope, *, before: int, limit: int) -> Sequence[Revision]:
    """Revisions of a scope below a number, the newest first."""
    rows = await db.fetch_all(
        _REVISION + " AND number < %s ORDER BY number DESC LIMIT %s",
        (tenant_id, scope.kind, scope.id, before, limit),
    )
    return [_revision(row) for row in rows]


def _policy(row: Row) -> ScopePolicy:
    scope = Scope(kind=row.pop("scope_kind"), id=row.pop("scope_id"))
    return ScopePolicy(scope=scope, earlier=tuple(row.pop("earlier")), **row)


def _revision(row: Row) -> Revision:
    return Revision(scope=Scope(kind=row.pop("scope_kind"), id=row.pop("scope_id")), **row)
