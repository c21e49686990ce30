"""The most common user agents: each gets a type, a system and a browser, and none of them is a bot; crawlers are."""

import json
from collections import Counter

import pytest

from argus.devices.traits import traits_of
from tests.support.vectors import data_path

DESKTOP, MOBILE = "ua/desktop.json", "ua/mobile.json"


def user_agents(name: str) -> list[str]:
    found = json.loads(data_path(name).read_text("utf-8"))
    return [one if isinstance(one, str) else one["ua"] for one in found]


def test_each_of_the_hundred_most_common_has_a_type_a_system_and_a_browser() -> None:
    kinds: Counter[str] = Counter()
    for name, types in ((DESKTOP, {"desktop"}), (MOBILE, {"phone", "tablet"})):
        for user_agent in user_agents(name):
            traits = traits_of(user_agent)
            assert traits.os, user_agent
            assert traits.browser, user_agent
            assert traits.browser_version or "Web" in traits.browser, user_agent
            assert traits.type in types, (traits.type, user_agent)
            assert not traits.contradicts
            kinds[traits.type] += 1
    assert kinds.total() == 100


@pytest.mark.parametrize("name", [DESKTOP, MOBILE])
def test_versions_that_are_frozen_are_unknown(name: str) -> None:
    """Whoever runs something newer than what everybody says must not count as old."""
    for user_agent in user_agents(name):
        traits = traits_of(user_agent)
        if any(frozen in user_agent for frozen in ("Windows NT 10.0", "10_15_7", "Android 10; K", "CrOS")):
            assert traits.os_version == "", user_agent


def test_crawlers_are_hardly_ever_taken_for_people() -> None:
    """Those that say what they are. A figure, not a defence: whoever lies is found by other means."""
    crawlers = json.loads(data_path("ua/crawler-user-agents.json").read_text("utf-8"))
    types = Counter(traits_of(one["instances"][0]).type for one in crawlers if one.get("instances"))
    assert types["bot"] / types.total() > 0.5, types
