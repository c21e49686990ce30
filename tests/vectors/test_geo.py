"""MaxMind's test databases: of every network in their sources a place is known, and of no other."""

import ipaddress
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from argus.base.place import NOWHERE, Place
from argus.networks.model import CITY_RADIUS_KM, COUNTRY_RADIUS_KM
from argus.networks.service import Networks
from tests.support.vectors import vector_path, vectors

CITY, ASN, ANONYMOUS = (f"geo/{name}-Test.mmdb" for name in ("GeoLite2-City", "GeoLite2-ASN", "GeoIP2-Anonymous-IP"))


def networks_of(folder: Path, *names: str) -> Networks:
    """The databases of these names, in a folder of their own."""
    for name in names:
        shutil.copy(vector_path(name), folder)
    return Networks(folder)


def sources(name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """An address of each network in a database's source, and what is said of it; IPv4 ones stand as ::a.b.c.d."""
    for entry in vectors(name.replace(".mmdb", ".source.json")):
        for text, record in entry.items():
            first = ipaddress.ip_network(text)[0]
            is_four = first.version == 6 and int(first) < 2**32 and text.startswith("::") and "." in text
            yield str(ipaddress.IPv4Address(int(first)) if is_four else first), record


@pytest.fixture(scope="module")
def all_three(tmp_path_factory: pytest.TempPathFactory) -> Networks:
    return networks_of(tmp_path_factory.mktemp("geo"), CITY, ASN, ANONYMOUS)


CITIES = {
    "2.125.160.216": Place(country="GB", city="Boxford", radius_km=CITY_RADIUS_KM),
    "89.160.20.112": Place(
        country="SE", city="Linköping", radius_km=CITY_RADIUS_KM, asn=29518, asn_name="Bredband2 AB"
    ),
    "::ffff:2.125.160.216": Place(country="GB", city="Boxford", radius_km=CITY_RADIUS_KM),
    "67.43.156.1": Place(country="BT", radius_km=COUNTRY_RADIUS_KM, asn=35908),
    "2001:218::1": Place(country="JP", radius_km=COUNTRY_RADIUS_KM),
}


@pytest.mark.parametrize("address", CITIES)
def test_a_place_has_city_country_radius_and_network(all_three: Networks, address: str) -> None:
    assert all_three.look_up(address) == CITIES[address]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "", "nonsense", "203.0.113.7", "::1", "300.1.1.1"])
def test_what_no_database_knows_is_unknown(all_three: Networks, address: str) -> None:
    assert all_three.look_up(address) is NOWHERE or all_three.look_up(address) == NOWHERE


def test_of_every_network_in_the_source_the_number_is_known(tmp_path: Path) -> None:
    networks = networks_of(tmp_path, ASN)
    compared = 0
    for address, record in sources(ASN):
        place = networks.look_up(address)
        assert place.asn == record["autonomous_system_number"], address
        assert place.asn_name == record.get("autonomous_system_organization"), address
        assert place.country is None
        compared += 1
    assert compared >= 700


def test_of_every_network_in_the_source_the_kind_is_known(tmp_path: Path) -> None:
    networks = networks_of(tmp_path, ANONYMOUS)
    for address, record in sources(ANONYMOUS):
        hides = {name for name in record if name not in {"is_anonymous", "is_hosting_provider"}}
        expected = "anonymiser" if hides or "is_hosting_provider" not in record else "hosting"
        assert networks.look_up(address).network_class == expected, address
