"""Living sessions that go on under another policy: their rows and their records."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from argus import _core
from argus.sessions.model import Session, epoch_seconds, whole_second
from argus.sessions.store import from_row
from argus.storage.columns import columns
from argus.storage.postgres import Transaction
from argus.storage.redis import Redis
from argus.storage.redis_batch import Call, call_all

# As much as an offline verifier may be behind (`last_access_expiry`).
_LEEWAY: Final = timedelta(seconds=35)
_LIVING: Final = """
    SELECT s.* FROM sessions s
     WHERE s.tenant_id = %(tenant)s AND s.state <> 'ended' AND s.session_id > %(after)s
       AND (%(since)s::timestamptz IS NULL OR GREATEST(s.create_time, s.auth_time) >= %(since)s) AND """
_OF: Final = {
    "tenant": "%(scope)s = s.tenant_id",
    "client": "s.client_id = %(scope)s",
    "user": "s.user_id = %(scope)s",
    "group": """EXISTS (SELECT 1 FROM group_members m WHERE m.tenant_id = s.tenant_id AND m.user_id = s.user_id
                           AND m.group_id = %(scope)s)""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """A session with what it goes on under.

    Attributes:
        session: As it was.
        policy_revision: What it goes on under.
        absolute: How long it may live at all by that.
        access: How long the access tokens live that were made before.
    """

    session: Session
    policy_revision: int
    absolute: timedelta
    access: timedelta


class GoverningStore:
    """Rows of the table `sessions`, and the records that go with them."""

    def __init__(self, redis: Redis, keyspace: _core.Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    @staticmethod
    async def living(
        tx: Transaction,
        tenant_id: str,
        kind: str,
        scope_id: str,
        *,
        after: str,
        size: int,
        proved_since: datetime | None = None,
    ) -> list[Session]:
        """Living sessions of a tenant, or of a client, a group or a user of it, in the order of their ids.

        Args:
            tx: The transaction.
            tenant_id: The tenant.
            kind: Whose sessions: "tenant", "client", "group" or "user".
            scope_id: Its id.
            after: Those beyond this id.
            size: Most sessions.
            proved_since: Only those whose user proved itself since, locked; None: all, and none is.
        """
        lock = "" if proved_since is None else " FOR UPDATE OF s"
        rows = await tx.fetch_all(
            _LIVING + _OF[kind] + " ORDER BY s.session_id LIMIT %(size)s" + lock,
            {"tenant": tenant_id, "scope": scope_id, "after": after, "since": proved_since, "size": size},
        )
        return [from_row(row) for row in rows]

    @staticmethod
    async def write(tx: Transaction, governed: Collection[Governed], *, now: datetime) -> list[Session]:
        """Lets sessions go on under other policies; answers those that did, as they are now, locked.

        One that has ended, or goes on under another policy than was thought, is left as it is. No deadline ever moves
        back out.
        """
        rows = sorted(governed, key=lambda one: (one.session.tenant_id, one.session.session_id))
        found = await tx.fetch_all(
            """WITH news AS (
                   SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::integer[], %s::timestamptz[],
                                        %s::timestamptz[])
                          AS n (tenant_id, session_id, was, revision, last, expiry)),
               locked AS (
                   SELECT s.tenant_id, s.session_id FROM sessions s
                     JOIN news n ON n.tenant_id = s.tenant_id AND n.session_id = s.session_id
                    WHERE s.state <> 'ended' AND s.policy_revision = n.was
                    ORDER BY s.tenant_id, s.session_id FOR UPDATE OF s)
               UPDATE sessions s SET
                   policy_revision = n.revision,
                   absolute_deadline = LEAST(s.absolute_deadline, n.last),
                   idle_deadline = LEAST(s.idle_deadline, s.absolute_deadline, n.last),
                   -- What was over before ended then.
                   shortened_time = CASE WHEN n.last >= s.absolute_deadline THEN s.shortened_time
                       ELSE GREATEST(s.shortened_time, LEAST(s.idle_deadline, s.absolute_deadline, %s)) END,
                   tokens_until = GREATEST(s.tokens_until, LEAST(n.expiry, s.absolute_deadline) + %s)
                 FROM locked l
                 JOIN news n ON n.tenant_id = l.tenant_id AND n.session_id = l.session_id
                WHERE s.tenant_id = l.tenant_id AND s.session_id = l.session_id
               RETURNING s.*""",
            (
                *columns(
                    [
                        (
                            *(one.session.tenant_id, one.session.session_id, one.session.policy_revision),
                            *(one.policy_revision, whole_second(one.session.create_time) + one.absolute),
                            now + one.access,
                        )
                        for one in rows
                    ]
                ),
                now,
                _LEEWAY,
            ),
        )
        return [from_row(row) for row in found]

    async def bring(self, sessions: Sequence[Session]) -> None:
        """Brings what rows say to the records; one that is missing has it from its rebuild.

        Raises:
            UnavailableError: Redis is away.
        """
        calls = [
            Call(
                function="govern",
                keys=[self._keyspace.session_key(one.session_id)],
                args=[one.policy_revision.to_bytes(4, "big"), epoch_seconds(one.absolute_deadline)],
            )
            for one in sessions
        ]
        await call_all(self._redis, calls)
