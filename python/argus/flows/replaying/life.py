"""A session of the past: how it went, and how it would have gone."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from argus.base.factor_kinds import has_counting_factor
from argus.base.policy import Policy
from argus.policies.conditions import Facts
from argus.policies.model import EffectivePolicy
from argus.policies.simulation_model import SessionFinding, SessionLabel
from argus.sessions.model import EndReason, Session, whole_second
from argus.sessions.replayed import ReplayedEnd, ReplayedSession

BY_POLICY: Final = frozenset({EndReason.IDLE_TIMEOUT, EndReason.ABSOLUTE_TIMEOUT, EndReason.LIMIT})
"""Reasons of ends that follow from a policy; all others are somebody's doing, and stay."""


@dataclass(slots=True, kw_only=True)
class Life:
    """A session that history has, or that would have begun.

    Attributes:
        session: As history has it in the end; None: it never began.
        one: As it would have gone.
        facts: What is known of it.
        own: What it would live by.
        was_own: What it lived by.
        auth_time: When its user proved itself last.
        stepped_up: At a refresh a higher level would have been asked for; the reason.
        trust: How far it was trusted at the proof, as limits count it; None: not known.
        is_in_doubt: It is not known whether it would have begun, or would live.
    """

    session: Session | None
    one: ReplayedSession
    facts: Facts
    own: EffectivePolicy
    was_own: EffectivePolicy
    auth_time: datetime
    stepped_up: str = ""
    trust: int | None = None
    is_in_doubt: bool = False

    def is_over(self, at: datetime) -> bool | None:
        """Whether it would be over by then; None: that is not known."""
        known = self.one.is_over(at)
        if self.is_in_doubt:
            return True if known else None
        if self.session is not None and at < self.one.absolute:
            end = self.was_end(at)
            if end is None and self.one.never_shorter:
                return False
            if end is not None and end[1] is EndReason.IDLE_TIMEOUT and self.one.never_longer:
                return True
        return known

    def was_end(self, until: datetime) -> tuple[datetime, EndReason] | None:
        """When it ended in fact, and why; None: not by then."""
        if self.session is None:
            return None
        ended = self.session if self.session.has_ended else self.session.as_of(until)
        if ended.end_time is None or ended.end_reason is None or ended.end_time > until:
            return None
        return ended.end_time, ended.end_reason

    def over(self) -> ReplayedEnd:
        """How it ends by its deadlines; where no use of it was given another time, as it did."""
        end = self.one.over()
        known = self.was_end(end.last)
        if known is not None and known[1] is end.reason and self.one.never_shorter and self.one.never_longer:
            return replace(end, first=known[0], last=known[0])
        return end

    def lacks(self, policy: Policy) -> str:
        """What of the required level has not been proved: "ACR", "SECOND_FACTOR"; "": nothing."""
        if (self.facts.acr or 0) < policy.required_acr:
            return "ACR"
        lacks_kind = policy.required_acr > 1 and not has_counting_factor(self.facts.amr or (), policy.second_factor)
        return "SECOND_FACTOR" if lacks_kind else ""

    def finding(self, until: datetime) -> SessionFinding:
        """What has become of it by the end of the time that is looked at, and what would have."""
        was, would = self.was_end(until), self.one.end
        if would is not None and would.first >= until:
            would = None
        label, reason = self._compared(was, would)
        return SessionFinding(
            session_id=self.one.session_id,
            user_id=self.facts.user_id,
            client_id=self.one.client_id,
            create_time=self.one.created,
            label=label,
            reason=reason,
            was_end_time=was[0] if was else None,
            was_end_reason=was[1].name if was else "",
            would_end_time=would.first if would else None,
            would_end_latest_time=would.last if would else None,
        )

    def _compared(self, was: tuple[datetime, EndReason] | None, would: ReplayedEnd | None) -> tuple[SessionLabel, str]:
        if self.session is None or self.is_in_doubt:
            return ("NOT_KNOWN" if self.is_in_doubt else "BEGINS"), ""
        reason = would.reason.name if would and would.reason else ""
        if would is not None and (was is None or whole_second(would.last) < whole_second(was[0])):
            return "ENDS_EARLIER", reason
        if was is not None and (would is None or whole_second(would.first) > whole_second(was[0])):
            return "LIVES_ON", reason
        if was is None or would is None or would.reason is was[1]:
            return self._same()
        return "NOT_KNOWN", ""

    def _same(self) -> tuple[SessionLabel, str]:
        return ("STEP_UP", self.stepped_up) if self.stepped_up else ("SAME", "")
