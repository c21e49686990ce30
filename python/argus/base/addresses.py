"""IP addresses as they are kept and compared: one address, one form."""

import ipaddress
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def read_address(text: str) -> Address | None:
    """The address that a text is; an IPv4 one within IPv6 is that one. None: it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def in_one_form(text: str) -> str | None:
    """An address as it is kept; None: the text is none."""
    address = read_address(text)
    return None if address is None else str(address)


def is_within(address: Address, network: str) -> bool:
    """Whether an address is in a network, which may be of IPv4 ones within IPv6."""
    found = ipaddress.ip_network(network)
    if isinstance(found, ipaddress.IPv6Network) and isinstance(address, ipaddress.IPv4Address):
        return ipaddress.IPv6Address(int(_MAPPED.network_address) + int(address)) in found
    return address in found
