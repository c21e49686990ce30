"""Holds living sessions to the policies that are in force for them by now: rows and records alike.

The row is written first and kept until the record says the same, as in a rebuild: nothing that was read before can be
written after. Nothing is asked in the hot calls: they go by the record, whose policy is the one of now.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.place import Place
from argus.devices.service import Devices
from argus.flows.contexts import origin_of
from argus.flows.policy_facts import facts_of_living, is_trusted
from argus.internal.v1.engine_pb2 import NeedsFlow
from argus.networks.service import Networks
from argus.policies.service import Policies
from argus.sessions.governing_store import Governed, GoverningStore
from argus.sessions.model import Session
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.users.model import UserNotFoundError
from argus.users.service import Users

CHANGED: Final = "session.policy_changed"
"""Event of a session that goes on under another policy."""


class Governing:
    """Policies of living sessions."""

    def __init__(
        self,
        db: Database,
        store: GoverningStore,
        sessions: SessionStore,
        policies: Policies,
        users: Users,
        devices: Devices,
        networks: Networks,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._store = store
        self._sessions = sessions
        self._policies = policies
        self._users = users
        self._devices = devices
        self._networks = networks
        self._now = now

    async def judge(self, need: NeedsFlow) -> None:
        """Holds a session that is being refreshed to what the rules of policies say of it now.

        Where the refresh does not say where it comes from, the place counts that the session was last seen at.

        Raises:
            UnavailableError: A store is away; nothing was decided.
        """
        session = await self._sessions.get(need.tenant_id, need.user_id, need.session_id)
        if session is None or session.has_ended:
            return  # the engine says so
        origin = origin_of(need)
        place = self._networks.look_up(origin.ip_address) if origin.ip_address else session.place
        governed = await self.policies_of(need.tenant_id, [session], places={session.session_id: place})
        if governed:  # else nothing is to be written
            async with self._db.transaction(origin, now=self._now()) as tx:
                await self.govern(tx, governed, reason="RULE")

    async def policies_of(
        self, tenant_id: str, sessions: Sequence[Session], *, places: Mapping[str, Place] | None = None
    ) -> list[Governed]:
        """Those of a tenant's sessions that are to go on under another policy, each with it.

        Args:
            tenant_id: The tenant.
            sessions: The sessions.
            places: Where they are used, by their ids; others count as used where they were last seen.
        """
        user_ids = {session.user_id for session in sessions}
        groups = dict(await asyncio.gather(*(self._groups(tenant_id, user_id) for user_id in user_ids)))
        devices = await self._devices.find_all(tenant_id, [one.device_id for one in sessions if one.device_id])
        now = self._now()

        async def govern(session: Session) -> Governed | None:
            place = (places or {}).get(session.session_id, session.place)
            joined = groups[session.user_id]
            trusted = None
            if session.device_id:
                trusted = await is_trusted(self._policies, devices.get(session.device_id), joined, now=now)
            facts = facts_of_living(session, joined, place, device_trusted=trusted, now=now)
            own = session.policy_revision
            held = await self._policies.for_living(tenant_id, facts, own=own)
            if held.revision == own:
                return None
            before = await self._policies.by_revision(tenant_id, own)
            return Governed(
                session=session,
                policy_revision=held.revision,
                absolute=held.policy.absolute,
                access=before.access,
            )

        return [one for one in await asyncio.gather(*map(govern, sessions)) if one is not None]

    async def govern(self, tx: Transaction, governed: Sequence[Governed], *, reason: str) -> None:
        """Lets sessions go on under other policies; records say so before the transaction ends.

        Raises:
            UnavailableError: A store is away.
        """
        if not governed:
            return
        now = self._now()
        before = {one.session.session_id: one.session.policy_revision for one in governed}
        written = await self._store.write(tx, governed, now=now)
        for session in written:
            tx.record(_event(session, before[session.session_id], reason), time=now)
        await self._store.bring(written)

    async def _groups(self, tenant_id: str, user_id: str) -> tuple[str, Sequence[str]]:
        with suppress(UserNotFoundError):
            return user_id, (await self._users.get(tenant_id, user_id)).groups
        return user_id, ()


def system_origin(tenant_id: str) -> Origin:
    """On nobody's behalf: a policy was changed, and sessions follow it."""
    return Origin(tenant_id=tenant_id, actor="system:policies", request_id="")


def _event(session: Session, before: int, reason: str) -> Event:
    return Event(
        type=CHANGED,
        reason=reason,
        user_id=session.user_id,
        session_id=session.session_id,
        client_id=session.client_id,
        data={"before": str(before), "revision": str(session.policy_revision)},
    )
