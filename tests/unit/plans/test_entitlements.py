"""The table of what is sold: every RPC is in it, once, and what has been bought decides by it alone."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus._core import HOT_METHODS
from argus.base.errors import Code, InvalidFieldError
from argus.plans.model import (
    ADD_ONS,
    PLANS,
    AddOn,
    EntitlementMissingError,
    FeatureNotInPlanError,
    Plan,
    Subscription,
    check_subscription,
    entitlements,
)
from argus.rpc.services import all_services

FEATURES = sorted(entitlements().features)
CORE = {"sign_in", "sessions", "rotation", "verification", "limits", "lockout", "notifications", "administration"}


def rpcs() -> Iterator[str]:
    """Every RPC of the API."""
    for service in all_services().values():
        yield from (f"{service.name}.{method.name}" for method in service.methods)


def test_every_rpc_is_in_the_table_and_nothing_else_is() -> None:
    assert entitlements().rpcs.keys() == set(rpcs())


def test_every_field_of_the_table_is_one_of_its_request() -> None:
    services = {service.name: service for service in all_services().values()}
    for rpc, fields in entitlements().fields.items():
        service, _, method = rpc.partition(".")
        request = services[service].methods_by_name[method].input_type
        assert set(fields) <= set(request.fields_by_name)


def test_no_hot_call_is_sold_apart() -> None:
    """The engine answers them without asking what was bought."""
    for path in HOT_METHODS:
        service, _, method = path.removeprefix("/argus.v1.").partition("/")
        assert entitlements().features[entitlements().feature_of(f"{service}.{method}")].add_on is None


def test_an_rpc_that_nobody_has_put_into_the_table_stops_the_start() -> None:
    with pytest.raises(EntitlementMissingError, match=r"SessionService\.Forgotten"):
        entitlements().feature_of("SessionService.Forgotten")


def test_the_core_is_in_every_plan_and_all_else_is_in_an_add_on() -> None:
    assert {name for name, one in entitlements().features.items() if one.add_on is None} == CORE
    assert {one.add_on for one in entitlements().features.values()} == {None, *ADD_ONS}


@given(plan=st.sampled_from(PLANS), add_ons=st.frozensets(st.sampled_from(ADD_ONS)), feature=st.sampled_from(FEATURES))
def test_what_is_included(plan: Plan, add_ons: frozenset[AddOn], feature: str) -> None:
    """Everything in "enterprise"; else the core, and what one of the add-ons brings."""
    bought = Subscription(plan=plan, add_ons=add_ons)
    if plan == "enterprise" or feature in CORE or entitlements().features[feature].add_on in add_ons:
        assert bought.includes(feature)
        bought.require(feature)
        return
    assert not bought.includes(feature)
    with pytest.raises(FeatureNotInPlanError) as refused:
        bought.require(feature)
    assert refused.value.code is Code.FAILED_PRECONDITION
    metadata = refused.value.metadata
    assert (metadata["feature"], metadata["plan"]) == (feature, plan)
    # What it says brings the feature does bring it.
    (add_on,) = (one for one in ADD_ONS if one == metadata["addOn"])
    assert Subscription(plan=plan, add_ons=add_ons | {add_on}).includes(feature)


def test_an_add_on_beside_everything_is_a_mistake() -> None:
    with pytest.raises(InvalidFieldError, match="add_ons"):
        check_subscription(Subscription(add_ons=frozenset({"multi_device_management"})))
