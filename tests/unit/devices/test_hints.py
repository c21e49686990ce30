"""Client hints: what they tell that user agents do not, and when the two can't both be true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.devices.model import DeviceTraits
from argus.devices.prints.model import LEAST_SHARED, WEIGHTS, likeness, print_of
from argus.devices.traits import HINTS, MAX_COMPONENT, MAX_COMPONENTS, Hints, traits_of

CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 {}Safari/537.36"
WINDOWS = CHROME.format("Windows NT 10.0; Win64; x64", "")
MAC = CHROME.format("Macintosh; Intel Mac OS X 10_15_7", "")
LINUX = CHROME.format("X11; Linux x86_64", "")
PHONE = CHROME.format("Linux; Android 10; K", "Mobile ")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
BRANDS = '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'
FULL = '"Chromium";v="142.0.7444.60", "Google Chrome";v="142.0.7444.60", "Not_A Brand";v="99.0.0.0"'


@pytest.mark.parametrize(
    ("user_agent", "platform", "said", "version"),
    [
        (WINDOWS, "Windows", "15.0.0", "11"),
        (WINDOWS, "Windows", "13.0.0", "11"),
        (WINDOWS, "Windows", "10.0.0", "10"),
        (WINDOWS, "Windows", "1.0.0", "10"),
        # Older than 10, and which it is nobody says.
        (WINDOWS, "Windows", "0.3.0", ""),
        (WINDOWS, "Windows", "", ""),
        (MAC, "macOS", "26.1.0", "26.1"),
        (MAC, "macOS", "15.7.2", "15.7.2"),
        (PHONE, "Android", "16.0.0", "16"),
        (LINUX, "Linux", "", ""),
        (MAC, "macOS", "nonsense", ""),
        (MAC, "macOS", "1.2.3.4.5", ""),
    ],
)
def test_the_platform_s_version_is_the_hint_s(user_agent: str, platform: str, said: str, version: str) -> None:
    traits = traits_of(user_agent, Hints(ua=BRANDS, platform=f'"{platform}"', platform_version=f'"{said}"'))
    assert traits.os_version == version
    assert not traits.contradicts


def test_the_browser_s_version_is_the_whole_one_where_it_is_told() -> None:
    assert traits_of(WINDOWS).browser_version == "142"
    assert traits_of(WINDOWS, Hints(ua=BRANDS)).browser_version == "142"
    assert traits_of(WINDOWS, Hints(ua=BRANDS, full_version_list=FULL)).browser_version == "142.0.7444.60"


@pytest.mark.parametrize(
    ("user_agent", "hints"),
    [
        (WINDOWS, Hints(platform='"macOS"')),
        (MAC, Hints(platform='"Windows"')),
        (PHONE, Hints(platform='"iOS"')),
        (WINDOWS, Hints(mobile="?1")),
        (PHONE, Hints(mobile="?0")),
        (WINDOWS, Hints(ua=BRANDS.replace("142", "139"))),
        # Only Chromium sends hints.
        (FIREFOX, Hints(ua=BRANDS)),
    ],
)
def test_what_can_t_both_be_true_contradicts(user_agent: str, hints: Hints) -> None:
    assert traits_of(user_agent, hints).contradicts


@pytest.mark.parametrize(
    ("user_agent", "hints"),
    [
        (WINDOWS, Hints()),
        (WINDOWS, Hints(ua=BRANDS, full_version_list=FULL, platform='"Windows"', mobile="?0")),
        (PHONE, Hints(ua=BRANDS, platform='"Android"', mobile="?1")),
        # A tablet that asks for desktop pages.
        (LINUX, Hints(ua=BRANDS, platform='"Android"', mobile="?0")),
        (LINUX.replace("X11; Linux", "X11; Ubuntu; Linux"), Hints(platform='"Linux"')),
        (WINDOWS, Hints(platform='"Fuchsia"')),
        ("", Hints(ua=BRANDS, platform='"Windows"', mobile="?1")),
        (WINDOWS, Hints(ua="nonsense")),
    ],
)
def test_what_only_one_of_them_tells_contradicts_nothing(user_agent: str, hints: Hints) -> None:
    assert not traits_of(user_agent, hints).contradicts


def test_hints_alone_tell_what_they_can() -> None:
    traits = traits_of("", Hints(ua=BRANDS, platform='"macOS"', platform_version='"15.1"', mobile="?0"))
    assert (traits.os, traits.os_version, traits.browser, traits.browser_version) == (
        "Mac OS X",
        "15.1",
        "Chrome",
        "142",
    )


@pytest.mark.parametrize(
    ("user_agent", "app"),
    [
        ("Notes/4.2.1 (iPhone; iOS 26.4; Scale/3.00)", "Notes/4.2.1"),
        (WINDOWS, ""),
        ("okhttp/4.12.0", ""),
        ("Dalvik/2.1.0 (Linux; U; Android 15)", ""),
        ("", ""),
    ],
)
def test_an_application_that_names_itself_is_known(user_agent: str, app: str) -> None:
    assert traits_of(user_agent).app == app
    assert traits_of(user_agent, app="Mail/7").app == "Mail/7"


@given(st.text(), st.builds(Hints, **{name: st.text() for name in HINTS}), st.dictionaries(st.text(), st.text()))
def test_nothing_that_is_sent_breaks_it(user_agent: str, hints: Hints, fingerprint: dict[str, str]) -> None:
    traits = traits_of(user_agent, hints, fingerprint=fingerprint)
    assert len(traits.fingerprint) <= MAX_COMPONENTS
    assert all(len(value) <= MAX_COMPONENT for value in traits.fingerprint.values())
    assert traits.os_version.isascii()


MACHINES = st.dictionaries(st.sampled_from(sorted(WEIGHTS)), st.sampled_from("abc"))


@given(MACHINES, MACHINES)
def test_likeness_is_the_weight_of_what_is_the_same(one: dict[str, str], other: dict[str, str]) -> None:
    """Against the plainest model: the values themselves."""
    shared = [name for name in one if name in other]
    known = sum(WEIGHTS[name] for name in shared)
    same = sum(WEIGHTS[name] for name in shared if one[name] == other[name])
    score = likeness(print_of(b"key", "t", one), print_of(b"key", "t", other))
    assert score == (None if known < LEAST_SHARED else pytest.approx(same / known))
    assert score == likeness(print_of(b"key", "t", other), print_of(b"key", "t", one))


def test_what_is_kept_differs_by_tenant_and_by_component() -> None:
    components = dict.fromkeys(WEIGHTS, "same") | {"canvas": "not one that counts"}
    kept = print_of(b"key", "t", components)
    assert kept.keys() == WEIGHTS.keys()
    assert len(set(kept.values())) == len(WEIGHTS)
    assert not set(kept.values()) & set(print_of(b"key", "u", components).values())


def test_a_device_without_a_browser_is_called_by_its_application() -> None:
    assert DeviceTraits(os="iOS", app="Notes/4.2").display_name == "Notes on iOS"
