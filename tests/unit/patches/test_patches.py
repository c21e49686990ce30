"""How far a version is behind: by releases that are made up here, so that every number can be counted by hand."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.patches.model import Browser, Cycle, PatchLevel, Releases, read_version
from argus.patches.service import Patches, patch_level, shipped
from argus.patches.sources import ReleaseDataError, read, write
from tests.support.vectors import data_path

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)
RELEASES = Releases(
    systems_date=date(2026, 3, 1),
    browsers_date=date(2026, 3, 1),
    systems={
        "iOS": [
            Cycle(name="26", latest="26.4.1", latest_date=date(2026, 3, 21)),
            Cycle(name="18", latest="18.7.5", latest_date=date(2026, 3, 1)),
            Cycle(name="17", end=date(2026, 1, 1), latest="17.7.7", latest_date=date(2025, 5, 1)),
        ],
        "Android": [Cycle(name="16"), Cycle(name="9", end=date(2022, 1, 1))],
        "Windows": [
            Cycle(name="11-25h2", builds=("10.0.26200",), end=date(2027, 10, 12)),
            Cycle(name="11-22h2", builds=("10.0.22621",), end=date(2025, 10, 14)),
            Cycle(name="10-22h2", builds=("10.0.19045",), end=date(2025, 10, 14)),
        ],
    },
    browsers={
        "Chrome": Browser(
            releases=[("140", date(2026, 1, 1)), ("141", date(2026, 2, 1)), ("142", date(2026, 3, 1))],
        ),
        "Firefox": Browser(
            releases=[("140", date(2026, 1, 1)), ("141", date(2026, 2, 1)), ("142", date(2026, 3, 1))],
            kept=frozenset({"140"}),
        ),
        "IE": Browser(releases=[("11", date(2013, 10, 17))], is_over=True),
    },
)
UNKNOWN = PatchLevel()

SYSTEMS = {
    ("iOS", "26.4.1"): (0, False),
    ("iOS", "26.4"): (10, False),
    ("iOS", "26.3.2"): (10, False),
    ("iOS", "18.7.4"): (30, False),
    ("iOS", "18.7.5"): (0, False),
    # Lacks nothing of its cycle, which has ended.
    ("iOS", "17.7.7"): (89, True),
    ("iOS", "17.1"): (334, True),
    # Which one of the cycle it is, it does not say.
    ("iOS", "26"): (None, False),
    ("iOS", "27.0"): (None, None),
    ("iOS", ""): (None, None),
    ("", "26.4.1"): (None, None),
    ("iOS", "nonsense"): (None, None),
    ("Android", "16"): (None, False),
    ("Android", "9"): (1550, True),
    ("Windows", "10"): (168, True),
    # Some of what it may be has ended, some has not.
    ("Windows", "11"): (None, None),
    ("Windows", "10.0.26200.1"): (None, False),
    ("Windows", "10.0.22621"): (168, True),
}


@pytest.mark.parametrize("system", SYSTEMS, ids=" ".join)
def test_a_system_is_behind_by_the_days_since_what_it_lacks(system: tuple[str, str]) -> None:
    level = RELEASES.level(*system, at=AT)
    assert (level.days_behind, level.end_of_life) == SYSTEMS[system]


BROWSERS = {
    ("Chrome", "142.0.7444.60"): 0,
    ("Chrome", "141"): 30,
    ("Chrome", "140.1"): 58,
    ("Chrome", "143"): None,
    ("Chrome", ""): None,
    ("Firefox", "140.0"): None,  # it may be one that is kept for a year
    ("Firefox", "141.0"): 30,
    ("Lynx", "2.9"): None,
}


@pytest.mark.parametrize("browser", BROWSERS, ids=" ".join)
def test_a_browser_is_behind_since_the_first_release_that_it_lacks(browser: tuple[str, str]) -> None:
    level = RELEASES.level("", "", *browser, at=AT)
    assert level == PatchLevel(days_behind=BROWSERS[browser])


def test_the_worse_of_system_and_browser_counts() -> None:
    assert RELEASES.level("iOS", "26.4", "Chrome", "141", at=AT) == PatchLevel(days_behind=30, end_of_life=False)
    assert RELEASES.level("iOS", "26.4", "", "", at=AT) == PatchLevel(days_behind=10, end_of_life=False)
    # That the browser goes on says nothing of a system that nobody knows.
    assert RELEASES.level("", "", "Chrome", "142", at=AT) == PatchLevel(days_behind=0)
    level = RELEASES.level("", "", "IE", "11", at=AT)
    assert level.end_of_life
    assert level == RELEASES.level("iOS", "26.4.1", "IE", "11", at=AT)


def test_what_is_newest_in_old_data_is_not_called_new() -> None:
    later = AT + timedelta(days=120)
    assert RELEASES.level("iOS", "26.4.1", at=later) == PatchLevel(end_of_life=False)
    assert RELEASES.level("", "", "Chrome", "142", at=later) == UNKNOWN
    # What was behind stays behind.
    assert RELEASES.level("iOS", "26.4", at=later) == PatchLevel(days_behind=130, end_of_life=False)


@pytest.mark.parametrize(
    ("patches", "days"),
    [
        ("2026-03-05", 0),
        ("2026-02-05", 30),
        ("2025-12-05", 89),
        ("soon", None),
        ("2026-09-05", None),
        ("9999-12-31", None),
    ],
)
def test_monthly_patches_lack_those_of_the_next_month(patches: str, days: int | None) -> None:
    level = RELEASES.level("Android", "16", patch_version=patches, at=AT)
    assert level == PatchLevel(days_behind=days, end_of_life=False)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=2), st.sampled_from([("iOS", "26.4"), ("iOS", "17.1")]))
def test_time_makes_nothing_newer(days: list[int], system: tuple[str, str]) -> None:
    earlier, later = (RELEASES.level(*system, at=AT + timedelta(days=one)).days_behind for one in sorted(days))
    assert earlier is not None
    assert later is not None
    assert earlier <= later


@given(st.text(), st.text() | st.dates().map(str), st.text(), st.text())
def test_nothing_that_a_device_says_breaks_it(os: str, version: str, browser: str, browser_version: str) -> None:
    for family in (os, "iOS", "Windows"):
        RELEASES.level(family, version, browser, browser_version, patch_version=version, at=AT)
        RELEASES.level(family, version, "Chrome", browser_version, at=AT)


def test_a_version_is_numbers() -> None:
    assert read_version("10.15.7") == (10, 15, 7)
    assert [read_version(text) for text in ("", "a", "1..2", "１", "-1")] == [()] * 5


def test_what_is_written_is_read_again() -> None:
    kept = write(RELEASES)
    again = read(kept, before=shipped(), day=date(2020, 1, 1))
    assert write(again) == kept
    assert again.level("iOS", "26.4", at=AT) == RELEASES.level("iOS", "26.4", at=AT)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "argus.releases/1"}', '{"chrome": 1}', '{"ios": [{}]}'])
def test_what_is_no_release_data_is_refused(text: str) -> None:
    with pytest.raises(ReleaseDataError):
        read(text, before=RELEASES, day=date(2026, 3, 1))


def test_data_are_of_the_day_that_they_say_themselves() -> None:
    """A package that is weeks old, or was kept by a mirror, is not of the day on which it was brought."""
    whole = {
        "__meta": {"version": "8.1.9", "timestamp": "2026-11-12T14:10:29.391Z"},
        "browsers": {"chrome": {"releases": {"157": {"release_date": "2026-11-03", "status": "current"}}}},
    }
    assert read(json.dumps(whole), before=RELEASES, day=date(2027, 3, 1)).browsers_date == date(2026, 11, 12)
    del whole["__meta"]
    assert read(json.dumps(whole), before=RELEASES, day=date(2027, 3, 1)).browsers_date == date(2027, 3, 1)


def test_what_argus_brings_is_what_the_sources_say() -> None:
    """The shipped data are made of both files, of every family that Argus knows."""
    day = date(2026, 8, 22)
    systems = read(data_path("patch/endoflife-os-browser.json").read_text(), before=shipped(), day=day)
    brought = shipped()
    assert brought.systems_date == day
    for family, cycles in brought.systems.items():
        assert set(cycles) <= set(systems.systems[family])
    browsers = read(data_path("patch/mdn-browser-releases.json").read_text(), before=systems, day=day)
    for family, browser in brought.browsers.items():
        assert set(browser.releases) <= set(browsers.browsers[family].releases)
        assert browser.is_over == browsers.browsers[family].is_over == (family == "IE")


def test_the_data_that_argus_brings_answer_for_people_s_devices() -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    assert patch_level("iOS", "26.6.1", "", "", at) == (0, False)
    assert patch_level("iOS", "26.5", "", "", at) == (15, False)
    assert patch_level("Mac OS X", "13.7.8", "", "", at)[1] is True
    assert patch_level("Windows", "10", "", "", at) == (322, True)
    assert patch_level("Windows", "", "Chrome", "120.0.1.2", at)[1] is None


def test_a_newer_file_counts_and_a_broken_or_older_one_does_not(tmp_path: Path) -> None:
    file = tmp_path / "releases.json"
    patches = Patches(file)
    assert patches.releases is shipped()
    newer = Releases(systems_date=date(2030, 1, 1), browsers_date=date(2030, 1, 1), systems=RELEASES.systems)
    file.write_text(write(newer))
    assert patches.refresh()
    assert patches.releases.day == date(2030, 1, 1)
    file.write_text("broken")
    assert patches.refresh()
    assert patches.releases is shipped()
    file.write_text(write(RELEASES))
    patches.refresh()
    assert patches.releases is shipped()
