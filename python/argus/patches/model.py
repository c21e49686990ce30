"""Releases of systems and browsers, and how far a version is behind them.

Whatever the data do not tell is unknown: neither old nor fine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

Version: TypeAlias = tuple[int, ...]

TRUSTED_FOR: Final = timedelta(days=120)
"""How long after their date data are believed to know the newest release; what is newest in older ones is unknown."""

_WINDOWS: Final = "Windows"
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchLevel:
    """How far something is behind; None is unknown.

    Attributes:
        days_behind: Days since the first release that it is known to lack; 0: it lacks none.
        end_of_life: Its makers have given it up.
    """

    days_behind: int | None = None
    end_of_life: bool | None = None


UNKNOWN: Final = PatchLevel()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A line of releases of a system.

    Attributes:
        name: As "26" or "11-25h2".
        builds: Versions that systems of it tell in its place ("10.0.26200").
        end: Last day of it; None: not known to have one.
        latest: Newest release of it; "": not known.
        latest_date: Day of that.
    """

    name: str
    builds: Sequence[str] = ()
    end: date | None = None
    latest: str = ""
    latest_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """The releases of a browser.

    Attributes:
        releases: Versions with their days.
        kept: Older versions that still get patches of their own, without saying so in their version.
        is_over: There will be no more.
    """

    releases: Sequence[tuple[str, date]]
    kept: frozenset[str] = frozenset()
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """All that is known, and of which day.

    Attributes:
        systems: Cycles by family, as devices call it.
        browsers: By family.
    """

    systems_date: date
    browsers_date: date
    systems: Mapping[str, Sequence[Cycle]] = field(default_factory=dict)
    browsers: Mapping[str, Browser] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """The older of the two days."""
        return min(self.systems_date, self.browsers_date)

    def level(
        self,
        os: str,
        os_version: str,
        browser: str = "",
        browser_version: str = "",
        *,
        patch_version: str = "",
        at: datetime,
    ) -> PatchLevel:
        """The patch level of a device: the worse of its system and its browser, as far as they are known.

        Args:
            os: Family, as "iOS".
            os_version: Its version; "": unknown.
            browser: Family, as "Chrome Mobile"; "": none, or unknown.
            browser_version: Its version.
            patch_version: Day of the system's security patches, as Android tells it.
            at: The time.
        """
        system = self.of_system(os, os_version, patch_version=patch_version, at=at.date())
        program = self.of_browser(browser, browser_version, at=at.date())
        days = [one.days_behind for one in (system, program) if one.days_behind is not None]
        ends = (system.end_of_life, program.end_of_life)
        # A browser that goes on says nothing of a system that nobody knows.
        return PatchLevel(days_behind=max(days, default=None), end_of_life=True if True in ends else system.end_of_life)

    def of_system(self, os: str, version: str, *, patch_version: str = "", at: date) -> PatchLevel:
        """The patch level of an operating system."""
        told = _days_since_next_month(patch_version, at)
        cycles = _cycles(self.systems.get(os, ()), os, version)
        if not cycles:
            return PatchLevel(days_behind=told)
        ends = [one.end is not None and one.end < at for one in cycles]
        if not all(ends):
            # Of several cycles that it may be, some have ended: nobody knows.
            over = None if any(ends) else False
            days = told if told is not None else self._days_in(cycles[0], version, at) if len(cycles) == 1 else None
            return PatchLevel(days_behind=days, end_of_life=over)
        end = max(one.end for one in cycles if one.end is not None)
        lacking = self._days_in(cycles[0], version, at) if len(cycles) == 1 else None
        return PatchLevel(days_behind=max((at - end).days, lacking or 0, told or 0), end_of_life=True)

    def of_browser(self, browser: str, version: str, *, at: date) -> PatchLevel:
        """The patch level of a browser."""
        found, number = self.browsers.get(browser), read_version(version)
        if found is None or not number:
            return UNKNOWN
        if found.is_over:
            end = max((day for _, day in found.releases), default=at)
            return PatchLevel(days_behind=max((at - end).days, 0), end_of_life=True)
        known = {one: day for text, day in found.releases if day <= at and (one := read_version(text))}
        lacking = [day for one, day in known.items() if one > number and one[: len(number)] != number]
        if not lacking:
            is_known = any(number[: len(one)] == one for one in known)
            return PatchLevel(
                days_behind=self._none_lacking(self.browsers_date, at) if is_known else None, end_of_life=False
            )
        is_kept = any(number[: len(one)] == one for one in map(read_version, found.kept))
        return PatchLevel(days_behind=None if is_kept else (at - min(lacking)).days, end_of_life=False)

    def _days_in(self, cycle: Cycle, version: str, at: date) -> int | None:
        """Days since the newest release of a cycle, if the version is an older one."""
        number, latest = read_version(version), read_version(cycle.latest)
        if not latest or cycle.latest_date is None or len(number) <= len(read_version(cycle.name)) < len(latest):
            return None
        if number >= latest:
            return self._none_lacking(self.systems_date, at)
        return max((at - cycle.latest_date).days, 0)

    def _none_lacking(self, known: date, at: date) -> int | None:
        return 0 if at - known <= TRUSTED_FOR else None


def read_version(text: str) -> Version:
    """The numbers of a version; none for what is no version."""
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() and part.isascii() for part in parts) else ()


def _cycles(cycles: Sequence[Cycle], os: str, version: str) -> list[Cycle]:
    """Those that a version may be of: the one of the longest name, or several of Windows, which tells only "11"."""
    if not version:
        return []
    if os == _WINDOWS:
        builds = [one for one in cycles if any(_is_of(version, build) for build in one.builds)]
        return builds or [one for one in cycles if one.name.partition("-")[0] == version]
    found = [one for one in cycles if _is_of(version, one.name)]
    return sorted(found, key=lambda one: len(one.name))[-1:]


def _is_of(version: str, line: str) -> bool:
    return version == line or version.startswith(f"{line}.")


# Makers' builds may have the patches of a month before it begins.
_AHEAD: Final = timedelta(days=31)


def _days_since_next_month(patch_version: str, at: date) -> int | None:
    """Android's patches come every month: what has those of one lacks those of the next."""
    try:
        day = date.fromisoformat(patch_version)
    except ValueError:
        return None
    if day > at + _AHEAD:  # of no release there is; a device can say anything
        return None
    following = date(day.year + day.month // _MONTHS, day.month % _MONTHS + 1, 1)
    return max((at - following).days, 0)
