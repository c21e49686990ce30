"""Proofs that were used up, in PostgreSQL: of a session the last one, by its `auth_time`."""

from datetime import datetime, timedelta
from typing import Final

from argus.storage.postgres import Database

_FINEST: Final = timedelta(microseconds=1)


class UsedProofs:
    """Which proof of a session has been used for something, where a policy lets each count once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def is_used(self, tenant_id: str, session_id: str, auth_time: datetime) -> bool:
        """Whether this proof, or a later one, was used."""
        row = await self._db.fetch_one(
            "SELECT 1 AS used FROM sessions WHERE tenant_id = %s AND session_id = %s AND used_proof_time >= %s",
            (tenant_id, session_id, auth_time),
        )
        return row is not None

    async def use(self, tenant_id: str, session_id: str, auth_time: datetime) -> bool:
        """Uses a proof up; True for one caller, however many try at the same time."""
        async with self._db.transaction() as tx:
            used = await tx.execute(
                """UPDATE sessions SET used_proof_time = %(proof)s
                    WHERE tenant_id = %(tenant)s AND session_id = %(session)s
                      AND (used_proof_time IS NULL OR used_proof_time < %(proof)s)""",
                {"tenant": tenant_id, "session": session_id, "proof": auth_time},
            )
        return used == 1

    async def give_back(self, tenant_id: str, session_id: str, auth_time: datetime) -> None:
        """The proof was used for nothing after all; those before it stay used."""
        async with self._db.transaction() as tx:
            await tx.execute(
                """UPDATE sessions SET used_proof_time = %s
                    WHERE tenant_id = %s AND session_id = %s AND used_proof_time = %s""",
                (auth_time - _FINEST, tenant_id, session_id, auth_time),
            )
