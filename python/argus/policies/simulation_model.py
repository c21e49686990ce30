"""Simulations: what would have become of the sign-ins, refreshes and sessions of a time under another policy."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from argus.base.errors import ArgusError, Code
from argus.policies.model import Document, Scope
from argus.v1.errors_pb2 import ErrorReason

Label = Literal[
    "SAME", "STEP_UP", "ALLOW", "GIVEN_OTHERWISE", "DENIED_BY_LIMIT", "CHOICE_NEEDED", "NOT_KNOWN", "NOT_RECORDED"
]
RefreshLabel = Literal["SAME", "STEP_UP", "ALLOW", "ENDED", "NOT_KNOWN"]
SessionLabel = Literal["SAME", "STEP_UP", "ENDS_EARLIER", "LIVES_ON", "NEVER_BEGINS", "BEGINS", "NOT_KNOWN"]

LABELS: Final[tuple[Label, ...]] = (
    *("SAME", "STEP_UP", "ALLOW", "GIVEN_OTHERWISE", "DENIED_BY_LIMIT", "CHOICE_NEEDED", "NOT_KNOWN", "NOT_RECORDED"),
)
"""What may have become of a sign-in."""

REFRESH_LABELS: Final[tuple[RefreshLabel, ...]] = ("SAME", "STEP_UP", "ALLOW", "ENDED", "NOT_KNOWN")
"""What may have become of a refresh."""

SESSION_LABELS: Final[tuple[SessionLabel, ...]] = (
    *("SAME", "STEP_UP", "ENDS_EARLIER", "LIVES_ON", "NEVER_BEGINS", "BEGINS", "NOT_KNOWN"),
)
"""What may have become of a session."""

MOST_FINDINGS: Final = 1000
"""Findings of a kind that are kept of a simulation; all are counted."""

_OUTCOME: Final = "outcome"
_UNTOUCHED: Final = ("SAME", "NOT_KNOWN", "NOT_RECORDED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A policy that is tried on what happened in a time.

    Attributes:
        scope: Whose policy the document stands in for.
        document: What is tried.
        begin_time: What happened from here on is looked at.
        end_time: What happened before this is.
        author: Who began it.
        finish_time: When it was through; None: it goes on.
        at_user: Users up to this one were looked at.
        total: How many sign-ins there are to be looked at.
        examined: How many were looked at.
        total_users: How many users there are to be looked at; None: they have not been listed yet.
        examined_users: How many were looked at.
        outcomes: How many sign-ins by label.
        fields: How many would have met another value, by field.
        refreshes: How many refreshes by label.
        sessions: How many sessions by label and, after a colon, the reason of the end.
    """

    tenant_id: str
    simulation_id: str
    scope: Scope
    document: Document
    begin_time: datetime
    end_time: datetime
    author: str
    create_time: datetime
    finish_time: datetime | None = None
    at_user: str = ""
    total: int
    examined: int = 0
    total_users: int | None = None
    examined_users: int = 0
    outcomes: Mapping[str, int]
    fields: Mapping[str, int]
    refreshes: Mapping[str, int] = field(default_factory=dict)
    sessions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A sign-in that would have gone otherwise.

    Attributes:
        event_id: The event that has it.
        was: What was decided.
        would: What would have been.
    """

    event_id: str
    time: datetime
    user_id: str
    client_id: str
    label: Label
    was: Mapping[str, Any]
    would: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFinding:
    """A session that would have gone otherwise.

    Attributes:
        reason: Why it would have ended, or what would have been asked for; empty: not known, or it lives.
        was_end_time: When it ended; None: not by the end of the time that is looked at.
        was_end_reason: Why.
        would_end_time: When it would have, at the earliest; None: not by then.
        would_end_latest_time: At the latest: uses between two refreshes are not recorded.
    """

    session_id: str
    user_id: str
    client_id: str
    create_time: datetime
    label: SessionLabel
    reason: str
    was_end_time: datetime | None
    was_end_reason: str
    would_end_time: datetime | None
    would_end_latest_time: datetime | None

    @property
    def time(self) -> datetime:
        """When it would have gone otherwise."""
        return min(time for time in (self.would_end_time, self.was_end_time, self.create_time) if time is not None)


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found out about a user, or several."""

    examined: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[str] = field(default_factory=Counter)
    sessions: Counter[str] = field(default_factory=Counter)
    affected: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    session_findings: list[SessionFinding] = field(default_factory=list)

    def sign_in(self, one: Finding) -> None:
        """A sign-in was looked at."""
        self.examined += 1
        self.outcomes[one.label] += 1
        if one.label in _UNTOUCHED:
            return
        self.fields.update(compare(one.was, one.would)[1])
        self.affected.add(one.user_id)
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(one)

    def not_recorded(self) -> None:
        """An older version did not keep what a sign-in was decided by."""
        self.examined += 1
        self.outcomes["NOT_RECORDED"] += 1

    def refresh(self, user_id: str, label: RefreshLabel) -> None:
        """A refresh was looked at."""
        self.refreshes[label] += 1
        if label not in _UNTOUCHED:
            self.affected.add(user_id)

    def session(self, one: SessionFinding) -> None:
        """A session was looked at, from its begin to its end."""
        self.sessions[f"{one.label}:{one.reason}" if one.reason else one.label] += 1
        if one.label in _UNTOUCHED:
            return
        self.affected.add(one.user_id)
        if len(self.session_findings) < MOST_FINDINGS:
            self.session_findings.append(one)

    def add(self, other: "Found") -> None:
        """Takes in what was found out about others."""
        self.examined += other.examined
        self.outcomes += other.outcomes
        self.fields += other.fields
        self.refreshes += other.refreshes
        self.sessions += other.sessions
        self.affected |= other.affected
        self.findings += other.findings[: MOST_FINDINGS - len(self.findings)]
        self.session_findings += other.session_findings[: MOST_FINDINGS - len(self.session_findings)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A simulation with what it has found by now.

    Attributes:
        affected: How many users are concerned.
        users: The first of them.
        findings: The first sign-ins that would have gone otherwise.
        sessions: The first sessions that would have.
    """

    simulation: Simulation
    affected: int
    users: Sequence[str]
    findings: Sequence[Finding]
    sessions: Sequence[SessionFinding]


class PolicySimulationNotFoundError(ArgusError):
    """The tenant has no such simulation."""

    def __init__(self, simulation_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_POLICY_SIMULATION_NOT_FOUND,
            f"simulation {simulation_id} was not found; they are kept for 30 days",
            simulationId=simulation_id,
        )


def compare(was: Mapping[str, Any], would: Mapping[str, Any]) -> tuple[Label, list[str]]:
    """What would have become of a sign-in, and the fields that would have been others.

    A field that is in one of them alone was not decided by then: it says nothing.
    """
    differing = [key for key in was if key in would and was[key] != would[key]]
    if _OUTCOME in differing:
        label: Label = would[_OUTCOME]
        return label, [key for key in differing if key != _OUTCOME]
    return ("GIVEN_OTHERWISE" if differing else "SAME"), differing
