"""A user agent tells type, system and browser; what it does not tell is unknown, never guessed."""

import pytest

from argus.devices.model import DeviceTraits
from argus.devices.traits import MAX_USER_AGENT, traits_of

CASES = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36": (
        "desktop",
        "Windows",
        "Chrome",
    ),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Safari/605.1.15": (
        "desktop",
        "Mac OS X",
        "Safari",
    ),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1": ("phone", "iOS", "Mobile Safari"),
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1": ("tablet", "iOS", "Mobile Safari"),
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile "
    "Safari/537.36": ("phone", "Android", "Chrome Mobile"),
    "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36": (
        "tablet",
        "Android",
        "Chrome",
    ),
    "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/7.0 TV Safari/537.36": (
        "tv",
        "Tizen",
        "Safari",
    ),
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": ("bot", "", "Googlebot"),
    "curl/8.5.0": ("other", "", "curl"),
}


@pytest.mark.parametrize("user_agent", CASES)
def test_a_known_user_agent_tells_what_it_is(user_agent: str) -> None:
    traits = traits_of(user_agent)
    assert (traits.type, traits.os, traits.browser) == CASES[user_agent]


@pytest.mark.parametrize("user_agent", ["", "   ", "a", "\u00e4" * 5000])
def test_what_is_not_known_is_empty(user_agent: str) -> None:
    traits = traits_of(user_agent)
    assert (traits.type, traits.os, traits.browser, traits.display_name) == ("", "", "", "")


def test_only_the_beginning_is_looked_at() -> None:
    assert len(traits_of("x" * 100_000).user_agent.encode()) == MAX_USER_AGENT
    assert len(traits_of("\u00e4" * 100_000).user_agent.encode()) <= MAX_USER_AGENT


def test_a_device_without_a_name_is_called_by_what_it_is() -> None:
    assert DeviceTraits(os="iOS", browser="Safari").display_name == "Safari on iOS"
    assert DeviceTraits(browser="curl").display_name == "curl"
