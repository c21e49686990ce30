"""Contexts of sessions: what has changed, what a policy does about it, and from where nobody may sign in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.place import NOWHERE, Place
from argus.base.policy import Policy
from argus.contexts.model import Context, PlaceDeniedError, check_place, is_in, verdict
from argus.policies.model import InvalidPolicyError, check_document

prints = st.none() | st.sampled_from([b"one", b"two"])
contexts = st.builds(
    Context,
    device_strong=prints,
    device_weak=prints,
    country=st.none() | st.sampled_from(["DE", "FR"]),
    network_class=st.none() | st.sampled_from(["access", "hosting"]),
    is_listed=st.booleans(),
    network_address=st.none() | st.just("192.0.2.1"),
)


@given(contexts, contexts)
def test_what_is_missing_has_not_changed(before: Context, now: Context) -> None:
    """Neither where it was missing before nor where it is missing now."""
    changes = before.changes(now)
    assert ("COUNTRY_CHANGED" in changes) == (len({before.country, now.country} - {None}) == 2)
    assert ("NETWORK_CHANGED" in changes) == (len({before.network_class, now.network_class} - {None}) == 2)
    assert not before.changes(Context())
    assert Context(is_listed=True).changes(now) == []


@given(contexts, contexts)
def test_what_was_judged_is_no_change_any_more(before: Context, now: Context) -> None:
    """And what is known is not forgotten for what is not."""
    after = before.after(now)
    assert after.changes(now) == []
    assert after.country == (now.country or before.country)
    assert after.is_listed == (now.is_listed if now.network_address else before.is_listed or now.is_listed)


def test_the_strongest_evidence_that_both_have_tells_devices_apart() -> None:
    """An installation says more than a browser."""
    home = Context(device_strong=b"one", device_weak=b"firefox")
    assert home.changes(Context(device_strong=b"one", device_weak=b"chrome")) == []
    assert home.changes(Context(device_strong=b"two", device_weak=b"firefox")) == ["DEVICE_CHANGED"]
    assert home.changes(Context(device_weak=b"chrome")) == ["DEVICE_CHANGED"]
    assert home.changes(Context(device_weak=b"firefox")) == []


def test_the_strictest_response_to_all_changes_counts() -> None:
    """A change that nobody asks about is allowed."""
    one, other = Policy(on_country_change="signal"), Policy(on_device_change="step_up", on_country_change="end")
    assert verdict(one, ["COUNTRY_CHANGED"]) == ("signal", "COUNTRY_CHANGED")
    assert verdict(other, ["DEVICE_CHANGED", "COUNTRY_CHANGED"]) == ("end", "COUNTRY_CHANGED")
    assert verdict(other, ["DEVICE_CHANGED"]) == ("step_up", "DEVICE_CHANGED")
    assert verdict(one, ["NETWORK_LISTED"])[0] == "allow"
    assert verdict(one, []) == ("allow", None)


@pytest.mark.parametrize(
    ("fields", "ip", "field"),
    [
        ({"allowed_countries": ("DE", "FR")}, None, ""),
        ({"allowed_countries": ("FR",)}, None, "allowed_countries"),
        ({"denied_countries": ("DE",)}, None, "denied_countries"),
        ({"denied_networks": ("AS64500",)}, None, "denied_networks"),
        ({"denied_networks": ("hosting",)}, None, "denied_networks"),
        ({"denied_networks": ("AS64501", "access")}, None, ""),
        ({"denied_networks": ("203.0.113.0/24",)}, "203.0.113.9", "denied_networks"),
        ({"denied_networks": ("203.0.113.0/24",)}, "::ffff:203.0.113.9", "denied_networks"),
        ({"denied_networks": ("::ffff:203.0.113.0/120",)}, "203.0.113.9", "denied_networks"),
        ({"denied_networks": ("203.0.113.0/24", "2001:db8::/32")}, "2001:db8::1", "denied_networks"),
        ({"denied_networks": ("203.0.113.0/24",)}, "203.0.114.9", ""),
    ],
)
def test_places_that_nobody_may_sign_in_from(fields: dict[str, Any], ip: str | None, field: str) -> None:
    """By country, number, class and range."""
    place = Place(country="DE", asn=64500, network_class="hosting")
    policy = Policy(**fields)
    if not field:
        check_place(policy, ip, place)
        return
    with pytest.raises(PlaceDeniedError) as refused:
        check_place(policy, ip, place)
    assert refused.value.metadata["policyField"] == field


def test_an_unknown_place_is_none_that_is_denied() -> None:
    """Whatever the lists say."""
    lists: dict[str, Any] = {"allowed_countries": ("FR",), "denied_countries": ("DE",), "denied_networks": ("AS1",)}
    check_place(Policy(**lists), None, NOWHERE)
    assert not is_in(["203.0.113.0/24", "access"], None, NOWHERE)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"denied_networks": ["203.0.113.0/33"]}, "policy.denied_networks[0]"),
        ({"listed_networks": ["access", "AS0"]}, "policy.listed_networks[1]"),
        ({"listed_networks": ["tor"]}, "policy.listed_networks[0]"),
        ({"denied_countries": ["de"]}, "policy.denied_countries[0]"),
        ({"trust_deny_below": 101}, "policy.trust_deny_below"),
        ({"trust_floors": [{"scope": "a", "deny": 1}]}, "policy.trust_floors[0].deny"),
        ({"on_country_change": "stepup"}, "policy.on_country_change"),
    ],
)
def test_a_document_that_names_nothing_is_refused_where_it_does(document: dict[str, Any], path: str) -> None:
    """At the value's own path."""
    with pytest.raises(InvalidPolicyError) as refused:
        check_document(document)
    assert [fault.path for fault in refused.value.faults] == [path]
