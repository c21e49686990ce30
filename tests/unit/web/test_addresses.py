"""Whom the edge believes about a browser's address."""

from ipaddress import ip_network

import pytest
from starlette.requests import Request

from argus.web.browser.addresses import Addresses

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def request(peer: str, **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": named, "client": (peer, 1234)})


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "203.0.113.9", "192.0.2.7"),  # anybody may send it
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # what is left of it, the browser wrote
        ("10.0.0.1", "203.0.113.9, 10.1.1.1, 10.2.2.2", "203.0.113.9"),
        ("10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, secret", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("fd00::1", "fe80::1%eth0", "fd00::1"),
    ],
)
def test_proxies_that_are_named_are_believed(peer: str, forwarded: str, address: str) -> None:
    behind = Addresses(is_behind_door=True, proxies=PROXIES)
    assert behind.of(request("", x_argus_door_peer=peer, x_forwarded_for=forwarded)) == address
    without = Addresses(is_behind_door=False, proxies=PROXIES)
    assert without.of(request(peer, x_argus_door_peer="192.0.2.99", x_forwarded_for=forwarded)) == address


def test_without_a_word_of_the_door_the_address_is_unknown() -> None:
    assert Addresses(is_behind_door=True).of(request("127.0.0.1")) is None
    assert Addresses(is_behind_door=True).of(request("127.0.0.1", x_argus_door_peer="door")) is None
