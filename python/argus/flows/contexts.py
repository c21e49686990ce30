"""Judges a session's use in another context than the last one that was good.

The engine asks only where the context has changed, and the policy wants to know. What is judged good is kept: in
PostgreSQL for the next change, and as a digest in the record, so that the engine asks no more. A context for which a
step-up is asked for stays refused until the step-up has been made in it; a session that never comes back to be judged
is as it was: nothing is marked.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from argus._core import context_prints
from argus.base.addresses import in_one_form
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.policy import Policy
from argus.contexts.model import Change, Context, ContextChangedError, Response, checks_context, is_in, verdict
from argus.contexts.store import ContextStore, KnownContext
from argus.flows.terminate import Terminate
from argus.internal.v1.engine_pb2 import NeedsFlow
from argus.networks.service import Networks
from argus.policies.service import Policies
from argus.sessions.errors import SessionEndedError, TokenInvalidError
from argus.sessions.live_store import LiveSessions
from argus.sessions.model import EndReason, Session
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.v1.types_pb2 import ClientContext

# A client that does not give up is told in the audit so often, and no more.
_TOLD_FOR: Final = timedelta(minutes=10)


class Contexts:
    """The contexts that sessions are used in."""

    def __init__(
        self,
        db: Database,
        store: ContextStore,
        sessions: SessionStore,
        live: LiveSessions,
        policies: Policies,
        terminate: Terminate,
        networks: Networks,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._store = store
        self._sessions = sessions
        self._live = live
        self._policies = policies
        self._terminate = terminate
        self._networks = networks
        self._now = now

    async def judge(self, need: NeedsFlow) -> None:
        """Lets a use of a session in a changed context pass, or not.

        Raises:
            TokenInvalidError: There is no such session.
            ContextChangedError: The user must prove itself there.
            SessionEndedError: The policy ends the session.
            UnavailableError: A store is away; nothing was decided.
        """
        session = await self._sessions.get(need.tenant_id, need.user_id, need.session_id)
        if session is None:
            raise TokenInvalidError
        policy = await self.in_force(session)
        listed = policy.listed_networks
        known = await self._store.get(session.tenant_id, session.session_id)
        known = known or KnownContext(context=self._began(session, listed))
        known = replace(known, context=known.context.placed(self._networks.look_up))
        here = self._context(need.context.context, listed)
        changes = known.context.changes(here)
        response, change = verdict(policy, changes)
        origin = origin_of(need)
        if change is not None and response in ("step_up", "end"):
            await self._refuse(session, known, need, response, change, origin)
        async with self._db.transaction(origin, now=self._now()) as tx:
            if change is not None and response == "signal":
                tx.record(_event(session, change, response, known.context, here))
            await self._keep(tx, session, known.context.after(here))
        await self._live.rate(session, need.context.family, context=need.context.digest)

    async def begin(self, tx: Transaction, session: Session, policy: Policy, origin: Origin) -> None:
        """Keeps the context that a session begins in, where a policy asks for it."""
        if checks_context(policy):
            await self._keep(tx, session, self._here(policy, origin))

    async def step_up(self, tx: Transaction, session: Session, policy: Policy, origin: Origin) -> None:
        """Keeps the context that a step-up was made in, where a policy asks for it; what it leaves open stays."""
        if checks_context(policy):
            known = await self._store.get(session.tenant_id, session.session_id, reader=tx)
            before = known.context if known else self._began(session, policy.listed_networks)
            await self._keep(tx, session, before.after_step_up(self._here(policy, origin)))

    def _here(self, policy: Policy, origin: Origin) -> Context:
        place = self._networks.look_up(origin.ip_address)
        return Context(
            device_strong=origin.device_strong or None,
            device_weak=origin.device_weak or None,
            country=place.country,
            network_class=place.network_class,
            is_listed=is_in(policy.listed_networks, origin.ip_address, place),
            country_address=origin.ip_address,
            network_address=origin.ip_address,
        )

    async def _keep(self, tx: Transaction, session: Session, context: Context) -> None:
        await self._store.put(tx, session.tenant_id, session.session_id, context, now=self._now())

    async def in_force(self, session: Session) -> Policy:
        """What the session lives by now, as in the engine."""
        return await self._policies.held(session.tenant_id, session.policy_revision, session.client_id)

    async def _refuse(
        self,
        session: Session,
        known: KnownContext,
        need: NeedsFlow,
        response: Response,
        change: Change,
        origin: Origin,
    ) -> None:
        digest, now = need.context.digest, self._now()
        is_told = (
            known.refused_digest == digest and known.refused_time is not None and now < known.refused_time + _TOLD_FOR
        )
        if not is_told or need.context.refresh:
            async with self._db.transaction(origin, now=now) as tx:
                if not is_told:
                    here = self._context(need.context.context, [])
                    tx.record(_event(session, change, response, known.context, here))
                    await self._store.refuse(
                        tx, session.tenant_id, session.session_id, known.context, digest=digest, now=now
                    )
                if need.context.refresh and response == "step_up":
                    tx.record(_refused_refresh(session, change))
        if response == "end":
            await self._terminate.session(
                session.tenant_id,
                session.user_id,
                session.session_id,
                reason=EndReason.RISK,
                comment=change,
                origin=origin,
            )
            raise SessionEndedError(EndReason.RISK)
        raise ContextChangedError(change)

    def _context(self, context: ClientContext, listed: Sequence[str]) -> Context:
        strong, weak = context_prints(context.SerializeToString())
        address = in_one_form(context.ip_address)
        place = self._networks.look_up(address)
        return Context(
            device_strong=strong or None,
            device_weak=weak or None,
            country=place.country,
            network_class=place.network_class,
            is_listed=is_in(listed, address, place),
            country_address=address,
            network_address=address,
        )

    def _began(self, session: Session, listed: Sequence[str]) -> Context:
        """The context of a session that began before a policy asked for one: by its address and browser."""
        return self._context(ClientContext(ip_address=session.ip_address or "", user_agent=session.user_agent), listed)


def _event(session: Session, change: Change, response: Response, before: Context, now: Context) -> Event:
    places = {"country_before": before.country, "country": now.country, "network_before": before.network_class}
    facts = {name: fact for name, fact in {**places, "network": now.network_class}.items() if fact}
    return Event(
        type="session.context_changed",
        outcome="success" if response == "signal" else "failure",
        reason=change,
        user_id=session.user_id,
        session_id=session.session_id,
        client_id=session.client_id,
        data={"response": response, **facts},
    )


def _refused_refresh(session: Session, change: Change) -> Event:
    return Event(
        type="refresh.step_up_required",
        outcome="failure",
        reason=change,
        user_id=session.user_id,
        session_id=session.session_id,
        client_id=session.client_id,
    )


def origin_of(need: NeedsFlow) -> Origin:
    """On whose behalf the engine asks for a context or for rules to be judged."""
    change = need.context
    return Origin(
        tenant_id=need.tenant_id,
        actor=f"client:{change.caller}",
        request_id=change.request_id,
        ip_address=in_one_form(change.context.ip_address),
    )
