"""What a context is, what changes of it mean to a policy, and which places a policy lets nobody sign in from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

from argus.base.addresses import is_within, read_address
from argus.base.errors import ArgusError, Code
from argus.base.place import Place
from argus.base.policy import EVERYTHING, Policy
from argus.v1.errors_pb2 import ErrorReason

Response = Literal["allow", "signal", "step_up", "end"]
"""What follows from a change, from the mildest."""

Change = Literal["DEVICE_CHANGED", "COUNTRY_CHANGED", "NETWORK_CHANGED", "NETWORK_LISTED"]

_RESPONSES: Final[tuple[Response, ...]] = ("allow", "signal", "step_up", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a session is used, and on what; None is unknown.

    Attributes:
        device_strong: Print of the installation.
        device_weak: Print of TLS and browser family.
        country: By the databases of now, as all that is compared.
        network_class: Likewise.
        is_listed: It came from one of the policy's listed networks, as far as its address is known.
        country_address: The address whose country it is.
        network_address: The address whose network it is.
    """

    device_strong: bytes | None = None
    device_weak: bytes | None = None
    country: str | None = None
    network_class: str | None = None
    is_listed: bool = False
    country_address: str | None = None
    network_address: str | None = None

    def changes(self, now: Self) -> list[Change]:
        """What is different `now`. What either side does not know has not changed."""
        found: list[Change] = []
        if not _same_device(self, now):
            found.append("DEVICE_CHANGED")
        if _differ(self.country, now.country):
            found.append("COUNTRY_CHANGED")
        if _differ(self.network_class, now.network_class):
            found.append("NETWORK_CHANGED")
        if now.is_listed and not self.is_listed:
            found.append("NETWORK_LISTED")
        return found

    def after(self, now: Self) -> Self:
        """What is known once `now` is good: what it leaves open stays as it was."""
        return replace(
            now,
            device_strong=now.device_strong or self.device_strong,
            device_weak=now.device_weak or self.device_weak,
            country=now.country or self.country,
            country_address=now.country_address if now.country else self.country_address,
            network_class=now.network_class or self.network_class,
            network_address=now.network_address if now.network_class else self.network_address,
            # A call whose address nobody told has left no network.
            is_listed=now.is_listed or (self.is_listed and now.network_address is None),
        )

    def after_step_up(self, there: Self) -> Self:
        """What is known once a step-up was made `there`: its device and its address; of what is untold, what was."""
        known = there
        if there.device_strong is None and there.device_weak is None:
            known = replace(known, device_strong=self.device_strong, device_weak=self.device_weak)
        if there.network_address is None:
            known = replace(
                known,
                country=self.country,
                country_address=self.country_address,
                network_class=self.network_class,
                network_address=self.network_address,
                is_listed=self.is_listed,
            )
        return known

    def placed(self, look_up: Callable[[str | None], Place]) -> Self:
        """As the databases have it now; what was said before of its addresses is as good as unknown."""
        country, network = look_up(self.country_address).country, look_up(self.network_address).network_class
        return replace(self, country=country, network_class=network)


def checks_context(policy: Policy) -> bool:
    """Whether a change of context can have a consequence."""
    return any(_response(policy, change) != "allow" for change in _FIELDS)


def verdict(policy: Policy, changes: Sequence[Change]) -> tuple[Response, Change | None]:
    """The strictest response to some changes, and which of them asks for it.

    Args:
        policy: What the session lives by.
        changes: What is different.
    """
    answers = [(_response(policy, change), change) for change in changes]
    strictest = max(answers, key=lambda one: _RESPONSES.index(one[0]), default=None)
    return strictest or ("allow", None)


def check_place(policy: Policy, ip: str | None, place: Place) -> None:
    """Raises `PlaceDeniedError` where nobody may sign in; a place that is unknown is none that is denied."""
    if field := denied_by(policy, ip, place):
        raise PlaceDeniedError(field, place.country)


def denied_by(policy: Policy, ip: str | None, place: Place) -> str:
    """The field by which nobody may sign in from a place; empty: none."""
    country = place.country
    if country is not None and EVERYTHING not in policy.allowed_countries and country not in policy.allowed_countries:
        return "allowed_countries"
    if country is not None and country in policy.denied_countries:
        return "denied_countries"
    return "denied_networks" if is_in(policy.denied_networks, ip, place) else ""


def is_in(networks: Sequence[str], ip: str | None, place: Place) -> bool:
    """Whether an address is in one of some networks: ranges, "AS64500", or classes."""
    known = {place.network_class, f"AS{place.asn}" if place.asn is not None else None} - {None}
    if not known.isdisjoint(networks):
        return True
    ranges = [one for one in networks if "/" in one]
    address = read_address(ip) if ip and ranges else None
    return address is not None and any(is_within(address, one) for one in ranges)


_FIELDS: Final[dict[Change, str]] = {
    "DEVICE_CHANGED": "on_device_change",
    "COUNTRY_CHANGED": "on_country_change",
    "NETWORK_CHANGED": "on_network_change",
    "NETWORK_LISTED": "on_listed_network",
}


def _response(policy: Policy, change: Change) -> Response:
    response: Response = getattr(policy, _FIELDS[change])
    return response


def _same_device(before: Context, now: Context) -> bool:
    """By the strongest evidence that both have, as for refresh tokens (core::record::evidence)."""
    for mine, theirs in ((before.device_strong, now.device_strong), (before.device_weak, now.device_weak)):
        if mine and theirs:
            return mine == theirs
    return True


def _differ(before: str | None, now: str | None) -> bool:
    return before is not None and now is not None and before != now


class ContextChangedError(ArgusError):
    """The session is used in another context, for which the policy asks for a new proof."""

    def __init__(self, change: Change) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_STEP_UP_REQUIRED,
            "the session is used in another context; start a step-up there and use the tokens it gives",
            cause=change,
        )


class PlaceDeniedError(ArgusError):
    """The policy lets nobody sign in from this country or network."""

    def __init__(self, policy_field: str, country: str | None) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_PLACE_DENIED,
            "the policy lets nobody sign in from this country or network; sign in from another one",
            policyField=policy_field,
            country=country or "unknown",
        )
