"""How alike two fingerprints are."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, TypeAlias

Print: TypeAlias = Mapping[str, bytes]
"""Keyed hashes of what a device says, by the name of each component."""

WEIGHTS: Final[Mapping[str, float]] = {
    "color_depth": 0.25,
    "device_memory": 0.5,
    "hardware_concurrency": 0.75,
    "languages": 1.0,
    "max_touch_points": 0.5,
    "platform": 1.0,
    "screen": 1.5,
    "timezone": 1.0,
}
"""The components that count, and how much each tells one device from another; others are not kept."""

LEAST_SHARED: Final = 3.0
"""Weight of the components that both must have: of less nothing is said."""
CHANGED_BELOW: Final = 0.5
"""Below it a device hardly looks like it did."""

_DIGEST_BYTES: Final = 8


def print_of(key: bytes, tenant_id: str, components: Mapping[str, str]) -> Print:
    """The print that is kept; of another tenant the same values have other hashes.

    Args:
        key: Of the installation.
        tenant_id: Tenant.
        components: What a device says, by name.
    """
    return {
        name: hmac.digest(key, f"{tenant_id}\0{name}\0{value}".encode(), hashlib.sha256)[:_DIGEST_BYTES]
        for name, value in components.items()
        if name in WEIGHTS and value
    }


def likeness(one: Print, other: Print) -> float | None:
    """How alike two prints are, from 0 to 1; None: too little is known of one of them."""
    shared = one.keys() & other.keys()
    known = sum(WEIGHTS[name] for name in shared)
    if known < LEAST_SHARED:
        return None
    return sum(WEIGHTS[name] for name in shared if one[name] == other[name]) / known
