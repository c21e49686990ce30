"""What can be asked of release data."""

from contextlib import suppress
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import structlog

from argus.patches.model import Releases
from argus.patches.sources import ReleaseDataError, read

_log = structlog.get_logger(__name__)


class Patches:
    """Patch levels by the release data of a file, or by those that Argus brings, whichever are newer."""

    def __init__(self, file: Path) -> None:
        """Reads the data.

        Args:
            file: Data that `argus patch update` has left; need not be there.
        """
        self._file = file
        self._state: tuple[int, int] | None = None
        self._releases = shipped()
        self.refresh()

    @property
    def releases(self) -> Releases:
        """The data in use."""
        return self._releases

    def refresh(self) -> bool:
        """Reads the file anew if it has changed; says whether that was so."""
        state = None
        with suppress(OSError):
            stat = self._file.stat()
            state = (stat.st_mtime_ns, stat.st_size)
        if state == self._state:
            return False
        self._state, self._releases = state, self._read()
        return True

    async def keep_fresh(self) -> None:
        """The same, for a loop."""
        self.refresh()

    def _read(self) -> Releases:
        brought = shipped()
        try:
            found = read(self._file.read_text(), before=brought, day=brought.day)
        except FileNotFoundError:
            return brought
        except (OSError, ReleaseDataError) as error:
            _log.warning("patches.unreadable", file=str(self._file), problem=str(error))
            return brought
        return found if found.day >= brought.day else brought


@cache
def shipped() -> Releases:
    """The release data that Argus brings."""
    nothing = Releases(systems_date=date.min, browsers_date=date.min)
    text = (files("argus.patches") / "data" / "releases.json").read_text()
    return read(text, before=nothing, day=date.min)


def patch_level(
    os: str, os_version: str, browser: str, browser_version: str, at: datetime
) -> tuple[int | None, bool | None]:
    """Days behind and end of life by the data that Argus brings; None is unknown."""
    found = shipped().level(os, os_version, browser, browser_version, at=at)
    return found.days_behind, found.end_of_life
