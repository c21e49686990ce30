"""What was in force where, from when on, in PostgreSQL; triggers write it wherever a policy or a group is changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from argus.policies.model import Document, Scope, ScopeKind
from argus.policies.resolve import Layer
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """A change that living sessions follow.

    Attributes:
        scope: Whose sessions.
        create_time: From when on it is in force.
        at_session: Those up to this one follow it.
        round: 1; 2: once more those that began meanwhile.
    """

    tenant_id: str
    change_id: int
    scope: Scope
    create_time: datetime
    at_session: str
    round: int


async def follow_default(tx: Transaction, digest: bytes, *, now: datetime) -> bool:
    """Lets the sessions of all tenants follow the installation's own default; False: they have followed it before.

    Args:
        tx: The transaction.
        digest: Of the default policy that this process has.
        now: The time.
    """
    is_new = await tx.execute(
        """INSERT INTO default_policy AS d (digest, update_time) VALUES (%s, %s)
           ON CONFLICT (is_only) DO UPDATE SET digest = excluded.digest, update_time = excluded.update_time
                 WHERE d.digest <> excluded.digest""",
        (digest, now),
    )
    if not is_new:
        return False
    # Nobody may be left who has another one, and what it asked for is over.
    await tx.execute("DELETE FROM policy_changes WHERE default_digest <> %s", (digest,))
    await tx.execute(
        """INSERT INTO policy_changes (tenant_id, scope_kind, scope_id, create_time, default_digest)
           SELECT tenant_id, 'tenant', tenant_id, %s, %s FROM tenants""",
        (now, digest),
    )
    return True


async def take(tx: Transaction, *, default_digest: bytes, now: datetime) -> PolicyChange | None:
    """One that is due and that no other process has in hand; it is held until the transaction ends.

    Args:
        tx: The transaction.
        default_digest: Of the default policy that this process has: what follows another one is not for it.
        now: The time.
    """
    row = await tx.fetch_one(
        """SELECT tenant_id, change_id, scope_kind, scope_id, create_time, at_session, round FROM policy_changes
            WHERE due_time <= %s AND (default_digest IS NULL OR default_digest = %s)
            ORDER BY due_time, change_id LIMIT 1 FOR UPDATE SKIP LOCKED""",
        (now, default_digest),
    )
    if row is None:
        return None
    return PolicyChange(scope=Scope(kind=row.pop("scope_kind"), id=row.pop("scope_id")), **row)


async def go_on(tx: Transaction, change: PolicyChange, *, at_session: str) -> None:
    """The sessions up to this one follow it."""
    await tx.execute(
        "UPDATE policy_changes SET at_session = %s WHERE tenant_id = %s AND change_id = %s",
        (at_session, change.tenant_id, change.change_id),
    )


async def look_again(tx: Transaction, change: PolicyChange, *, at: datetime) -> None:
    """The first round is through; the second one begins then."""
    await tx.execute(
        "UPDATE policy_changes SET at_session = '', round = 2, due_time = %s WHERE tenant_id = %s AND change_id = %s",
        (at, change.tenant_id, change.change_id),
    )


async def finish(tx: Transaction, change: PolicyChange) -> None:
    """All sessions follow it. What was in force is kept; that a user's groups were changed is not."""
    key = (change.tenant_id, change.change_id)
    await tx.execute(
        "DELETE FROM policy_changes WHERE tenant_id = %s AND change_id = %s AND document IS NULL",
        key,
    )
    await tx.execute("UPDATE policy_changes SET due_time = NULL WHERE tenant_id = %s AND change_id = %s", key)


async def count_open(db: Database, *, now: datetime) -> int:
    """How many changes are due that sessions do not follow yet."""
    row = await db.fetch_one("SELECT count(*) AS n FROM policy_changes WHERE due_time <= %s", (now,))
    return 0 if row is None else int(row["n"])


async def documents_at(
    db: Database, keys: Sequence[tuple[str, ScopeKind, str]], time: datetime
) -> list[tuple[Scope, int, Document]]:
    """What was in force at a time for scopes, each a tenant, the scope's kind, and its id: number and document."""
    rows = await db.fetch_all(
        """SELECT c.scope_kind, c.scope_id, c.active, c.document
             FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (tenant_id, scope_kind, scope_id)
            CROSS JOIN LATERAL (
                  SELECT * FROM policy_changes p
                   WHERE p.tenant_id = w.tenant_id AND p.scope_kind = w.scope_kind AND p.scope_id = w.scope_id
                     AND p.document IS NOT NULL AND p.create_time <= %s
                   ORDER BY p.create_time DESC, p.change_id DESC LIMIT 1) AS c""",
        (*columns(keys), time),
    )
    return [(Scope(kind=row["scope_kind"], id=row["scope_id"]), row["active"], row["document"]) for row in rows]


async def documents_of(
    db: Database, tenant_id: str, scopes: Sequence[tuple[ScopeKind, str]]
) -> list[tuple[datetime, Layer]]:
    """What was ever in force for scopes of a tenant, each by kind and id, with the time from when on; oldest first."""
    rows = await db.fetch_all(
        """SELECT p.create_time, p.scope_kind, p.scope_id, p.active, p.document
             FROM unnest(%s::text[], %s::text[]) AS w (scope_kind, scope_id)
             JOIN policy_changes p ON p.tenant_id = %s AND p.scope_kind = w.scope_kind AND p.scope_id = w.scope_id
            WHERE p.document IS NOT NULL ORDER BY p.create_time, p.change_id""",
        (*columns(scopes), tenant_id),
    )
    return [
        (
            row["create_time"],
            Layer(kind=row["scope_kind"], id=row["scope_id"], revision=row["active"], document=row["document"]),
        )
        for row in rows
    ]
