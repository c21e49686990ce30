"""What the records of address databases say, whoever made them."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from argus.base.addresses import Address, Network
from argus.base.place import NETWORK_CLASSES, NOWHERE, NetworkClass, Place

CITY_RADIUS_KM: Final = 150
"""How far a named city may be off."""
COUNTRY_RADIUS_KM: Final = 1500
"""How far the middle of a country may be off."""

_ANONYMISER: Final = (
    "is_anonymous_vpn",
    "is_public_proxy",
    "is_residential_proxy",
    "is_tor_exit_node",
)
_COUNTRY_LETTERS: Final = 2


class BadRangesError(Exception):
    """A file of ranges has a line that is none.

    Attributes:
        line: Its number.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """What a database's licence asks to be shown where its places are shown."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Networks, each with its class; of nested ones the narrowest counts."""

    # By IP version and length of the prefix, longest first.
    _by_length: Mapping[int, Mapping[int, Mapping[int, NetworkClass]]] = field(default_factory=dict)

    @classmethod
    def of(cls, networks: Iterable[tuple[Network, NetworkClass]]) -> "Ranges":
        """Ranges out of networks."""
        found: dict[int, dict[int, dict[int, NetworkClass]]] = {}
        for network, kind in networks:
            lengths = found.setdefault(network.version, {})
            lengths.setdefault(network.prefixlen, {})[int(network.network_address)] = kind
        return cls({version: dict(sorted(lengths.items(), reverse=True)) for version, lengths in found.items()})

    def find(self, address: Address) -> NetworkClass | None:
        """The class of the narrowest network that an address is in."""
        number, bits = int(address), address.max_prefixlen
        for length, networks in self._by_length.get(address.version, {}).items():
            kind = networks.get(number >> (bits - length) << (bits - length))
            if kind is not None:
                return kind
        return None


def read_ranges(text: str) -> Ranges:
    """Ranges of a text: a network and its class in each line ("192.0.2.0/24 hosting"), "#" begins a comment.

    Raises:
        BadRangesError: A line is something else.
    """
    return Ranges.of(
        _range(number, words)
        for number, line in enumerate(text.splitlines(), start=1)
        if (words := line.partition("#")[0].split())
    )


def place_of(record: Mapping[str, Any]) -> Place:
    """What a record says, in MaxMind's nested form or in the flat one of ip-location-db."""
    country, city = _country(record), _city(record)
    asn = record.get("autonomous_system_number")
    return Place(
        country=country,
        city=city if country else None,
        radius_km=_radius(record, city) if country else None,
        asn=asn if isinstance(asn, int) and asn > 0 else None,
        asn_name=_text(record.get("autonomous_system_organization")),
        network_class=_class(record),
    )


def join(places: Iterable[Place]) -> Place:
    """What several databases say together: of each fact the first word counts, and a city's before a mere country's."""
    found = list(places)
    located = [one for one in found if one.country]
    where = next((one for one in located if one.city), located[0] if located else NOWHERE)
    network = next((one for one in found if one.asn), NOWHERE)
    return Place(
        country=where.country,
        city=where.city,
        radius_km=where.radius_km,
        asn=network.asn,
        asn_name=network.asn_name,
        network_class=next((one.network_class for one in found if one.network_class), None),
    )


def _range(number: int, words: list[str]) -> tuple[Network, NetworkClass]:
    kind = next((one for one in NETWORK_CLASSES if words[1:] == [one]), None)
    if kind is None:
        raise BadRangesError(number, f"say a network and one of {', '.join(NETWORK_CLASSES)}")
    try:
        return ipaddress.ip_network(words[0]), kind
    except ValueError as error:
        raise BadRangesError(number, str(error)) from None


def _country(record: Mapping[str, Any]) -> str | None:
    nested = record.get("country")
    code = nested.get("iso_code") if isinstance(nested, Mapping) else record.get("country_code")
    text = _text(code)
    return text.upper() if text and len(text) == _COUNTRY_LETTERS and text.isalpha() else None


def _city(record: Mapping[str, Any]) -> str | None:
    city = record.get("city")
    if isinstance(city, Mapping):
        names = city.get("names")
        return _text(names.get("en")) if isinstance(names, Mapping) else None
    return _text(city)


def _radius(record: Mapping[str, Any], city: str | None) -> int:
    """The database's own word counts where it is less sure: two real ones differ by more than most of them say."""
    location = record.get("location")
    said = location.get("accuracy_radius") if isinstance(location, Mapping) else None
    least = CITY_RADIUS_KM if city else COUNTRY_RADIUS_KM
    return max(said, least) if isinstance(said, int) else least


def _class(record: Mapping[str, Any]) -> NetworkClass | None:
    if any(record.get(name) is True for name in _ANONYMISER):
        return "anonymiser"
    if record.get("is_hosting_provider") is True:
        return "hosting"
    # Such data call servers anonymous, too: without another word it is what hides people.
    return "anonymiser" if record.get("is_anonymous") is True else None


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
