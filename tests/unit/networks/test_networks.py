"""Files of ranges, records of other makers, and what becomes of a folder while it is read."""

import ipaddress
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.addresses import Network
from argus.base.place import NETWORK_CLASSES, NOWHERE, NetworkClass, Place
from argus.networks.model import BadRangesError, Credit, Ranges, join, place_of, read_ranges
from argus.networks.service import Networks, write_credit
from tests.support.vectors import vector_path

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
NETWORKS = st.builds(
    lambda address, length: ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False),
    ADDRESSES,
    st.integers(0, 128),
)


@given(st.lists(st.tuples(NETWORKS, st.sampled_from(NETWORK_CLASSES))), ADDRESSES, st.data())
def test_the_narrowest_network_counts(
    networks: list[tuple[Network, NetworkClass]], elsewhere: ipaddress.IPv4Address, data: st.DataObject
) -> None:
    """Against the plainest model: every network is looked at."""
    inside = [network.network_address for network, _ in networks]
    address = data.draw(st.sampled_from([elsewhere, *inside]))
    holding = [(network.prefixlen, place, kind) for place, (network, kind) in enumerate(networks) if address in network]
    expected = max(holding)[2] if holding else None
    assert Ranges.of(networks).find(address) == expected


def test_a_file_of_ranges_has_comments_and_empty_lines() -> None:
    ranges = read_ranges("# ours\n\n192.0.2.0/24 hosting  # the racks\n192.0.2.9 anonymiser\n2001:db8::/32 access\n")
    found = [
        ranges.find(ipaddress.ip_address(one)) for one in ("192.0.2.1", "192.0.2.9", "2001:db8::1", "198.51.100.1")
    ]
    assert found == ["hosting", "anonymiser", "access", None]


@pytest.mark.parametrize(
    "line", ["192.0.2.0/24", "192.0.2.0/24 home", "hosting 192.0.2.0/24", "192.0.2.1/24 hosting", "a b c"]
)
def test_a_line_that_is_no_range_is_named(line: str) -> None:
    with pytest.raises(BadRangesError, match="line 2"):
        read_ranges(f"192.0.2.0/24 hosting\n{line}")


def test_flat_records_say_the_same_as_nested_ones() -> None:
    flat = place_of({"country_code": "de", "city": "Berlin", "latitude": 52.5, "state1": "Berlin"})
    nested = place_of({"country": {"iso_code": "DE"}, "city": {"names": {"en": "Berlin"}}})
    assert flat == nested == Place(country="DE", city="Berlin", radius_km=150)


@pytest.mark.parametrize(
    ("record", "radius"),
    [
        ({"country_code": "DE"}, 1500),
        ({"country_code": "DE", "city": ""}, 1500),
        ({"country_code": "DE", "city": "Berlin", "location": {"accuracy_radius": 5}}, 150),
        ({"country_code": "DE", "city": "Berlin", "location": {"accuracy_radius": 400}}, 400),
        ({"city": "Nowhere"}, None),
        ({"country_code": "ZZZ", "city": "Nowhere"}, None),
    ],
)
def test_a_radius_is_never_smaller_than_what_is_known_of_such_data(
    record: dict[str, object], radius: int | None
) -> None:
    place = place_of(record)
    assert place.radius_km == radius
    assert (place.city is None) or place.country is not None


def test_a_city_counts_before_a_mere_country_and_each_fact_is_the_first_ones() -> None:
    joined = join(
        [
            Place(country="FR", radius_km=1500),
            Place(country="DE", city="Berlin", radius_km=150, asn=1),
            Place(asn=2, asn_name="Two", network_class="hosting"),
        ]
    )
    assert joined == Place(country="DE", city="Berlin", radius_km=150, asn=1, network_class="hosting")
    assert join([]) == NOWHERE


def test_a_folder_that_is_not_there_knows_nothing(tmp_path: Path) -> None:
    networks = Networks(tmp_path / "missing")
    assert networks.is_empty
    assert networks.look_up("2.125.160.216") == NOWHERE
    assert Networks(None).look_up("2.125.160.216") == NOWHERE


def test_what_is_brought_into_the_folder_counts_from_the_next_look_on(tmp_path: Path) -> None:
    networks = Networks(tmp_path)
    database = tmp_path / "city.mmdb"
    shutil.copy(vector_path("geo/GeoLite2-City-Test.mmdb"), database)
    write_credit(database, Credit(text="Places by somebody", url="https://example.com/"), licence="CC-BY-4.0")
    assert networks.refresh()
    assert networks.look_up("2.125.160.216").city == "Boxford"
    assert networks.credits == [Credit(text="Places by somebody", url="https://example.com/")]
    assert not networks.refresh()
    database.unlink()
    assert networks.refresh()
    assert networks.look_up("2.125.160.216") == NOWHERE


def test_a_broken_file_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.mmdb").write_bytes(b"no database")
    (tmp_path / "b.txt").write_text("nonsense")
    (tmp_path / "c.txt").write_text("192.0.2.0/24 hosting")
    (tmp_path / "d.mmdb.credit.json").write_text("[]")
    (tmp_path / "e.mmdb.credit.json").write_text(json.dumps({"text": "Us", "url": "javascript:alert(1)"}))
    networks = Networks(tmp_path)
    assert networks.look_up("192.0.2.1") == Place(network_class="hosting")
    # It becomes a link: nothing but the web is led to.
    assert networks.credits == [Credit(text="Us")]
