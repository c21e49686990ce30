"""Where something may be sent: not to this machine and not to the networks around it, unless the operator says so.

Whoever may make channels could else have the server ask what only the server can reach (SSRF). What a name leads to is
looked up for each connection, and the connection goes to the very address that was looked at.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Iterator
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from argus.base.errors import ArgusError, Code
from argus.base.settings_mail import MailServer
from argus.v1.errors_pb2 import ErrorReason

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL: Final = 2000
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOW_BITS: Final = 0xFFFF_FFFF


class EndpointRefusedError(ArgusError):
    """Nothing is sent to such an address."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            ErrorReason.ERROR_REASON_ENDPOINT_REFUSED,
            f"channel.url: {message}",
            field="channel.url",
            rule=rule,
        )
        self.rule = rule


class AddressRules:
    """What the operator allows beside the public Internet."""

    def __init__(self, allowed: Collection[Network]) -> None:
        self._allowed = tuple(allowed)

    def check(self, kind: Literal["webhook", "smtp"], url: str) -> str:
        """The address as it is kept.

        Raises:
            EndpointRefusedError: It breaks a rule; says which, and what would do.
        """
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable():
            raise EndpointRefusedError("HOST", f"must be an address in ASCII of at most {MAX_URL} characters")
        return self._check_mail_server(url) if kind == "smtp" else self._check_endpoint(url)

    def permits(self, address: str) -> bool:
        """Whether a connection to this IP address may be made."""
        found = ipaddress.ip_address(address)
        return all(
            (one.is_global and not one.is_multicast and not getattr(one, "is_site_local", False))
            or any(one in network for network in self._allowed if network.version == one.version)
            for one in _meant(found)
        )

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses that a name leads to, each of which may be connected to.

        Raises:
            EndpointRefusedError: It leads nowhere, or (also) to where nothing is sent.
        """
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise EndpointRefusedError("UNRESOLVED", "its host is not known") from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        # A name with one public and one private address would be let in by whichever is tried first.
        if not addresses or not all(map(self.permits, addresses)):
            raise _private()
        return addresses

    def _check_endpoint(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise EndpointRefusedError("HOST", "is not an address") from None
        if parts.scheme not in {"https", "http"}:
            raise EndpointRefusedError("SCHEME", "must begin with https://")
        if not host or port == 0:
            raise EndpointRefusedError("HOST", "must name a host")
        if "@" in parts.netloc:
            raise EndpointRefusedError("CREDENTIALS", "must hold no user or password: messages are signed")
        if parts.fragment or "#" in url:
            raise EndpointRefusedError("FRAGMENT", "must hold no fragment")
        self._check_host(host)
        if parts.scheme == "http" and not self._is_allowed_loopback(host):
            raise EndpointRefusedError(
                "SCHEME", "must begin with https:// (http:// is for this machine, where allowed)"
            )
        return url

    def _check_mail_server(self, url: str) -> str:
        if "@" in url:
            raise EndpointRefusedError("CREDENTIALS", "must hold no user or password: say them in fields of their own")
        try:
            server = MailServer.parse(url)
        except ValueError:
            raise EndpointRefusedError("SCHEME", "must be smtp://host[:587] or smtps://host[:465]") from None
        if not (server.is_tls or server.is_starttls) and not self._is_allowed_loopback(server.host):
            raise EndpointRefusedError("SCHEME", "must be smtp:// (STARTTLS) or smtps://")
        self._check_host(server.host)
        return url

    def _check_host(self, host: str) -> None:
        """Names are looked up when they are connected to; of an address it is known now."""
        address = _literal(host)
        if address is not None and not self.permits(str(address)):
            raise _private()
        if address is None and _is_numeric(host):
            # inet_aton reads 0x7f.1 and 2130706433 as addresses, too.
            raise EndpointRefusedError("HOST", "must be a name, or an address in its usual form")

    def _is_allowed_loopback(self, host: str) -> bool:
        address = _literal("127.0.0.1" if host == "localhost" else host)
        return address is not None and address.is_loopback and self.permits(str(address))


def _private() -> EndpointRefusedError:
    return EndpointRefusedError(
        "PRIVATE_NETWORK",
        "leads to this machine or a private network; the operator may allow it by ARGUS_WEBHOOK_ALLOWED_NETWORKS",
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_numeric(host: str) -> bool:
    return all(label[:1].isdigit() or not label for label in host.lower().split("."))


def _meant(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that it stands for on the way."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & _LOW_BITS)
