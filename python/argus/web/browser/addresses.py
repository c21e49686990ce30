"""From which address a browser comes."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from argus.base.addresses import read_address
from argus.base.settings_listeners import Network

_DOOR: Final = "x-argus-door-peer"
_FORWARDED: Final = "x-forwarded-for"


class Addresses:
    """Believes the front door about who is at the other end, and proxies that the settings name about who is behind."""

    def __init__(self, *, is_behind_door: bool, proxies: Sequence[Network] = ()) -> None:
        """Takes whom to believe.

        Args:
            is_behind_door: Only the front door can ask, which takes out what strangers send under its names.
            proxies: Networks of proxies whose `X-Forwarded-For` counts.
        """
        self._is_behind_door = is_behind_door
        self._proxies = proxies

    def of(self, request: Request) -> str | None:
        """The address, as text; None where it is not known."""
        address = self._peer(request)
        if address is None or not self._is_proxy(address):
            return address
        # Each proxy adds the address that it saw: whatever is left of the first one that is no proxy, anybody wrote.
        hops = ",".join(request.headers.getlist(_FORWARDED)).split(",")
        for hop in reversed(hops):
            told = _address(hop.strip())
            if told is None:
                return address
            address = told
            if not self._is_proxy(address):
                return address
        return address

    def _peer(self, request: Request) -> str | None:
        if self._is_behind_door:
            return _address(request.headers.get(_DOOR, ""))
        return _address(request.client.host) if request.client else None

    def _is_proxy(self, address: str) -> bool:
        one = ipaddress.ip_address(address)
        return any(one in network for network in self._proxies)


def _address(text: str) -> str | None:
    one = read_address(text)
    return None if one is None or getattr(one, "scope_id", None) else str(one)
