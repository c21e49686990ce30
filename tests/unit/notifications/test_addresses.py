"""Where something may be sent: out into the Internet over TLS, and nowhere else unless the operator allows it."""

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.notifications.endpoints.addresses import AddressRules, EndpointRefusedError

NONE = AddressRules(())
LOOPBACK = AddressRules([ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")])
OFFICE = AddressRules([ipaddress.ip_network("10.20.0.0/16")])


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://example.com/", "SCHEME"),
        ("ftp://example.com/", "SCHEME"),
        ("file:///etc/passwd", "SCHEME"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "SCHEME"),
        ("//example.com/", "SCHEME"),
        ("https:///x", "HOST"),
        ("https://example.com:0/", "HOST"),
        ("https://example.com:99999/", "HOST"),
        ("https://user:password@example.com/", "CREDENTIALS"),
        ("https://example.com@127.0.0.1/", "CREDENTIALS"),
        ("https://example.com/#x", "FRAGMENT"),
        ("https://127.0.0.1/", "PRIVATE_NETWORK"),
        ("https://10.20.1.1/", "PRIVATE_NETWORK"),
        ("https://169.254.169.254/latest/meta-data/", "PRIVATE_NETWORK"),
        ("https://192.168.1.1/", "PRIVATE_NETWORK"),
        ("https://100.64.0.1/", "PRIVATE_NETWORK"),
        ("https://0.0.0.0/", "PRIVATE_NETWORK"),
        ("https://255.255.255.255/", "PRIVATE_NETWORK"),
        ("https://224.0.0.1/", "PRIVATE_NETWORK"),
        ("https://[::1]/", "PRIVATE_NETWORK"),
        ("https://[::]/", "PRIVATE_NETWORK"),
        ("https://[fe80::1]/", "PRIVATE_NETWORK"),
        ("https://[fec0::1]/", "PRIVATE_NETWORK"),
        ("https://[fd00::1]/", "PRIVATE_NETWORK"),
        ("https://[::ffff:127.0.0.1]/", "PRIVATE_NETWORK"),
        ("https://[::ffff:10.0.0.1]/", "PRIVATE_NETWORK"),
        ("https://[64:ff9b::7f00:1]/", "PRIVATE_NETWORK"),
        ("https://[2002:7f00:1::]/", "PRIVATE_NETWORK"),
        ("https://2130706433/", "HOST"),
        ("https://127.1/", "HOST"),
        ("https://0x7f.0.0.1/", "HOST"),
        ("https://0177.0.0.1/", "HOST"),
        ("https://exämple.com/", "HOST"),
        ("https://example.com/\r\nx", "HOST"),
        ("https://example.com/" + "x" * 3000, "HOST"),
    ],
)
def test_what_is_refused(url: str, rule: str) -> None:
    with pytest.raises(EndpointRefusedError) as refused:
        NONE.check("webhook", url)
    assert (refused.value.rule, refused.value.field) == (rule, "channel.url")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://hooks.example.com:8443/a?b=c",
        "https://93.184.215.14/",
        "https://[2606:4700::1111]/",
    ],
)
def test_what_is_taken(url: str) -> None:
    assert NONE.check("webhook", url) == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost/", "https://127.0.0.1/"])
def test_what_the_operator_allows_on_this_machine(url: str) -> None:
    assert LOOPBACK.check("webhook", url) == url
    with pytest.raises(EndpointRefusedError):
        OFFICE.check("webhook", url)


def test_a_private_network_that_is_allowed_takes_tls_alone() -> None:
    assert OFFICE.check("webhook", "https://10.20.1.1/") == "https://10.20.1.1/"
    for url in ("http://10.20.1.1/", "https://10.21.1.1/"):
        with pytest.raises(EndpointRefusedError):
            OFFICE.check("webhook", url)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("smtp://user:password@mail.example.com", "CREDENTIALS"),
        ("smtp+plain://127.0.0.1:25", "SCHEME"),
        ("https://mail.example.com", "SCHEME"),
        ("smtps://10.0.0.1", "PRIVATE_NETWORK"),
    ],
)
def test_which_mail_servers_are_refused(url: str, rule: str) -> None:
    with pytest.raises(EndpointRefusedError) as refused:
        NONE.check("smtp", url)
    assert refused.value.rule == rule
    assert NONE.check("smtp", "smtps://mail.example.com") == "smtps://mail.example.com"


@given(st.ip_addresses())
def test_no_address_that_is_not_of_the_internet_is_connected_to(address: ipaddress.IPv4Address) -> None:
    """Python's own register decides; what only looks like one of the Internet's is taken apart."""
    if not address.is_global or address.is_multicast:
        assert not NONE.permits(str(address))


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "64:ff9b::", "2002::"]))
def test_no_address_leads_around_through_another_family(inner: ipaddress.IPv4Address, prefix: str) -> None:
    shift = 80 if prefix == "2002::" else 0
    outer = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(inner) << shift)
    if not NONE.permits(str(inner)):
        assert not NONE.permits(str(outer))


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], []])
async def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_connected_to(
    found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it led to when the channel was made."""
    assert NONE.check("webhook", "https://rebound.example.com/")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", _answering(found))
    with pytest.raises(EndpointRefusedError):
        await NONE.resolve("rebound.example.com", 443)


async def test_a_name_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", _answering(None))
    with pytest.raises(EndpointRefusedError) as refused:
        await NONE.resolve("nowhere.example.com", 443)
    assert refused.value.rule == "UNRESOLVED"


def _answering(found: list[str] | None) -> Any:
    async def getaddrinfo(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        if found is None:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    return getaddrinfo
