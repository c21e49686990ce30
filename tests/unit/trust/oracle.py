"""Trust by the formula, as plainly as Python can say it: written from docs/concepts/trust.md, not from the engine."""

import math
from dataclasses import dataclass

KEYS = {"none": -1.5, "cookie": 0.0, "software": 1.0, "hardware": 2.0}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is known of a device."""

    passed: float = 0.0
    failed: float = 0.0
    usual_share: float | None = None
    key: str = "none"
    key_missing: bool = False
    patch_days: float | None = None
    end_of_life: bool | None = None
    integrity_bad: bool | None = None
    unused_days: float = 0.0


def device_trust(one: Inputs) -> float:
    """Trust in a device, 0 to 100."""
    logit = -1.0
    logit += min(3.0, max(-3.0, 1.5 * math.log((one.passed + 1) / (one.failed + 1))))
    if one.usual_share is not None:
        logit += 2 * (one.usual_share - 0.5)
    logit += KEYS[one.key]
    if one.patch_days is not None and one.patch_days > 30:
        logit += max(-2.0, -0.5 * (one.patch_days - 30) / 30)
    score = 100 / (1 + math.exp(-logit))
    signals = (one.passed, one.failed, one.usual_share, one.patch_days, one.end_of_life, one.integrity_bad)
    caps = {
        40: one.end_of_life is True,
        30: one.key == "none" and all(signal in (None, 0) and signal is not False for signal in signals),
        10: one.integrity_bad is True,
        0: one.key_missing,
    }
    score = min([score, *(cap for cap, holds in caps.items() if holds)])
    if score > 30:
        score = 30 + (score - 30) * 2 ** (-one.unused_days / 30)
    return score


def session_trust(one: Inputs, *, risk: float, proof_age_hours: float) -> float:
    """Trust in a session on it, 0 to 100."""
    return float(min(device_trust(one), 100 * (1 - risk)) * 2 ** (-proof_age_hours / 8))
