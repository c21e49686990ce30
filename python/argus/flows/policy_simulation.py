"""Tries policies on what users did in a time: the same decisions as live, of the facts of then.

What the other scopes say is what they said then; groups are those that the user had. Any process carries a simulation
on, some users at a time, each batch in one transaction with what it found: one that is killed loses nothing and counts
nothing twice.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from argus.audit.model import AuditEvent
from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.events import Event
from argus.base.ids import new_id, simulation_name
from argus.base.origin import Origin
from argus.flows.replaying.lives import Lives
from argus.flows.replaying.replay import DECIDED, OF_TENANT, OF_USER, Replay
from argus.policies import simulation_store as store
from argus.policies.model import Document, Scope, check_document
from argus.policies.past import PolicyPast
from argus.policies.resolve import Layer
from argus.policies.service import Policies
from argus.policies.simulation_model import Found, PolicySimulationNotFoundError, Report, Simulation
from argus.sessions.model import Session
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.users.model import UserNotFoundError
from argus.users.service import Users

_KEPT: Final = timedelta(days=30)
_SPAN: Final = timedelta(days=7)
_BATCH: Final = 50
_PAGE: Final = 500
_SHOWN: Final = 100


class PolicySimulations:
    """Simulations of all tenants."""

    def __init__(
        self, db: Database, policies: Policies, audit: Audit, sessions: SessionStore, users: Users, *, now: Now
    ) -> None:
        self._db = db
        self._policies = policies
        self._audit = audit
        self._sessions = sessions
        self._users = users
        self._now = now

    async def start(
        self,
        tenant_id: str,
        scope: Scope,
        document: Document,
        *,
        begin: datetime | None,
        end: datetime | None,
        origin: Origin,
    ) -> Report:
        """Begins a simulation.

        Args:
            tenant_id: The tenant.
            scope: Whose policy the document stands in for.
            document: What is tried.
            begin: What happened from here on; None: in the last seven days.
            end: What happened before this; None: until now.
            origin: On whose behalf.

        Raises:
            InvalidPolicyError: The document can't be set.
            InvalidFieldError: The time is empty.
            ClientNotFoundError: The tenant has no such client; of groups and users alike.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_document(document, field="candidate.document")
        now = self._now()
        until = min(end or now, now)
        since = begin or until - _SPAN
        if since >= until:
            raise InvalidFieldError("begin_time", "must be before end_time and in the past")
        simulation = Simulation(
            tenant_id=tenant_id,
            simulation_id=new_id(),
            scope=scope,
            document=document,
            begin_time=since,
            end_time=until,
            author=origin.actor,
            create_time=now,
            total=await self._audit.count(tenant_id, types=DECIDED, since=since, until=until),
            outcomes={},
            fields={},
        )
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(simulation_name(tenant_id, simulation.simulation_id))
            await self._policies.scopes.check(tenant_id, scope, tx)
            await store.forget(tx, before=now - _KEPT)
            await store.add(tx, simulation)
            data = {"scope": f"{scope.kind}:{scope.id}", "simulation": simulation.simulation_id}
            tx.record(Event(type="policy.simulated", data=data), time=now)
        return Report(simulation=simulation, affected=0, users=(), findings=(), sessions=())

    async def get(self, tenant_id: str, simulation_id: str) -> Report:
        """A simulation with what it has found by now.

        Raises:
            PolicySimulationNotFoundError: There is none.
        """
        simulation = await store.find(self._db, tenant_id, simulation_id)
        if simulation is None:
            raise PolicySimulationNotFoundError(simulation_id)
        affected, users = await store.users(self._db, simulation, limit=_SHOWN)
        findings = await store.findings(self._db, simulation, limit=_SHOWN)
        sessions = await store.sessions(self._db, simulation, limit=_SHOWN)
        return Report(simulation=simulation, affected=affected, users=users, findings=findings, sessions=sessions)

    async def run_due(self) -> None:
        """Carries on whatever is not through, until there is nothing to do."""
        while await self._carry_on():
            pass

    async def _carry_on(self) -> bool:
        async with self._db.transaction() as tx:
            simulation = await store.take(tx)
            if simulation is None:
                return False
            if simulation.total_users is None:
                count = await store.list_users(tx, simulation, types=OF_USER)
                await store.go_on(tx, replace(simulation, total_users=count), Found())
                return True
            user_ids = await store.next_users(tx, simulation, limit=_BATCH)
            found = await self._replay(simulation, user_ids)
            await store.go_on(tx, self._after(simulation, user_ids, found), found)
        return True

    def _after(self, simulation: Simulation, user_ids: Sequence[str], found: Found) -> Simulation:
        return replace(
            simulation,
            finish_time=self._now() if len(user_ids) < _BATCH else None,
            at_user=user_ids[-1] if user_ids else simulation.at_user,
            examined=simulation.examined + found.examined,
            examined_users=simulation.examined_users + len(user_ids),
            outcomes=Counter(simulation.outcomes) + found.outcomes,
            fields=Counter(simulation.fields) + found.fields,
            refreshes=Counter(simulation.refreshes) + found.refreshes,
            sessions=Counter(simulation.sessions) + found.sessions,
        )

    async def _replay(self, simulation: Simulation, user_ids: Sequence[str]) -> Found:
        found = Found()
        if user_ids:
            candidate = Layer(kind=simulation.scope.kind, id=simulation.scope.id, document=simulation.document)
            past = PolicyPast(self._db, self._policies, simulation.tenant_id, candidate, since=simulation.begin_time)
            of_tenant = [one async for one in self._events(simulation, OF_TENANT, since=simulation.begin_time)]
            for user_id in user_ids:
                found.add(await self._replay_user(simulation, user_id, past, of_tenant))
        return found

    async def _replay_user(
        self, simulation: Simulation, user_id: str, past: PolicyPast, of_tenant: Sequence[AuditEvent]
    ) -> Found:
        living = await self._sessions.living_at(simulation.tenant_id, user_id, simulation.begin_time)
        since = min([simulation.begin_time, *(one.create_time for one in living)])
        sessions = {one.session_id: one for one in living}
        lives = Lives(
            tenant_id=simulation.tenant_id,
            user_id=user_id,
            past=past,
            since=simulation.begin_time,
            until=simulation.end_time,
            groups=await self._groups(simulation.tenant_id, user_id, since=since),
            at=since,
        )
        replay = Replay(lives=lives, sessions=sessions)
        waiting = list(of_tenant)
        async for page in self._pages(simulation, OF_USER, since=since, user_id=user_id):
            await self._find(sessions, simulation.tenant_id, user_id, page)
            for event in page:
                while waiting and waiting[0].time < event.time:
                    await replay.play(waiting.pop(0))
                await replay.play(event)
        for event in waiting:
            await replay.play(event)
        return await replay.finish()

    async def _find(
        self, sessions: dict[str, Session], tenant_id: str, user_id: str, page: Sequence[AuditEvent]
    ) -> None:
        """Reads the sessions that begin in a page of events."""
        begun = [one.session_id for one in page if one.session_id and one.session_id not in sessions]
        found = await self._sessions.find_all(tenant_id, user_id, begun) if begun else []
        sessions |= {one.session_id: one for one in found}

    async def _groups(self, tenant_id: str, user_id: str, *, since: datetime) -> Sequence[str]:
        """The user's groups at a time: those of now, less what happened since. Nobody keeps those of a deleted user."""
        try:
            groups = set((await self._users.get(tenant_id, user_id)).groups)
        except UserNotFoundError:
            return ()
        changes = ("group.member_added", "group.member_removed")
        events = [
            one
            async for page in self._audit.pages(
                tenant_id, types=changes, since=since, until=self._now(), user_id=user_id, size=_PAGE
            )
            for one in page
        ]
        for event in reversed(events):
            (groups.discard if event.type == changes[0] else groups.add)(event.data["group"])
        return sorted(groups)

    async def _events(
        self, simulation: Simulation, types: Sequence[str], *, since: datetime
    ) -> AsyncIterator[AuditEvent]:
        async for page in self._pages(simulation, types, since=since):
            for event in page:
                yield event

    def _pages(
        self, simulation: Simulation, types: Sequence[str], *, since: datetime, user_id: str = ""
    ) -> AsyncIterator[Sequence[AuditEvent]]:
        return self._audit.pages(
            simulation.tenant_id, types=types, since=since, until=simulation.end_time, user_id=user_id, size=_PAGE
        )
