"""Addresses that Argus listens on or connects to."""

import ipaddress
from typing import Final

_HIGHEST_PORT: Final = 65_535


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8080" or "[::1]:8080"; port 0 means any free one.

    Raises:
        ValueError: It is not an address.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise ValueError('say host and port, such as "127.0.0.1:8080" or "[::1]:8080"')
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host; an empty one is a unix socket's."""
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
