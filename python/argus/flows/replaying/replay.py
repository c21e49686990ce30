"""What a user did in a time, event by event, as it went and as it would have gone under another policy.

Whatever history has is taken as it was: who signed in, who refreshed, who ended a session. What follows from a policy
(a refusal, a deadline, a limit) is decided anew, and what comes after it follows. Nothing is made up: a session that
would have begun and did not is used no more, and nobody proves more than it did.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from argus.audit.model import AuditEvent
from argus.flows.create_session import limits_of
from argus.flows.deciding import LIMITED, REFUSED
from argus.flows.replaying.life import BY_POLICY, Life
from argus.flows.replaying.lives import Lives
from argus.flows.replaying.room import Place, find_place
from argus.policies.conditions import Facts
from argus.policies.decision import decide
from argus.policies.model import EffectivePolicy
from argus.policies.simulation_model import Finding, Found, Label, RefreshLabel, SessionFinding, compare
from argus.sessions.model import EndReason, Session, whole_second
from argus.sessions.replayed import ReplayedEnd, begin

CREATED: Final = "session.created"
DECIDED: Final = (CREATED, REFUSED, LIMITED)
"""Events of sign-ins."""

OF_USER: Final = (
    *DECIDED,
    *("token.refreshed", "refresh.refused", "refresh.step_up_required"),
    *("session.stepped_up", "session.ended", "user.sessions_ended"),
    *("group.member_added", "group.member_removed"),
    *("device.trusted", "device.distrusted", "device.forgotten", "device.posture_reported", "device.signalled"),
)
"""Events of a user that change what becomes of its sessions."""

OF_TENANT: Final = ("client.sessions_ended", "tenant.sessions_ended", "tenant.recovered", "group.deleted")
"""Those of nobody in particular."""

# Why a refresh was refused that a policy may have let pass.
_LEVELS: Final = frozenset({"ACR", "SECOND_FACTOR"})
_ENDS: Final = frozenset(reason.name for reason in BY_POLICY)


@dataclass(slots=True, kw_only=True)
class Replay:
    """A user's history, played once more.

    Attributes:
        lives: The user's sessions, of which none has begun yet.
        sessions: Sessions of the events that are to come, as they are known now.
    """

    lives: Lives
    sessions: Mapping[str, Session]

    async def play(self, event: AuditEvent) -> None:
        """The next event."""
        await self.lives.advance(event.time)
        match event.type:
            case "session.created" | "session.level_refused" | "session.limit_reached":
                await self._sign_in(event)
            case "token.refreshed" | "refresh.refused" | "refresh.step_up_required":
                self._refresh(event)
            case "session.stepped_up":
                self._step_up(event)
            case "session.ended":
                self._end(event)
            case "user.sessions_ended" | "client.sessions_ended" | "tenant.sessions_ended" | "tenant.recovered":
                self._end_all(event)
            case "group.member_added" | "group.member_removed" | "group.deleted":
                await self.lives.regroup(event)
            case _:
                self.lives.rate_device(event)

    async def finish(self) -> Found:
        """All events have been played: what has become of the sessions that are left."""
        await self.lives.advance(self.lives.until)
        for life in self.lives:
            over = life.is_over(self.lives.until)
            if over is None:
                life.is_in_doubt = True
            self.lives.close(life, life.over() if over else None)
        return self.lives.found

    async def _sign_in(self, event: AuditEvent) -> None:
        if event.type == LIMITED and event.data.get("on_limit") == "ask_user":
            return  # what the user chose comes with the session that began
        session = self.sessions.get(event.session_id or "")
        is_judged = event.time >= self.lives.since
        if session is None and not is_judged:
            return
        if "facts" in event.data and "decision" in event.data:
            facts = Facts.from_json(json.loads(event.data["facts"]))
            self.lives.groups = facts.groups or ()
        else:
            if is_judged:
                self.lives.found.not_recorded()
            if session is None:
                return
            facts, is_judged = _facts_of(session, self.lives.groups), False
        await self.lives.read([facts])
        at, scopes = facts.time or event.time, self.lives.scopes(facts)
        was, would = (self.lives.past.in_force(scopes, facts, at, tried=tried) for tried in (False, True))
        begins = self._judge(event, facts, would) if is_judged else True
        if begins is False:
            if session is not None:
                self.lives.found.session(_never_begins(session, self.lives.until))
        elif session is not None or event.type != CREATED:  # else it was cut short, and nobody had tokens of it
            self._begin(event, session, facts, was, would, is_in_doubt=begins is None)

    def _judge(self, event: AuditEvent, facts: Facts, policy: EffectivePolicy) -> bool | None:
        """Whether a sign-in leads to a session; None: that is not known. Whoever makes room for it has ended then."""
        was = json.loads(event.data["decision"])
        if event.type == LIMITED:
            was |= {"outcome": "DENIED_BY_LIMIT", "limit": event.data["limit"], "most": event.data["most"]}
        decision = decide(policy.policy, facts)
        would: dict[str, Any] = decision.to_json()
        begins: bool | None = decision.outcome == "ALLOW"
        label: Label | None = None
        if begins:
            limits = limits_of(policy.policy, facts.device_class)
            place = find_place(limits, facts.client_id, list(self.lives), event.time)
            begins, label = self._make_room(event, place, would)
        finding = Finding(
            event_id=event.event_id,
            time=event.time,
            user_id=self.lives.user_id,
            client_id=facts.client_id,
            label=label or compare(was, would)[0],
            was=was,
            would=would,
        )
        self.lives.found.sign_in(finding)
        return begins

    def _make_room(self, event: AuditEvent, place: Place, would: dict[str, Any]) -> tuple[bool | None, Label | None]:
        """Whether a sign-in has its place, and what is to be said of it where its decision does not say it."""
        reached = place.room.reached
        if not place.is_known:
            self.lives.doubt_all()
            return None, "NOT_KNOWN"
        if reached is not None:
            asks = reached.on_limit == "ask_user"
            would |= {"limit": reached.kind.policy_field, "most": str(reached.most)}
            would["outcome"] = "CHOICE_NEEDED" if asks else "DENIED_BY_LIMIT"
            if asks:
                self.lives.doubt_all()  # nobody knows what the user would have chosen
            return (None if asks else False), None
        session = self.sessions.get(event.session_id or "")
        at = session.create_time if session is not None else event.time
        for life in self.lives:
            if life.one.session_id in place.room.victims:
                self.lives.close(life, ReplayedEnd(first=at, last=at, reason=EndReason.LIMIT))
        return True, None

    def _begin(
        self,
        event: AuditEvent,
        session: Session | None,
        facts: Facts,
        was: EffectivePolicy,
        would: EffectivePolicy,
        *,
        is_in_doubt: bool,
    ) -> None:
        one = begin(
            session.session_id if session is not None else event.event_id,
            facts.client_id,
            facts.device_class,
            session.create_time if session is not None else event.time,
            policy=would.policy,
            was=was.policy,
        )
        life = Life(
            session=session,
            one=one,
            facts=facts,
            own=would,
            was_own=was,
            auth_time=datetime.fromisoformat(event.data["auth_time"]) if "auth_time" in event.data else one.created,
            trust=_trust(event),
            is_in_doubt=is_in_doubt,
        )
        self.lives.add(life)

    def _refresh(self, event: AuditEvent) -> None:
        is_good = event.type == "token.refreshed"
        life = self.lives.get(event.session_id)
        if life is None:
            label: RefreshLabel = "ENDED" if is_good or event.reason in _LEVELS else "SAME"
        elif is_good or event.reason in _LEVELS or event.reason in _ENDS:
            label = self._refresh_of(life, event, is_good=is_good)
        else:
            label = "SAME"  # refused for what no policy says
        if event.session_id and event.time >= self.lives.since:
            self.lives.found.refresh(self.lives.user_id, label)

    def _refresh_of(self, life: Life, event: AuditEvent, *, is_good: bool) -> RefreshLabel:
        at = event.time
        if event.ip_address:
            country, network_class = (event.data.get(name, "") for name in ("country", "network_class"))
            life.facts = replace(life.facts, country=country, network_class=network_class)
        self.lives.follow(life, at)
        over = life.is_over(at)
        if over:
            self.lives.close(life, life.over())
            return "ENDED" if is_good or event.reason in _LEVELS else "SAME"
        lacking = life.lacks(life.own.policy)
        if lacking:
            if is_good:
                life.one.not_used()
            if not is_good and event.reason in _LEVELS:
                return "SAME"
            life.stepped_up = life.stepped_up or lacking
            return "STEP_UP"
        life.one.use(at, life.own.policy, life.was_own.policy if is_good else None)
        if over is None:
            life.is_in_doubt = True
            return "NOT_KNOWN"
        return "SAME" if is_good else "ALLOW"

    def _step_up(self, event: AuditEvent) -> None:
        life = self.lives.get(event.session_id)
        if life is None:
            return
        proved = replace(life.facts, acr=int(event.data["acr"]), amr=tuple(event.data["amr"].split()))
        before, life.facts = life.facts, proved
        if life.lacks(life.own.policy):
            life.facts = before  # more would have been asked for
            life.one.not_used()
            return
        life.is_in_doubt = life.is_in_doubt or life.is_over(event.time) is None
        life.auth_time, life.trust = event.time, _trust(event)
        scopes = self.lives.scopes(life.facts)
        own, was = (
            self.lives.past.held_by_client(policy, scopes, event.time, tried=tried)
            for policy, tried in ((life.own, True), (life.was_own, False))
        )
        life.one.use(event.time, own, was, is_proof=True)

    def _end(self, event: AuditEvent) -> None:
        life = self.lives.get(event.session_id)
        if life is None or event.reason is None:
            return
        if EndReason[event.reason] in BY_POLICY and event.time >= self.lives.since:
            return  # that is decided anew
        ended = life.was_end(self.lives.until)
        self._end_by_somebody(life, ended[0] if ended else event.time, EndReason[event.reason])

    def _end_all(self, event: AuditEvent) -> None:
        reason = EndReason.__members__.get(event.reason or "", EndReason.USER_WIDE)
        for life in self.lives:
            if event.client_id in (None, life.one.client_id) and whole_second(life.one.created) <= event.time:
                self._end_by_somebody(life, event.time, reason)

    def _end_by_somebody(self, life: Life, at: datetime, reason: EndReason) -> None:
        if life.is_over(at) is None:
            life.is_in_doubt = True
        self.lives.close(life, ReplayedEnd(first=at, last=at, reason=reason))


def _facts_of(session: Session, groups: Sequence[str]) -> Facts:
    """Of a session whose begin an older version did not keep the facts of."""
    return Facts(
        time=session.create_time,
        client_id=session.client_id,
        user_id=session.user_id,
        groups=tuple(groups),
        acr=session.acr,
        amr=tuple(session.amr),
        device_class=session.device_type,
        country=session.country or "",
        network_class=session.network_class or "",
    )


def _trust(event: AuditEvent) -> int | None:
    return int(event.data["trust"]) if "trust" in event.data else None


def _never_begins(session: Session, until: datetime) -> SessionFinding:
    ended = session.end_time is not None and session.end_time <= until
    return SessionFinding(
        session_id=session.session_id,
        user_id=session.user_id,
        client_id=session.client_id,
        create_time=session.create_time,
        label="NEVER_BEGINS",
        reason="",
        was_end_time=session.end_time if ended else None,
        was_end_reason=session.end_reason.name if ended and session.end_reason else "",
        would_end_time=None,
        would_end_latest_time=None,
    )
