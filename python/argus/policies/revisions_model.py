"""Policies of scopes and their revisions: what administrators set, and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from argus.base.errors import ArgusError, Code
from argus.policies.model import Document, Scope
from argus.v1.errors_pb2 import ErrorReason

Mode = Literal["enforced", "report_only", "inactive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopePolicy:
    """What is set for a scope.

    Attributes:
        scope: Whose it is.
        document: What is in force.
        active: Number of the revision in force; 0: none.
        report_only: Number of the one that is tried beside it; 0: none.
        earlier: Numbers of those that were in force before, the latest last.
        author: Who changed it last.
        reason: Why.
        update_time: When; None: nothing was ever set.
        version: Counts the changes; 0: there was none.
    """

    scope: Scope
    document: Document
    active: int = 0
    report_only: int = 0
    earlier: tuple[int, ...] = ()
    author: str = ""
    reason: str = ""
    update_time: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A document as it was set once; it never changes.

    Attributes:
        scope: Whose it is.
        number: Its number among the scope's, from 1.
        document: What it says.
        author: Who made it.
        reason: Why.
        create_time: When.
    """

    scope: Scope
    number: int
    document: Document
    author: str
    reason: str
    create_time: datetime


class PolicyRevisionNotFoundError(ArgusError):
    """The scope's policy has no such revision."""

    def __init__(self, number: int) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_POLICY_REVISION_NOT_FOUND,
            f"the policy has no revision {number}; ListPolicyRevisions says which there are",
            revision=number,
        )


class NoEarlierPolicyError(ArgusError):
    """There is nothing to go back to."""

    def __init__(self) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_NO_EARLIER_POLICY,
            "no revision was in force before the one that is now; set another one instead",
        )
