"""Reads release data: Argus's own file, endoflife.date's tables, MDN's browser releases."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from argus.patches.model import Browser, Cycle, Releases

_FORMAT: Final = "argus.releases/1"
_SYSTEMS: Final[Mapping[str, str]] = {
    "android": "Android",
    "debian": "Debian",
    "fedora": "Fedora",
    "ios": "iOS",
    "macos": "Mac OS X",
    "rhel": "Red Hat",
    "ubuntu": "Ubuntu",
    "windows": "Windows",
}
"""endoflife.date's products, and how devices call them."""
_BROWSERS: Final[Mapping[str, Sequence[str]]] = {
    "chrome": ("Chrome",),
    "chrome_android": ("Chrome Mobile",),
    "edge": ("Edge", "Edge Mobile"),
    "firefox": ("Firefox",),
    "firefox_android": ("Firefox Mobile",),
    "ie": ("IE",),
    "opera": ("Opera",),
    "opera_android": ("Opera Mobile",),
    "safari": ("Safari",),
    "safari_ios": ("Mobile Safari",),
    "samsunginternet_android": ("Samsung Internet",),
    "webview_android": ("Chrome Mobile WebView",),
}
"""MDN's browsers, and how user agents are called that are them."""
_RELEASED: Final = frozenset({"current", "retired", "esr"})
_NEVER: Final = "False"
_DAY_LETTERS: Final = len("2026-08-22")
_SERVICING: Final = ("lts", "iot")


class ReleaseDataError(Exception):
    """A file has no release data that can be read."""


def read(text: str, *, before: Releases, day: date) -> Releases:
    """Release data of a text in any of the three forms; what it has none of stays as it was before.

    Args:
        text: JSON.
        before: What was known.
        day: Day that it is of, where it does not say.

    Raises:
        ReleaseDataError: It is in none of them.
    """
    try:
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ReleaseDataError("say a JSON object")
        if found.get("format") == _FORMAT:
            return _own(found)
        if found.keys() & _SYSTEMS.keys() and _is_endoflife(found):
            systems = {_SYSTEMS[name]: _cycles(name, rows) for name, rows in found.items() if name in _SYSTEMS}
            browsers = _with_kept(before.browsers, found.get("firefox", ()), day)
            return replace(before, systems={**before.systems, **systems}, systems_date=day, browsers=browsers)
        releases = _mdn(found)
        if releases:
            return replace(before, browsers={**before.browsers, **releases}, browsers_date=_made(found) or day)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ReleaseDataError(f"is not release data ({type(error).__name__})") from None
    raise ReleaseDataError("is neither Argus's own release data nor endoflife.date's nor MDN's")


def write(releases: Releases) -> str:
    """Argus's own form of release data."""
    systems = {
        family: [
            {
                name: value
                for name, value in {
                    "cycle": one.name,
                    "builds": list(one.builds),
                    "end": _text(one.end),
                    "latest": one.latest,
                    "latest_date": _text(one.latest_date),
                }.items()
                if value
            }
            for one in cycles
        ]
        for family, cycles in sorted(releases.systems.items())
    }
    browsers = {
        family: {
            "releases": {version: day.isoformat() for version, day in one.releases},
            "kept": sorted(one.kept),
            "is_over": one.is_over,
        }
        for family, one in sorted(releases.browsers.items())
    }
    whole = {
        "format": _FORMAT,
        "systems_date": releases.systems_date.isoformat(),
        "browsers_date": releases.browsers_date.isoformat(),
        "systems": systems,
        "browsers": browsers,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _own(found: Mapping[str, Any]) -> Releases:
    return Releases(
        systems_date=date.fromisoformat(found["systems_date"]),
        browsers_date=date.fromisoformat(found["browsers_date"]),
        systems={
            family: tuple(
                Cycle(
                    name=one["cycle"],
                    builds=tuple(one.get("builds", ())),
                    end=_day(one.get("end")),
                    latest=one.get("latest", ""),
                    latest_date=_day(one.get("latest_date")),
                )
                for one in cycles
            )
            for family, cycles in found["systems"].items()
        },
        browsers={
            family: Browser(
                releases=tuple((version, date.fromisoformat(day)) for version, day in one["releases"].items()),
                kept=frozenset(one["kept"]),
                is_over=bool(one["is_over"]),
            )
            for family, one in found["browsers"].items()
        },
    )


def _is_endoflife(found: Mapping[str, Any]) -> bool:
    return all(isinstance(rows, list) and all("releaseCycle" in row for row in rows) for rows in found.values())


def _cycles(product: str, rows: Sequence[Mapping[str, str]]) -> Sequence[Cycle]:
    if product == "windows":
        return _windows(rows)
    return tuple(
        Cycle(
            name=row["releaseCycle"],
            end=_day(row.get("eol")),
            latest=row.get("latest", ""),
            latest_date=_day(row.get("latestReleaseDate")),
        )
        for row in rows
    )


def _windows(rows: Sequence[Mapping[str, str]]) -> Sequence[Cycle]:
    """One cycle a release: it goes on as long as any edition does that people have, and tells its build."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        name = row["releaseCycle"]
        if not any(word in name for word in _SERVICING):
            found.setdefault(name.removesuffix("-e").removesuffix("-w"), []).append(row)
    cycles = []
    for version, editions in found.items():
        ends = [_day(row.get("eol")) for row in editions]
        known = [one for one in ends if one is not None]
        builds = {row["latest"] for row in editions if row.get("latest")}
        end = max(known) if known and len(known) == len(ends) else None
        cycles.append(Cycle(name=version, builds=tuple(sorted(builds)), end=end))
    return tuple(cycles)


def _mdn(found: Mapping[str, Any]) -> dict[str, Browser]:
    """MDN's whole data (`browsers.*.releases`), or lists of version, day and state by browser."""
    browsers = found.get("browsers", found)
    made = {}
    for name, families in _BROWSERS.items():
        if name not in browsers:
            continue
        rows = [row for row in _rows(browsers[name]) if row[1] and row[2] in _RELEASED]
        states = {state for _, _, state in rows}
        releases = tuple(sorted((version, date.fromisoformat(day)) for version, day, _ in rows))
        made.update({family: Browser(releases=releases, is_over="current" not in states) for family in families})
    return made


def _made(found: Mapping[str, Any]) -> date | None:
    """The day that MDN says its data are of; None: it does not say."""
    about = found.get("__meta")
    text = about.get("timestamp") if isinstance(about, dict) else None
    return _day(text[:_DAY_LETTERS]) if isinstance(text, str) else None


def _rows(browser: Any) -> list[tuple[str, str, str]]:
    if isinstance(browser, list):
        return [(str(version), str(day), str(state)) for version, day, state in browser]
    return [
        (version, str(one.get("release_date", "")), str(one.get("status", "")))
        for version, one in browser["releases"].items()
    ]


def _with_kept(browsers: Mapping[str, Browser], rows: Sequence[Mapping[str, str]], day: date) -> Mapping[str, Browser]:
    """Firefox keeps some versions for a year, which tell no more than their number."""
    alive = [row["releaseCycle"] for row in rows if row.get("eol") == _NEVER or (_day(row.get("eol")) or day) > day]
    if "Firefox" not in browsers or not alive:
        return browsers
    return {**browsers, "Firefox": replace(browsers["Firefox"], kept=frozenset(alive[1:]))}


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None  # "False": not known to end


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""
