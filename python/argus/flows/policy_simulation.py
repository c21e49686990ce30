"""Tries policies on the sign-ins that the audit has: the same decision as live, of the facts of then.

What the other scopes say is what they said then; groups are those that the user had. Any process carries a simulation
on, batch by batch, each in one transaction with what it found: one that is killed loses nothing and counts nothing
twice.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from argus.audit.model import AuditEvent
from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.events import Event
from argus.base.ids import new_id, simulation_name
from argus.base.origin import Origin
from argus.flows.deciding import REFUSED
from argus.policies import simulation_store as store
from argus.policies.conditions import Facts
from argus.policies.decision import decide
from argus.policies.model import Document, Scope, check_document, policy_of
from argus.policies.resolve import Layer
from argus.policies.revisions import check_scope
from argus.policies.service import Policies
from argus.policies.simulation_model import (
    Finding,
    PolicySimulationNotFoundError,
    Report,
    Simulation,
    compare,
)
from argus.storage.postgres import Database

DECIDED: Final = ("session.created", REFUSED)
"""Types of the events that have a decision."""

_KEPT: Final = timedelta(days=30)
_SPAN: Final = timedelta(days=7)
_BATCH: Final = 500
_SHOWN: Final = 100


class PolicySimulations:
    """Simulations of all tenants."""

    def __init__(self, db: Database, policies: Policies, audit: Audit, *, now: Now) -> None:
        self._db = db
        self._policies = policies
        self._audit = audit
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
            begin: Sign-ins from here on; None: of the last seven days.
            end: Those before this; None: until now.
            origin: On whose behalf.

        Raises:
            InvalidPolicyError: The document can't be set.
            InvalidFieldError: The time is empty.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_scope(tenant_id, scope)
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
            at_time=since,
            total=await self._audit.count(tenant_id, types=DECIDED, since=since, until=until),
            outcomes={},
            fields={},
        )
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(simulation_name(tenant_id, simulation.simulation_id))
            await store.forget(tx, before=now - _KEPT)
            await store.add(tx, simulation)
            data = {"scope": f"{scope.kind}:{scope.id}", "simulation": simulation.simulation_id}
            tx.record(Event(type="policy.simulated", data=data), time=now)
        return Report(simulation=simulation, affected=0, users=(), findings=())

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
        return Report(simulation=simulation, affected=affected, users=users, findings=findings)

    async def run_due(self) -> None:
        """Carries on whatever is not through, until there is nothing to do."""
        while await self._carry_on():
            pass

    async def _carry_on(self) -> bool:
        async with self._db.transaction() as tx:
            simulation = await store.take(tx)
            if simulation is None:
                return False
            events = await self._audit.between(
                simulation.tenant_id,
                types=DECIDED,
                after=(simulation.at_time, simulation.at_id),
                until=simulation.end_time,
                limit=_BATCH,
            )
            judged = await asyncio.gather(*(self._judge(simulation, event) for event in events))
            findings = [one for one in judged if one is not None and one.label != "SAME"]
            await store.go_on(tx, self._after(simulation, events, judged), findings)
        return True

    def _after(
        self, simulation: Simulation, events: Sequence[AuditEvent], judged: Sequence[Finding | None]
    ) -> Simulation:
        outcomes, fields = Counter(simulation.outcomes), Counter(simulation.fields)
        for one in judged:
            outcomes[one.label if one is not None else "NOT_RECORDED"] += 1
            fields.update(compare(one.was, one.would)[1] if one is not None else ())
        return replace(
            simulation,
            finish_time=self._now() if len(events) < _BATCH else None,
            at_time=events[-1].time if events else simulation.at_time,
            at_id=events[-1].event_id if events else simulation.at_id,
            examined=simulation.examined + len(events),
            outcomes=dict(outcomes),
            fields=dict(fields),
        )

    async def _judge(self, simulation: Simulation, event: AuditEvent) -> Finding | None:
        """What would have become of a sign-in; None: an older version did not keep its facts."""
        if "facts" not in event.data or "decision" not in event.data:
            return None
        facts = Facts.from_json(json.loads(event.data["facts"]))
        was: dict[str, Any] = json.loads(event.data["decision"])
        candidate = Layer(kind=simulation.scope.kind, id=simulation.scope.id, document=simulation.document)
        layers = await self._policies.layers(
            simulation.tenant_id,
            facts.client_id,
            facts.user_id,
            facts.groups or (),
            candidate=candidate,
            at=facts.time or event.time,
        )
        would = decide(policy_of(self._policies.explain(layers, facts).fields), facts).to_json()
        return Finding(
            event_id=event.event_id,
            time=event.time,
            user_id=facts.user_id,
            client_id=facts.client_id,
            label=compare(was, would)[0],
            was=was,
            would=would,
        )
