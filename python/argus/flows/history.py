"""How a session stood at an earlier moment: out of the session as it is known now, and its audit rows.

A session is never alive again once it is over, so its end says of every moment whether it was alive. What changes back
and forth (contested or not, the level that was proved) stands in the audit, and policies keep from when on each was in
force. What a single call said of itself is kept nowhere: floors of trust and rules for contexts are not looked back at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from argus.audit.model import AuditEvent, EventFilter
from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.factor_kinds import has_counting_factor
from argus.base.policy import Policy
from argus.flows.governing import CHANGED
from argus.policies.living import held_to
from argus.policies.service import Policies, PolicyThen
from argus.sessions.errors import SessionNotFoundError
from argus.sessions.model import EndReason, Session, SessionState
from argus.sessions.service import Sessions

_CREATED: Final = "session.created"
_STEPPED_UP: Final = "session.stepped_up"
_CONTESTED: Final = "refresh.contested"
_TOLD: Final = (_CREATED, _STEPPED_UP, _CONTESTED, CHANGED, "session.ended")
_MOST: Final = 1000


class Decision(StrEnum):
    """What a call with a good token of the session was to be told."""

    ALLOWED = "ALLOWED"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    SESSION_ENDED = "SESSION_ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAt:
    """A session at an instant.

    Attributes:
        state: None: rows of that time are gone from the audit, and nothing else says it.
        end_time: When it was over by then; None: it was not.
        acr: Level that had been proved by then; None: rows of that time do not say.
        auth_time: When it had been proved; None: rows of that time do not say.
        policy_revision: Number of `policy`; 0: not known.
        policy: What the session went on under; None: rows of that time are gone from the audit.
        narrower: The fields of it, by their keys, that a narrower scope than the client gave.
        in_force: What was in force for its client. The tighter of both counts; of `narrower` the session's own and what
            presets demand; of the level this one's.
        is_over: It had been over by that, and nobody had found out yet.
        events: What this follows from, oldest first.
    """

    state: SessionState | None
    end_time: datetime | None
    end_reason: EndReason | None
    acr: int | None
    amr: Sequence[str]
    auth_time: datetime | None
    policy_revision: int
    policy: Policy | None
    narrower: frozenset[str]
    in_force: PolicyThen
    is_over: bool
    events: Sequence[AuditEvent]

    @property
    def decision(self) -> Decision | None:
        """What a call with an access token was to be told; None: its state, or what it lived by, is not known."""
        if self.is_over or self.state is SessionState.ENDED:
            return Decision.SESSION_ENDED
        if self.state is None or self.policy is None:
            return None
        return Decision.STEP_UP_REQUIRED if self.state is SessionState.CONTESTED else Decision.ALLOWED

    @property
    def refresh_decision(self) -> Decision | None:
        """What a refresh was to be told; None: the level that had been proved, or `decision`, is not known."""
        if self.decision is not Decision.ALLOWED:
            return self.decision
        if self.acr is None:
            return None
        required = self.in_force.effective.policy
        has_level = self.acr >= required.required_acr
        has_kind = required.required_acr <= 1 or has_counting_factor(self.amr, required.second_factor)
        return Decision.ALLOWED if has_level and has_kind else Decision.STEP_UP_REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """What had been proved."""

    family: int = 1
    acr: int | None
    amr: Sequence[str]
    auth_time: datetime | None


class SessionHistory:
    """Looks back."""

    def __init__(self, sessions: Sessions, audit: Audit, policies: Policies, *, now: Now) -> None:
        self._sessions = sessions
        self._audit = audit
        self._policies = policies
        self._now = now

    async def at(self, tenant_id: str, user_id: str, session_id: str, time: datetime) -> SessionAt:
        """How a session stood at an instant.

        Raises:
            SessionNotFoundError: The user has no such session, or it had not begun by then.
            InvalidFieldError: The instant is yet to come.
        """
        if time > self._now():
            raise InvalidFieldError("time", "is yet to come")
        session = await self._sessions.get(tenant_id, user_id, session_id)
        if time < session.create_time:
            raise SessionNotFoundError(session_id)
        found, _ = await self._audit.list_session_events(
            tenant_id, session_id, matching=EventFilter(types=_TOLD, until=time), page_size=_MOST
        )
        events = list(reversed(found))
        level = _level(session, events)
        end_time, end_reason = _end(session, time)
        revision = await self._revision(session, time)
        own = await self._policies.numbered(tenant_id, revision) if revision is not None else None
        in_force = await self._policies.for_client_at(tenant_id, session.client_id, time)
        return SessionAt(
            state=_state(session, events, level) if end_time is None else SessionState.ENDED,
            end_time=end_time,
            end_reason=end_reason,
            acr=level.acr,
            amr=level.amr,
            auth_time=level.auth_time,
            policy_revision=revision or 0,
            policy=own.policy if own else None,
            narrower=own.narrower if own else frozenset(),
            in_force=in_force,
            is_over=own is not None and _is_over(session, held_to(own, in_force.effective.policy), time),
            events=events,
        )

    async def _revision(self, session: Session, time: datetime) -> int | None:
        """What the session lived by at an instant: the first change that came later says what was before.

        None where changes may be gone: the audit is purged from its oldest rows on, and none is as old as the instant.
        """
        older, _ = await self._audit.list_session_events(
            session.tenant_id, session.session_id, matching=EventFilter(until=time), page_size=1
        )
        if not older:
            return None
        found, _ = await self._audit.list_session_events(
            session.tenant_id,
            session.session_id,
            matching=EventFilter(types=(CHANGED,), since=time),
            page_size=_MOST,
        )
        later = [one for one in found if one.time > time]
        return int(later[-1].data["before"]) if later else session.policy_revision


def _end(session: Session, time: datetime) -> tuple[datetime | None, EndReason | None]:
    """When and why it was over by then; None: it was not.

    A deadline that had passed counts, whoever may have ended the session after it.
    """
    if session.end_time is not None and session.end_time <= time:
        return session.end_time, session.end_reason
    over = session.over_since(min(session.idle_deadline, session.absolute_deadline))
    if over > time:
        return None, None
    is_absolute = session.absolute_deadline <= session.idle_deadline
    return over, EndReason.ABSOLUTE_TIMEOUT if is_absolute else EndReason.IDLE_TIMEOUT


def _is_over(session: Session, held: Policy, time: datetime) -> bool:
    """Whether a use at that instant was to find it over, by what it was held to.

    When it had been used last is known of the last use alone; whatever was used later was let go on.
    """
    return session.create_time + held.absolute <= time or session.last_active_time + held.idle <= time


def _level(session: Session, events: Sequence[AuditEvent]) -> _Level:
    """What had been proved by the last of the events; where nothing has changed since, the session says it."""
    proofs = [one for one in events if one.type == _STEPPED_UP]
    last = proofs[-1] if proofs else next((one for one in events if one.type == _CREATED), None)
    family = int(proofs[-1].data.get("family", 1)) if proofs else 1
    if family == session.family:
        return _Level(family=family, acr=session.acr, amr=session.amr, auth_time=session.auth_time)
    if last is None or "acr" not in last.data:
        return _Level(family=family, acr=None, amr=(), auth_time=None)
    return _Level(
        family=family,
        acr=int(last.data["acr"]),
        amr=last.data.get("amr", "").split(),
        auth_time=last.time if proofs else _instant(last.data.get("auth_time", "")),
    )


def _state(session: Session, events: Sequence[AuditEvent], level: _Level) -> SessionState | None:
    """Contested by a token of the family that stood then: of an older one nothing follows.

    None where a row that says so may be gone: the audit is purged from its oldest rows on, so that all is there that
    came after one which began a family.
    """
    if session.family == 1 and session.state is SessionState.ACTIVE:
        return SessionState.ACTIVE  # only another family could have ended a contest
    if not any(one.type in (_CREATED, _STEPPED_UP) for one in events):
        return None
    contested = [one for one in events if one.type == _CONTESTED]
    is_contested = any(int(one.data.get("family", level.family)) == level.family for one in contested)
    return SessionState.CONTESTED if is_contested else SessionState.ACTIVE


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
