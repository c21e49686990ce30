"""What living sessions live by: their own policy, held to what is in force by now."""

from functools import lru_cache
from typing import Final

from argus.base.policy import RULES, Policy
from argus.policies.model import from_document, to_document

_HELD: Final = (
    "idle_seconds",
    "absolute_seconds",
    "access_seconds",
    "refresh_seconds",
    "grace_seconds",
    "request_deadline_seconds",
    "refresh_is_activity",
    "rotation",
    "reuse",
    "trust_step_up_below",
    "trust_deny_below",
    "trust_floors",
    "on_device_change",
    "on_country_change",
    "on_network_change",
    "on_listed_network",
    "listed_networks",
)
# A step-up goes by what is in force, and must be enough.
_FOLLOWED: Final = ("required_acr", "second_factor")


@lru_cache(maxsize=1024)
def held_to(own: Policy, present: Policy) -> Policy:
    """What a session that began under `own` lives by while `present` is in force for it.

    Of each field that bites on living sessions the stricter value: a policy that was tightened bites at the next use,
    one that was loosened is for new sessions. The level and the kind of factor that are required follow, up and down.
    """
    mine, theirs = to_document(own), to_document(present)
    held = {key: RULES[key].strictest([mine[key], theirs[key]]) for key in _HELD}
    return from_document({**mine, **held, **{key: theirs[key] for key in _FOLLOWED}})
