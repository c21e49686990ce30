"""What trust in a device makes of its state."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """What is known of the state of a device; None is unknown.

    Attributes:
        integrity_bad: It was tampered with.
        integrity_until: From then on that is unknown again.
        end_of_life: What it runs has been given up by its makers.
        patch_days: Days that its software is behind the newest release.
        patch_until: From then on these two are what it says of itself: so long somebody else's word counts; None: they
            are that already.
        own_end_of_life: By what it says of itself.
        own_patch_days: Likewise.
    """

    integrity_bad: bool | None = None
    integrity_until: datetime | None = None
    end_of_life: bool | None = None
    patch_days: int | None = None
    patch_until: datetime | None = None
    own_end_of_life: bool | None = None
    own_patch_days: int | None = None

    def at(self, now: datetime) -> Self:
        """What still counts of it."""
        known = self
        if self.integrity_until is not None and now > self.integrity_until:
            known = replace(known, integrity_bad=None)
        if self.patch_until is not None and now > self.patch_until:
            known = replace(known, end_of_life=self.own_end_of_life, patch_days=self.own_patch_days)
        return known


UNKNOWN_STATE: Final = DeviceState()
"""Nothing is known."""
