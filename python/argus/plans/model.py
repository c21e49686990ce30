"""What plans and add-ons there are, and what each feature needs: read from `entitlements.toml`, which is shipped."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, get_args

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.v1.errors_pb2 import ErrorReason

Plan = Literal["enterprise", "professional"]
AddOn = Literal["advanced_threat_detection", "multi_device_management"]
PLANS: Final[tuple[Plan, ...]] = get_args(Plan)
"""Every plan; the first has every feature, and is what a tenant has that nobody gave another."""
ADD_ONS: Final[tuple[AddOn, ...]] = get_args(AddOn)
"""What can be bought beside the plan "professional"."""


class FeatureNotInPlanError(ArgusError):
    """The tenant has not bought what the call needs. Nothing is lost: with the plan or add-on it is all there."""

    def __init__(self, feature: str, *, plan: Plan, add_on: AddOn) -> None:
        # FAILED_PRECONDITION and not PERMISSION_DENIED: no right of the caller is missing, and the same call is
        # answered once an operator has changed the plan.
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_FEATURE_NOT_IN_PLAN,
            f"{feature} is not part of the plan {plan}; ask the operator of the installation for the add-on {add_on} "
            f"or the plan {PLANS[0]} (TenantService.SetPlan)",
            feature=feature,
            plan=plan,
            addOn=add_on,
        )


class EntitlementMissingError(Exception):
    """An RPC is not in the table: the server must not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something that is sold.

    Attributes:
        name: As `FeatureNotInPlanError` says it.
        text: What it is, for people.
        add_on: What brings it beside the plan "enterprise"; None: every plan does.
    """

    name: str
    text: str
    add_on: AddOn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a tenant has bought."""

    plan: Plan = PLANS[0]
    add_ons: frozenset[AddOn] = frozenset()

    def includes(self, feature: str) -> bool:
        """Whether a feature is part of it.

        Raises:
            KeyError: There is no such feature.
        """
        needed = entitlements().features[feature].add_on
        return needed is None or self.plan == PLANS[0] or needed in self.add_ons

    def tells(self, event_type: str) -> bool:
        """Whether anybody is told of an event of that type."""
        feature = entitlements().events.get(event_type)
        return feature is None or self.includes(feature)

    def require(self, feature: str) -> None:
        """Refuses what is not part of it.

        Raises:
            FeatureNotInPlanError: The feature is not.
        """
        needed = entitlements().features[feature].add_on
        if needed is not None and not self.includes(feature):
            raise FeatureNotInPlanError(feature, plan=self.plan, add_on=needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlements:
    """The table.

    Attributes:
        features: By name.
        rpcs: The feature of each RPC, by "Service.Method".
        fields: The features of fields of a request, by RPC and field.
        events: The features of events that are told of only with them, by type.
    """

    features: Mapping[str, Feature]
    rpcs: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    events: Mapping[str, str]

    def feature_of(self, rpc: str) -> str:
        """The feature that an RPC belongs to.

        Args:
            rpc: "Service.Method".

        Raises:
            EntitlementMissingError: It is not in the table.
        """
        feature = self.rpcs.get(rpc)
        if feature is None:
            raise EntitlementMissingError(f"{rpc} is not in python/argus/plans/entitlements.toml: say its feature")
        return feature


@cache
def entitlements() -> Entitlements:
    """The table that is shipped.

    Raises:
        ValueError: It names a feature or an add-on that there is not.
    """
    read = tomllib.loads(resources.files("argus.plans").joinpath("entitlements.toml").read_text("utf-8"))
    features = {
        name: Feature(name=name, text=row["text"], add_on=_add_on(name, row.get("add_on")))
        for name, row in read["features"].items()
    }
    rpcs = {f"{service}.{rpc}": feature for service, rows in read["rpcs"].items() for rpc, feature in rows.items()}
    fields: dict[str, dict[str, str]] = read["fields"]
    events: dict[str, str] = read["events"]
    named = {*rpcs.values(), *events.values(), *(feature for row in fields.values() for feature in row.values())}
    if unknown := named - features.keys():
        raise ValueError(f"entitlements.toml names features that it does not have: {', '.join(sorted(unknown))}")
    return Entitlements(features=features, rpcs=rpcs, fields=fields, events=events)


def check_subscription(subscription: Subscription) -> None:
    """Raises `InvalidFieldError` for what can't be bought."""
    if subscription.plan == PLANS[0] and subscription.add_ons:
        raise InvalidFieldError("add_ons", f"must be empty: the plan {PLANS[0]} has them all")


def _add_on(feature: str, name: str | None) -> AddOn | None:
    found = next((one for one in ADD_ONS if one == name), None)
    if name is not None and found is None:
        raise ValueError(f"entitlements.toml: {feature} needs an add-on that there is not: {name}")
    return found
