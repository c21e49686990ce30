"""Which second factors a policy counts (`Policy.second_factor`), by the methods that tokens name (RFC 8176).

A refresh goes by the same rule: `rust_core/core/src/token/levels.rs`.
"""

from collections.abc import Collection, Mapping
from typing import Final

from argus.base.policy import SecondFactor

# Beside a level above 1 `otp` is an app or a recovery code. `hwk` is a key that stays, `sc` a smart card that a backend
# has seen.
_COUNTING: Final[Mapping[SecondFactor, frozenset[str]]] = {
    "replay_resistant": frozenset({"otp", "hwk", "swk", "sc"}),
    "phishing_resistant": frozenset({"hwk", "swk", "sc"}),
    "hardware": frozenset({"hwk", "sc"}),
}


def has_counting_factor(amr: Collection[str], kind: SecondFactor) -> bool:
    """Whether one of the methods is a second factor of the kind."""
    return kind == "any" or not _COUNTING[kind].isdisjoint(amr)
