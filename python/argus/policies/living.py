"""What living sessions live by: their own policy, held to what is in force by now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from argus.base.limits import LONGEST_SESSION
from argus.base.lives import LongestLife
from argus.base.policy import RULES, Policy
from argus.policies.model import EffectivePolicy, from_document, to_document
from argus.policies.presets import demands
from argus.policies.resolve import SESSION, WITHIN, Resolved

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


def narrower_of(fields: Mapping[str, Resolved], held: Policy, plain: Policy) -> frozenset[str]:
    """The fields that a narrower scope than the client gave, of those that bite on living sessions.

    What a rule gives is one of them where it is looser than what the client has: what it tightens stays for the
    session's life, and the number must not change with every hour or place.

    Args:
        fields: Where all fields come from.
        held: What the session goes on under.
        plain: What is in force for its client, rules aside.
    """
    mine, theirs = to_document(held), to_document(plain)
    return frozenset(
        key
        for key in _HELD
        if fields[key].is_narrower
        and not (fields[key].is_by_rule and RULES[key].strictest([mine[key], theirs[key]]) == mine[key])
    )


@lru_cache(maxsize=1024)
def ceiling(present: Policy) -> Mapping[str, Any]:
    """What presets demand of a client's living sessions whoever the user, by field: no narrower scope loosens it.

    Args:
        present: What is in force for the client.
    """
    found = demands(present.presets, privileged=present.privileged)
    return {key: RULES[key].strictest([one.value for _, one in found[key]]) for key in _HELD if key in found}


def longest_life(present: Policy, *, since: datetime | None) -> LongestLife:
    """Of a client's sessions, by what is in force for it.

    Args:
        present: That policy.
        since: When it was last changed.
    """
    demanded = ceiling(present).get(SESSION)
    return LongestLife(
        of_most=present.absolute,
        of_narrower=LONGEST_SESSION if demanded is None else timedelta(seconds=demanded),
        since=since,
    )


def held_to(own: EffectivePolicy, present: Policy) -> Policy:
    """What a session lives by while a policy is in force for its client: the same as in the engine.

    Of each field the stricter value: a policy that was tightened bites at the next use. Of those that a narrower scope
    gave the client's value does not count, and what its presets demand does.

    Args:
        own: What the session goes on under.
        present: What is in force for its client, whoever the user.
    """
    return _held(own.policy, own.narrower, present)


@lru_cache(maxsize=1024)
def _held(own: Policy, narrower: frozenset[str], present: Policy) -> Policy:
    mine, bounds = to_document(own), _bounds(narrower, present)
    held = {key: RULES[key].strictest([mine[key], *bounds[key]]) for key in bounds}
    return from_document({**mine, **held})


def _bounds(narrower: frozenset[str], present: Policy) -> dict[str, list[Any]]:
    """What each field of a session is held to beside its own value."""
    theirs, demanded = to_document(present), ceiling(present)
    # Where the client's span is as long as its sessions live it says nothing of one that may live longer.
    as_long = [key for key in WITHIN if SESSION in narrower and theirs[key] >= theirs[SESSION]]
    of_presets = {*narrower, *as_long}
    bounds = {key: [demanded[key]] if key in demanded else [] for key in of_presets}
    return bounds | {key: [theirs[key]] for key in (*_HELD, *_FOLLOWED) if key not in of_presets}


@lru_cache(maxsize=1024)
def followed(own: Policy, present: Policy) -> Policy:
    """What a session goes on under that began under `own` once it follows what is in force for it by now.

    Of each field that bites on living sessions the stricter value: one that was loosened is for new sessions. The level
    and the kind of factor that are required follow, up and down.
    """
    mine, theirs = to_document(own), to_document(present)
    held = {key: RULES[key].strictest([mine[key], theirs[key]]) for key in _HELD}
    return from_document({**mine, **held, **{key: theirs[key] for key in _FOLLOWED}})
