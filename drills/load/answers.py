"""What clients were told, and which of it is allowed while something is broken."""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import grpc

from argus.server.api import Failure

_MOST_TRACES: Final = 20


class Kind(StrEnum):
    """Kinds of answers."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    """UNAVAILABLE of Argus, with RetryInfo."""
    CONNECTION = "connection"
    """UNAVAILABLE of the client's own gRPC: there is no connection."""
    SILENCE = "silence"
    """The client's own deadline passed without an answer."""
    REFUSED = "refused"
    """Anything else."""


RETRIED: Final = frozenset({Kind.UNAVAILABLE, Kind.CONNECTION, Kind.SILENCE})
"""What an honest client repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        kind: What it means to an honest client.
        method: Name of the RPC.
        server: Number of the server, from 0.
        began: When the call began; monotonic seconds.
        ended: When the answer came.
        response: The response of an OK.
        failure: What a refusal said.
    """

    kind: Kind
    method: str
    server: int
    began: float
    ended: float
    response: Any = None
    failure: Failure | None = None

    @property
    def reason(self) -> str:
        """Reason of a refusal, or the code where there is none."""
        return (self.failure.reason or self.failure.code) if self.failure else ""

    @property
    def text(self) -> str:
        """In one line; never with a token."""
        took = self.ended - self.began
        told = self.failure and f"{self.failure.code} {self.failure.reason} {self.failure.metadata}"
        return f"{self.method} at argus-{self.server + 1}: {self.kind} {told or ''} after {took:.2f} s"


def kind_of(failure: Failure) -> Kind:
    """What a failed call means to an honest client."""
    # What has no reason does not come from Argus, whose every refusal has one.
    if failure.code == grpc.StatusCode.UNAVAILABLE.name:
        if not failure.reason:
            return Kind.CONNECTION
        return Kind.UNAVAILABLE if failure.reason == "UNAVAILABLE" and failure.retry_after else Kind.REFUSED
    if failure.code == grpc.StatusCode.DEADLINE_EXCEEDED.name and not failure.reason:
        return Kind.SILENCE
    return Kind.REFUSED


@dataclass(slots=True)
class Ledger:
    """All answers of one run."""

    counts: Counter[str] = field(default_factory=Counter)
    step_ups: int = 0
    forbidden: list[str] = field(default_factory=list)
    forbidden_count: int = 0
    last_bad: float = 0.0
    last_bad_text: str = ""
    good_since: Counter[int] = field(default_factory=Counter)
    begun: float = field(default_factory=time.monotonic)

    def add(self, answer: Answer) -> None:
        """Counts an answer."""
        self.counts[answer.kind] += 1
        if answer.kind in RETRIED:
            self.last_bad, self.last_bad_text = answer.ended, answer.text
            self.good_since.clear()
        elif answer.kind is Kind.OK:
            self.good_since[answer.server] += 1

    def forbid(self, text: str, at: float | None = None) -> None:
        """Notes an answer that an honest client must never get."""
        self.forbidden_count += 1
        if len(self.forbidden) < _MOST_TRACES:
            moment = (at or time.monotonic()) - self.begun
            self.forbidden.append(f"{moment:.2f} s: {text}")
