"""What can be asked of the address databases in a folder."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import maxminddb
import structlog

from argus.base.addresses import Address, read_address
from argus.base.place import NOWHERE, Place
from argus.networks.model import BadRangesError, Credit, Ranges, join, place_of, read_ranges

CREDIT_SUFFIX: Final = ".credit.json"
"""What the name of a database's credit ends in; it begins with the whole name of the database."""

_IPV6: Final = 6
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """All files of the folder, as they were at one moment."""

    state: tuple[tuple[str, int, int], ...] = ()
    readers: Sequence[maxminddb.Reader] = ()
    ranges: Sequence[Ranges] = ()
    credits: Sequence[Credit] = ()


class Networks:
    """Address databases: every `.mmdb` in a folder, and every `.txt` with ranges.

    They are asked in the order of their names. What is not there, not readable or says nothing leaves a place unknown.
    """

    def __init__(self, folder: Path | None) -> None:
        """Opens what is there.

        Args:
            folder: Where the files are; None: there are none.
        """
        self._folder = folder
        self._opened = _Opened()
        self.refresh()

    @property
    def credits(self) -> Sequence[Credit]:
        """What must be shown where places are shown."""
        return self._opened.credits

    @property
    def is_empty(self) -> bool:
        """Nothing is installed: every place is unknown."""
        return not (self._opened.readers or self._opened.ranges)

    def look_up(self, ip: str | None) -> Place:
        """Where an address is; `NOWHERE` for one that no database knows, and for what is none."""
        address = read_address(ip) if ip else None
        if address is None:
            return NOWHERE
        opened = self._opened
        said = [Place(network_class=one.find(address)) for one in opened.ranges]
        return join([*said, *(place_of(record) for one in opened.readers if (record := _record(one, address)))])

    def refresh(self) -> bool:
        """Opens the files anew if any has changed; says whether that was so.

        The old ones are not closed here: somebody may be reading them, and they go with their last reader.
        """
        state = self._state()
        if state == self._opened.state:
            return False
        self._opened = self._open(state)
        return True

    async def keep_fresh(self) -> None:
        """The same, for a loop."""
        self.refresh()

    def _state(self) -> tuple[tuple[str, int, int], ...]:
        if self._folder is None:
            return ()
        with suppress(OSError):
            found = [(path.name, path.stat()) for path in sorted(self._folder.iterdir()) if path.is_file()]
            return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
        return ()

    def _open(self, state: tuple[tuple[str, int, int], ...]) -> _Opened:
        readers: list[maxminddb.Reader] = []
        ranges: list[Ranges] = []
        told: list[Credit] = []
        for name, _, _ in state:
            path = (self._folder or Path()) / name
            try:
                if name.endswith(".mmdb"):
                    readers.append(maxminddb.open_database(path))
                elif name.endswith(".txt"):
                    ranges.append(read_ranges(path.read_text()))
                elif name.endswith(CREDIT_SUFFIX):
                    told.append(_credit(path))
            except (OSError, ValueError, KeyError, BadRangesError, maxminddb.InvalidDatabaseError) as error:
                # The others still count; what only this one knew is unknown.
                _log.warning("networks.unreadable", file=name, problem=str(error))
        return _Opened(state=state, readers=readers, ranges=ranges, credits=list(dict.fromkeys(told)))


def write_credit(database: Path, credit: Credit, **facts: str) -> None:
    """Leaves beside a database what is to be shown with its places, and where it is from."""
    text = json.dumps({"text": credit.text, "url": credit.url, **facts}, indent=2, ensure_ascii=False)
    database.with_name(database.name + CREDIT_SUFFIX).write_text(text + "\n")


def _credit(path: Path) -> Credit:
    found = json.loads(path.read_text())
    if not isinstance(found, dict):
        raise ValueError("is no object")  # noqa: TRY004 - said with all else that is wrong with files
    url = str(found.get("url", ""))
    # It becomes a link on pages.
    return Credit(text=str(found["text"]), url=url if url.startswith("https://") else "")


def _record(reader: maxminddb.Reader, address: Address) -> dict[str, Any] | None:
    if address.version == _IPV6 and reader.metadata().ip_version != _IPV6:
        return None
    found = reader.get(address)
    return found if isinstance(found, dict) else None
