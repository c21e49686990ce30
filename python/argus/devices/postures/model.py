"""What is said about the state of a device, and how long it counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

Source = Literal["play_integrity", "app_attest", "tpm", "mdm"]
"""Who vouches for it."""
Integrity = Literal["passed", "failed"]
"""Whether a device was tampered with."""

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the clock of a reporting service may be ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one source says about a device; None and "" are unknown.

    Attributes:
        os: Family of the operating system.
        patch_version: Its security patches, as Android tells them ("2026-08-05").
        measured_time: When it was found out.
        reporter: Client that reported it.
    """

    source: Source
    integrity: Integrity | None = None
    disk_encrypted: bool | None = None
    screen_lock: bool | None = None
    os: str = ""
    os_version: str = ""
    patch_version: str = ""
    measured_time: datetime
    reporter: str

    def is_fresh(self, now: datetime, max_age: timedelta) -> bool:
        """It still counts."""
        return now - self.measured_time <= max_age


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """What is known of a device's state at a moment: what all fresh statements say together.

    Attributes:
        integrity: Of several sources the worst word counts.
        measured_time: Of the newest statement in it.
        reporter: Client that reported that one.
    """

    integrity: Integrity | None = None
    disk_encrypted: bool | None = None
    screen_lock: bool | None = None
    os: str = ""
    os_version: str = ""
    patch_version: str = ""
    measured_time: datetime
    reporter: str


def posture_of(statements: Iterable[Statement], *, now: datetime, max_age: timedelta) -> Posture | None:
    """The posture in force; None: nothing fresh is known. A stale statement is unknown, and never "fine".

    Args:
        statements: The newest of each source.
        now: The time.
        max_age: How long one counts (`posture_max_age`).
    """
    fresh = sorted((one for one in statements if one.is_fresh(now, max_age)), key=lambda one: one.measured_time)
    if not fresh:
        return None
    verdicts = {one.integrity for one in fresh}
    system = next((one for one in reversed(fresh) if one.os), None)
    return Posture(
        integrity="failed" if "failed" in verdicts else "passed" if "passed" in verdicts else None,
        disk_encrypted=next((one.disk_encrypted for one in reversed(fresh) if one.disk_encrypted is not None), None),
        screen_lock=next((one.screen_lock for one in reversed(fresh) if one.screen_lock is not None), None),
        # A version is one of its own system.
        os=system.os if system else "",
        os_version=system.os_version if system else "",
        patch_version=system.patch_version if system else "",
        measured_time=fresh[-1].measured_time,
        reporter=fresh[-1].reporter,
    )


class PostureRefusedError(ArgusError):
    """A report is of no use: it is too old, or older than what the source has said before."""

    def __init__(self, *, max_age: timedelta | None = None, known: datetime | None = None) -> None:
        rule = "TOO_OLD" if known is None else "SUPERSEDED"
        message = "the report is too old to count (posture_max_age); find out anew"
        facts: dict[str, Any] = {"maxAgeSeconds": int(max_age.total_seconds())} if max_age is not None else {}
        if known is not None:
            message = "a newer report of the source is known; leave this one"
            facts["knownTime"] = known.isoformat()
        super().__init__(
            Code.FAILED_PRECONDITION, ErrorReason.ERROR_REASON_POSTURE_REFUSED, message, rule=rule, **facts
        )
