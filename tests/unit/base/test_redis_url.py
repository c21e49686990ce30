"""Addresses of Redis: one grammar, and messages that repeat nothing of what was written."""

import pytest

from argus.base.redis_url import RedisUrl


def test_one_server() -> None:
    url = RedisUrl.parse("rediss://argus:p%40ss@redis.example.com/3?protocol=3")
    assert (url.hosts, url.service, url.is_encrypted) == ((("redis.example.com", 6379),), "", True)
    assert (url.username, url.password) == ("argus", "p@ss")
    assert RedisUrl.parse("redis://127.0.0.1:7000").hosts == (("127.0.0.1", 7000),)


def test_a_service_under_sentinel() -> None:
    url = RedisUrl.parse(
        "rediss+sentinel://argus:p%2Fss@one,two:26380,[::1]:5/main?db=2&sentinel_username=s&sentinel_password=q%26"
    )
    assert url.hosts == (("one", 26379), ("two", 26380), ("::1", 5))
    assert (url.service, url.is_encrypted, url.database) == ("main", True, 2)
    assert (url.sentinel_username, url.sentinel_password) == ("s", "q&")
    assert url.at("10.0.0.1", 6379) == "rediss://argus:p%2Fss@10.0.0.1:6379/2"
    assert url.at("fd00::1", 6379) == "rediss://argus:p%2Fss@[fd00::1]:6379/2"


def test_a_data_node_is_addressed_in_the_same_grammar() -> None:
    url = RedisUrl.parse("redis+sentinel://:p:w@one/main")
    node = RedisUrl.parse(url.at("two", 6380))
    assert (node.hosts, node.username, node.password) == ((("two", 6380),), "", "p:w")
    assert RedisUrl.parse("redis+sentinel://one/main").at("two", 1) == "redis://two:1/0"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("localhost:6379", "redis\\+sentinel://"),
        ("postgresql://canary", "redis\\+sentinel://"),
        ("redis+sentinel://one,two", "name the service"),
        ("redis+sentinel://one/canary/more", "name the service"),
        ("redis+sentinel://one,one/main", "named once"),
        ("redis+sentinel:///main", "host and port"),
        ("redis+sentinel://one,,two/main", "host and port"),
        ("redis+sentinel://one:canary/main", "host and port"),
        ("redis+sentinel://one/main?db=canary", "db must be a number"),
        ("redis+sentinel://one/main?canary=1", "1 unknown option"),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        RedisUrl.parse(text)
    assert "canary" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    url = RedisUrl.parse("redis+sentinel://u:canary@one/main?sentinel_password=canary")
    assert "canary" not in repr(url)
