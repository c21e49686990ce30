"""Asks the policy in force what becomes of a session that is to begin, and keeps what was decided and of what."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.place import Place
from argus.base.policy import Policy
from argus.base.policy_lists import as_json
from argus.contexts.model import denied_by
from argus.flows.creations import NewSession
from argus.flows.device_states import DeviceStates
from argus.flows.floors import Floors, TrustStepUpError
from argus.flows.policy_facts import facts_of_session, is_trusted
from argus.policies.conditions import Facts
from argus.policies.decision import Decision, decide
from argus.policies.model import EffectivePolicy
from argus.policies.service import Policies
from argus.sessions.errors import LevelTooLowError
from argus.sessions.limits import ReachedLimit
from argus.storage.postgres import Database
from argus.trust.model import TrustTooLowError

REFUSED: Final = "session.level_refused"
"""Event of a session that did not begin."""

LIMITED: Final = "session.limit_reached"
"""Event of a session that had no place."""

WOULD_DIFFER: Final = "policy.would_differ"
"""Event of a policy that is only tried and would have decided otherwise."""


def judge(policy: Policy, facts: Facts, ip_address: str | None, place: Place) -> Decision:
    """What a policy decides of a sign-in at a place: where nobody may sign in no proof helps."""
    decision = decide(policy, facts)
    field = denied_by(policy, ip_address, place)
    return replace(decision, outcome="DENY", refused_by=field) if field else decision


class Deciding:
    """Decides by policy which sessions begin."""

    def __init__(self, db: Database, policies: Policies, states: DeviceStates, floors: Floors, *, now: Now) -> None:
        self._db = db
        self._policies = policies
        self._states = states
        self._floors = floors
        self._now = now

    async def decide(self, new: NewSession, place: Place, *, origin: Origin) -> tuple[EffectivePolicy, NewSession]:
        """The policy of a session that may begin, and the session with what was decided, for its event.

        Args:
            new: What it is to be.
            place: Where it is to begin, as far as that is known.
            origin: On whose behalf.

        Raises:
            LevelTooLowError: The policy requires more than was proved, or than a backend vouches for.
            UnavailableError: A store is away.
        """
        user, now = new.user, self._now()
        trusted = await is_trusted(self._policies, new.device, user.groups, now=now)
        facts = facts_of_session(new, place, device_trusted=trusted, now=now)
        policy = await self._policies.effective(
            user.tenant_id, new.client.client_id, user.user_id, user.groups, facts=facts
        )
        decision = decide(policy.policy, facts)
        told = {"facts": as_json(facts.to_json()), "decision": as_json(decision.to_json())}
        await self._report(new, policy, facts, place, origin)
        if decision.outcome != "ALLOW":
            await self._record(REFUSED, new, told, origin)
            raise LevelTooLowError(decision.required_acr, second_factor=decision.second_factor)
        return policy, replace(new, decided=told)

    async def note_limit(self, new: NewSession, reached: ReachedLimit, *, origin: Origin) -> None:
        """Records that a session did not begin that was let in but for a limit."""
        told = {
            **({"login": new.because.data["login"]} if new.because else {}),
            "limit": reached.kind.policy_field,
            "most": str(reached.most),
            "on_limit": reached.on_limit,
            **new.decided,
        }
        await self._record(LIMITED, new, told, origin)

    async def _report(
        self, new: NewSession, policy: EffectivePolicy, facts: Facts, place: Place, origin: Origin
    ) -> None:
        if policy.tried is None or origin.validate_only:
            return
        decision = await self._judged(new, policy.policy, facts, place)
        tried = await self._judged(new, policy.tried, facts, place)
        if tried != decision:
            told = {
                "facts": as_json(facts.to_json()),
                "decision": as_json(decision.to_json()),
                "tried": as_json(tried.to_json()),
            }
            await self._record(WOULD_DIFFER, new, told, origin)

    async def _judged(self, new: NewSession, policy: Policy, facts: Facts, place: Place) -> Decision:
        """What a policy would decide with all that it asks of a sign-in, trust after what has to be proved, as live."""
        decision = judge(policy, facts, new.ip_address, place)
        if decision.outcome != "ALLOW":
            return decision
        try:
            state = await self._states.of(new.device, new.traits, policy)
            await self._floors.check_trust(replace(new, state=state), policy, place)
        except TrustTooLowError:
            return replace(decision, outcome="DENY", refused_by="trust")
        except TrustStepUpError:
            return replace(decision, outcome="STEP_UP", refused_by="trust")
        return decision

    async def _record(self, event: str, new: NewSession, told: Mapping[str, str], origin: Origin) -> None:
        if origin.validate_only:
            return
        one = Event(
            type=event,
            outcome="success" if event == WOULD_DIFFER else "failure",
            user_id=new.user.user_id,
            client_id=new.client.client_id,
            data=told,
        )
        await self._db.record(origin, one, self._now())
