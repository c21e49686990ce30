"""What a tenant must have bought for an RPC: read from the table of entitlements, held before every servicer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from argus.plans.model import Subscription, entitlements
from argus.rpc.context import Call, current_call


class Subscriptions(Protocol):
    """Says what tenants have bought."""

    async def of(self, tenant_id: str) -> Subscription:
        """What a tenant has bought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """What an RPC needs.

    Attributes:
        plans: Say what tenants have bought.
        feature: The feature that it belongs to.
        fields: Those that fields of its request need where they are set.
    """

    plans: Subscriptions
    feature: str
    fields: Mapping[str, str]

    async def check(self, call: Call, request: Message) -> None:
        """Lets the call go on, which knows from then on what its caller's tenant has bought.

        Raises:
            FeatureNotInPlanError: It has not bought this.
        """
        if call.caller is None or not call.caller.tenant_id:
            return
        call.subscription = await self.plans.of(call.caller.tenant_id)
        call.subscription.require(self.feature)
        for field, feature in self.fields.items():
            if getattr(request, field):
                call.subscription.require(feature)


def entitled(service: ServiceDescriptor, method: MethodDescriptor, plans: Subscriptions) -> Entitled:
    """What the table says of an RPC.

    Raises:
        EntitlementMissingError: Nothing.
    """
    rpc, table = f"{service.name}.{method.name}", entitlements()
    return Entitled(plans=plans, feature=table.feature_of(rpc), fields=table.fields.get(rpc, {}))


def is_shown(feature: str) -> bool:
    """Whether an answer shows what belongs to a feature: what the caller's tenant has not bought stays kept."""
    return current_call().subscription.includes(feature)
