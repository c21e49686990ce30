"""The classes of devices that a policy can limit."""

from typing import Final

UNKNOWN_CLASS: Final = "unknown"
"""Class of a device that says nothing about itself."""

DEVICE_CLASSES: Final = (UNKNOWN_CLASS, "desktop", "phone", "tablet", "tv", "bot", "other")
"""All of them; a class's place here is its number in Redis, so that new ones come last."""


def device_class(device_type: str) -> str:
    """The class of a device of a type; one that no policy knows is another one."""
    if not device_type:
        return UNKNOWN_CLASS
    return device_type if device_type in DEVICE_CLASSES else "other"
