"""How policies name networks: address ranges, numbers of autonomous systems, classes."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from argus.base.policy_lists import NamesRule
from argus.base.policy_rules import Fault

_NAMES: Final = re.compile(r"AS[1-9][0-9]{0,9}|access|hosting|anonymiser")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworksRule(NamesRule):
    """A set of networks."""

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is no list, or names no network."""
        found = list(NamesRule.faults(self, written, path))
        yield from found
        if not found and isinstance(written, list | tuple):
            for place, name in enumerate(written):
                if not _NAMES.fullmatch(name) and not _is_range(name):
                    reason = "must be an address range, AS and a number, access, hosting or anonymiser"
                    yield Fault(path=f"{path}[{place}]", reason=reason, hint='as "203.0.113.0/24" or "AS64500"')

    @property
    def range_text(self) -> str:
        """What may be named."""
        return "address ranges (`203.0.113.0/24`), `AS64500`, `access`, `hosting`, `anonymiser`"


def _is_range(name: str) -> bool:
    try:
        return "/" in name and bool(ipaddress.ip_network(name))
    except ValueError:
        return False
