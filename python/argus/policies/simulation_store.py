"""Simulations in PostgreSQL."""

from collections.abc import Collection, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Final, LiteralString

from psycopg.types.json import Jsonb

from argus.policies.model import Scope
from argus.policies.simulation_model import MOST_FINDINGS, Finding, Found, SessionFinding, Simulation
from argus.storage.postgres import Database, Row, Transaction

_SIMULATION: Final[LiteralString] = """
    SELECT tenant_id, simulation_id, scope_kind, scope_id, document, begin_time, end_time, author, create_time,
           finish_time, at_user, total, examined, total_users, examined_users, outcomes, fields, refreshes, sessions
      FROM policy_simulations"""


async def add(tx: Transaction, one: Simulation) -> None:
    """Keeps a simulation that begins."""
    await tx.execute(
        """INSERT INTO policy_simulations (tenant_id, simulation_id, scope_kind, scope_id, document, begin_time,
                                           end_time, author, create_time, total)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            *(one.tenant_id, one.simulation_id, one.scope.kind, one.scope.id, Jsonb(dict(one.document))),
            *(one.begin_time, one.end_time, one.author, one.create_time, one.total),
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


async def list_users(tx: Transaction, one: Simulation, *, types: Collection[str]) -> int:
    """Lists whom a simulation looks at: who did something of the types in its time, or had a session; says how many."""
    return await tx.execute(
        """INSERT INTO policy_simulation_users (tenant_id, simulation_id, user_id, is_affected)
           SELECT %(tenant)s, %(simulation)s, user_id, false FROM (
               SELECT user_id FROM audit_events
                WHERE tenant_id = %(tenant)s AND type = ANY(%(types)s) AND time >= %(begin)s AND time < %(end)s
                  AND user_id IS NOT NULL
               UNION
               SELECT user_id FROM sessions WHERE tenant_id = %(tenant)s AND create_time < %(begin)s
                  AND COALESCE(end_time, absolute_deadline) >= %(begin)s) AS users""",
        {
            "tenant": one.tenant_id,
            "simulation": one.simulation_id,
            "types": list(types),
            "begin": one.begin_time,
            "end": one.end_time,
        },
    )


async def next_users(tx: Transaction, one: Simulation, *, limit: int) -> Sequence[str]:
    """The next of those that it looks at."""
    rows = await tx.fetch_all(
        """SELECT user_id FROM policy_simulation_users
            WHERE tenant_id = %s AND simulation_id = %s AND user_id > %s ORDER BY user_id LIMIT %s""",
        (one.tenant_id, one.simulation_id, one.at_user, limit),
    )
    return [row["user_id"] for row in rows]


async def go_on(tx: Transaction, one: Simulation, found: Found) -> None:
    """Writes how far a simulation has come, and what it has found since."""
    key = (one.tenant_id, one.simulation_id)
    await tx.execute(
        """UPDATE policy_simulations SET finish_time = %s, at_user = %s, examined = %s, total_users = %s,
                  examined_users = %s, outcomes = %s, fields = %s, refreshes = %s, sessions = %s
            WHERE tenant_id = %s AND simulation_id = %s""",
        (
            *(one.finish_time, one.at_user, one.examined, one.total_users, one.examined_users),
            *(Jsonb(dict(counts)) for counts in (one.outcomes, one.fields, one.refreshes, one.sessions)),
            *key,
        ),
    )
    await tx.execute(
        """UPDATE policy_simulation_users SET is_affected = true
            WHERE tenant_id = %s AND simulation_id = %s AND user_id = ANY(%s)""",
        (*key, sorted(found.affected)),
    )
    for finding in found.findings[: await _room(tx, one, "policy_simulation_findings")]:
        await tx.execute(
            """INSERT INTO policy_simulation_findings
                   (tenant_id, simulation_id, event_id, time, user_id, client_id, label, was, would)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                *(*key, finding.event_id, finding.time, finding.user_id, finding.client_id, finding.label),
                *(Jsonb(dict(finding.was)), Jsonb(dict(finding.would))),
            ),
        )
    sessions = found.session_findings[: await _room(tx, one, "policy_simulation_sessions")]
    for session in sessions:
        await tx.execute(
            """INSERT INTO policy_simulation_sessions
                   (tenant_id, simulation_id, session_id, user_id, client_id, create_time, label, reason, was_end_time,
                    was_end_reason, would_end_time, would_end_latest_time)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (*key, *astuple(session)),
        )


async def findings(db: Database, one: Simulation, *, limit: int) -> Sequence[Finding]:
    """The first sign-ins of a simulation that would have gone otherwise, by time."""
    rows = await db.fetch_all(
        """SELECT event_id, time, user_id, client_id, label, was, would FROM policy_simulation_findings
            WHERE tenant_id = %s AND simulation_id = %s ORDER BY time, event_id LIMIT %s""",
        (one.tenant_id, one.simulation_id, limit),
    )
    return [Finding(**row) for row in rows]


async def sessions(db: Database, one: Simulation, *, limit: int) -> Sequence[SessionFinding]:
    """The first sessions of a simulation that would have gone otherwise, by their begin."""
    rows = await db.fetch_all(
        """SELECT session_id, user_id, client_id, create_time, label, reason, was_end_time, was_end_reason,
                  would_end_time, would_end_latest_time
             FROM policy_simulation_sessions
            WHERE tenant_id = %s AND simulation_id = %s ORDER BY create_time, session_id LIMIT %s""",
        (one.tenant_id, one.simulation_id, limit),
    )
    return [SessionFinding(**row) for row in rows]


async def users(db: Database, one: Simulation, *, limit: int) -> tuple[int, Sequence[str]]:
    """How many users are concerned, and the first of them by id."""
    rows = await db.fetch_all(
        """SELECT user_id, count(*) OVER () AS n FROM policy_simulation_users
            WHERE tenant_id = %s AND simulation_id = %s AND is_affected ORDER BY user_id LIMIT %s""",
        (one.tenant_id, one.simulation_id, limit),
    )
    return (int(rows[0]["n"]) if rows else 0), [row["user_id"] for row in rows]


async def _room(tx: Transaction, one: Simulation, table: LiteralString) -> int:
    """How many more are kept in a table of findings."""
    row = await tx.fetch_one(
        f"SELECT count(*) AS n FROM {table} WHERE tenant_id = %s AND simulation_id = %s",
        (one.tenant_id, one.simulation_id),
    )
    return max(MOST_FINDINGS - (0 if row is None else int(row["n"])), 0)


def _simulation(row: Row) -> Simulation:
    return Simulation(scope=Scope(kind=row.pop("scope_kind"), id=row.pop("scope_id")), **row)
