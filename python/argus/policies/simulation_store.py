"""Simulations in PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, LiteralString

from psycopg.types.json import Jsonb

from argus.policies.model import Scope
from argus.policies.simulation_model import Finding, Simulation
from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction

MOST_FINDINGS: Final = 1000
"""Findings of a simulation that are kept; all are counted."""

_SIMULATION: Final[LiteralString] = """
    SELECT tenant_id, simulation_id, scope_kind, scope_id, document, begin_time, end_time, author, create_time,
           finish_time, at_time, at_id, total, examined, outcomes, fields
      FROM policy_simulations"""


async def add(tx: Transaction, one: Simulation) -> None:
    """Keeps a simulation that begins."""
    await tx.execute(
        """INSERT INTO policy_simulations (tenant_id, simulation_id, scope_kind, scope_id, document, begin_time,
                                           end_time, author, create_time, at_time, total)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            *(one.tenant_id, one.simulation_id, one.scope.kind, one.scope.id, Jsonb(dict(one.document))),
            *(one.begin_time, one.end_time, one.author, one.create_time, one.at_time, one.total),
        ),
    )


async def forget(tx: Transaction, *, before: datetime) -> None:
    """Deletes those that began before a time."""
    await tx.execute("DELETE FROM policy_simulations WHERE create_time < %s", (before,))


async def take(tx: Transaction) -> Simulation | None:
    """One that goes on and that no other process has in hand; it is held until the transaction ends."""
    row = await tx.fetch_one(
        _SIMULATION + " WHERE finish_time IS NULL ORDER BY create_time LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return None if row is None else _simulation(row)


async def find(db: Database, tenant_id: str, simulation_id: str) -> Simulation | None:
    """A simulation of a tenant."""
    row = await db.fetch_one(_SIMULATION + " WHERE tenant_id = %s AND simulation_id = %s", (tenant_id, simulation_id))
    return None if row is None else _simulation(row)


async def go_on(tx: Transaction, one: Simulation, findings: Sequence[Finding]) -> None:
    """Writes how far a simulation has come, and what it has found since."""
    await tx.execute(
        """UPDATE policy_simulations SET finish_time = %s, at_time = %s, at_id = %s, examined = %s, outcomes = %s,
                  fields = %s WHERE tenant_id = %s AND simulation_id = %s""",
        (
            *(one.finish_time, one.at_time, one.at_id, one.examined, Jsonb(dict(one.outcomes))),
            *(Jsonb(dict(one.fields)), one.tenant_id, one.simulation_id),
        ),
    )
    await _add_users(tx, one, {finding.user_id for finding in findings})
    row = await tx.fetch_one(
        "SELECT count(*) AS n FROM policy_simulation_findings WHERE tenant_id = %s AND simulation_id = %s",
        (one.tenant_id, one.simulation_id),
    )
    room = MOST_FINDINGS - (0 if row is None else int(row["n"]))
    for finding in findings[: max(room, 0)]:
        await tx.execute(
            """INSERT INTO policy_simulation_findings
                   (tenant_id, simulation_id, event_id, time, user_id, client_id, label, was, would)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                *(one.tenant_id, one.simulation_id, finding.event_id, finding.time, finding.user_id),
                *(finding.client_id, finding.label, Jsonb(dict(finding.was)), Jsonb(dict(finding.would))),
            ),
        )


async def findings(db: Database, one: Simulation, *, limit: int) -> Sequence[Finding]:
    """The first findings of a simulation, by time."""
    rows = await db.fetch_all(
        """SELECT event_id, time, user_id, client_id, label, was, would FROM policy_simulation_findings
            WHERE tenant_id = %s AND simulation_id = %s ORDER BY time, event_id LIMIT %s""",
        (one.tenant_id, one.simulation_id, limit),
    )
    return [Finding(**row) for row in rows]


async def users(db: Database, one: Simulation, *, limit: int) -> tuple[int, Sequence[str]]:
    """How many users are concerned, and the first of them by id."""
    rows = await db.fetch_all(
        """SELECT user_id, count(*) OVER () AS n FROM policy_simulation_users
            WHERE tenant_id = %s AND simulation_id = %s ORDER BY user_id LIMIT %s""",
        (one.tenant_id, one.simulation_id, limit),
    )
    return (int(rows[0]["n"]) if rows else 0), [row["user_id"] for row in rows]


async def _add_users(tx: Transaction, one: Simulation, user_ids: Iterable[str]) -> None:
    found = [(one.tenant_id, one.simulation_id, user_id) for user_id in sorted(user_ids)]
    if found:
        await tx.execute(
            """INSERT INTO policy_simulation_users (tenant_id, simulation_id, user_id)
               SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING""",
            columns(found),
        )


def _simulation(row: Row) -> Simulation:
    return Simulation(scope=Scope(kind=row.pop("scope_kind"), id=row.pop("scope_id")), **row)
