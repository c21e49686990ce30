"""Simulations: what a policy would have decided of the sign-ins of a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from argus.base.errors import ArgusError, Code
from argus.policies.model import Document, Scope
from argus.v1.errors_pb2 import ErrorReason

Label = Literal["SAME", "STEP_UP", "ALLOW", "GIVEN_OTHERWISE"]

LABELS: Final[tuple[Label, ...]] = ("SAME", "STEP_UP", "ALLOW", "GIVEN_OTHERWISE")
"""What may have become of a sign-in."""

_OUTCOME: Final = "outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A policy that is tried on the sign-ins of a time.

    Attributes:
        scope: Whose policy the document stands in for.
        document: What is tried.
        begin_time: Sign-ins from here on are looked at.
        end_time: Those before this are.
        author: Who began it.
        finish_time: When it was through; None: it goes on.
        at_time: Time of the last decision that was looked at.
        at_id: Its event.
        total: How many there are to be looked at.
        examined: How many were looked at.
        outcomes: How many by label.
        fields: How many would have met another value, by field.
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
    at_time: datetime
    at_id: str = ""
    total: int
    examined: int = 0
    outcomes: Mapping[str, int]
    fields: Mapping[str, int]


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
class Report:
    """A simulation with what it has found by now.

    Attributes:
        affected: How many users are concerned.
        users: The first of them.
        findings: The first sign-ins that would have gone otherwise.
    """

    simulation: Simulation
    affected: int
    users: Sequence[str]
    findings: Sequence[Finding]


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
        label: Label = "ALLOW" if would[_OUTCOME] == "ALLOW" else "STEP_UP"
        return label, [key for key in differing if key != _OUTCOME]
    return ("GIVEN_OTHERWISE" if differing else "SAME"), differing
