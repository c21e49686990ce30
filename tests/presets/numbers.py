"""What frameworks ask for, as a person reads it there: written down once more, so that presets are held to it.

An asterisk stands where the framework gives no number, and the number is our own choice.
"""

from dataclasses import dataclass
from typing import Any, Final

import pytest

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of a framework.

    Attributes:
        key: The policy's field that holds it, as documents have it.
    """

    preset: str
    clause: str
    key: str
    value: Any


def _table(key: str, **rows: tuple[str, Any]) -> list[Number]:
    names = {name: name.replace("_", "-").replace("pci", "pci-dss").replace("asvs", "asvs-") for name in rows}
    return [Number(preset=names[name], clause=clause, key=key, value=value) for name, (clause, value) in rows.items()]


NUMBERS: Final = (
    *_table(
        "idle_seconds",
        soc2=("*", 30 * MINUTE),
        iso27001=("*", 30 * MINUTE),
        pci=("8.2.8", 15 * MINUTE),
        hipaa=("*", 15 * MINUTE),
        gdpr=("*", 60 * MINUTE),
        fedramp_moderate=("AC-11, SC-10", 15 * MINUTE),
        fedramp_high=("AC-11, SC-10", 15 * MINUTE),
        asvsl3=("*", 15 * MINUTE),
    ),
    *_table(
        "absolute_seconds",
        soc2=("*", 12 * HOUR),
        iso27001=("*", 12 * HOUR),
        pci=("*", 12 * HOUR),
        hipaa=("*", 12 * HOUR),
        gdpr=("*", 24 * HOUR),
        fedramp_moderate=("IA-11", 12 * HOUR),
        fedramp_high=("IA-11", 12 * HOUR),
        asvsl3=("*", 12 * HOUR),
    ),
    *_table(
        "access_seconds",
        soc2=("*", 10 * MINUTE),
        iso27001=("*", 10 * MINUTE),
        pci=("*", 5 * MINUTE),
        hipaa=("*", 5 * MINUTE),
        gdpr=("*", 10 * MINUTE),
        fedramp_moderate=("*", 5 * MINUTE),
        fedramp_high=("*", 5 * MINUTE),
        asvsl3=("*", 5 * MINUTE),
    ),
    # Tries, and how long each further one waits; 0: longer and longer (SP 800-63B-4, 3.2.2).
    *_table(
        "lockout",
        soc2=("*", (10, 15 * MINUTE)),
        iso27001=("*", (10, 15 * MINUTE)),
        pci=("8.3.4", (10, 30 * MINUTE)),
        hipaa=("*", (10, 30 * MINUTE)),
        gdpr=("*", (10, 15 * MINUTE)),
        fedramp_moderate=("AC-7", (5, 0)),
        fedramp_high=("AC-7", (5, 0)),
        asvsl3=("*", (5, 0)),
    ),
    # The least that signs in.
    *_table(
        "second_factor",
        soc2=("CC6.1*", "app"),
        iso27001=("A.8.5*", "app"),
        pci=("8.4.2, 8.5.1", "app"),
        hipaa=("*", "app"),
        gdpr=("*", "password"),
        fedramp_moderate=("IA-2(1)(2)(8)", "passkey"),
        fedramp_high=("IA-2(1)(2)", "hardware"),
        asvsl3=("V6.3.3", "hardware"),
    ),
    *_table(
        "step_up_age_seconds",
        soc2=("*", 15 * MINUTE),
        iso27001=("*", 15 * MINUTE),
        pci=("8.3.3*", 15 * MINUTE),
        hipaa=("*", 15 * MINUTE),
        gdpr=("*", 15 * MINUTE),
        fedramp_moderate=("IA-11*", 15 * MINUTE),
        fedramp_high=("IA-11*", 15 * MINUTE),
        asvsl3=("V7.5.3*", 0),
    ),
    *_table(
        "session_limit",
        soc2=("*", 10),
        iso27001=("*", 10),
        pci=("*", 3),
        hipaa=("*", 3),
        gdpr=("*", 10),
        fedramp_moderate=("*", 5),
        fedramp_high=("AC-10", 2),
        asvsl3=("*", 3),
    ),
    # Of whom a second factor is asked for where all need one; else of whom none is.
    *_table(
        "password_minimum",
        soc2=("*", 8),
        iso27001=("*", 8),
        pci=("8.3.6", 12),
        hipaa=("*", 8),
        gdpr=("*", 15),
        fedramp_moderate=("IA-5(1)", 8),
        fedramp_high=("IA-5(1)", 8),
        asvsl3=("V6.2.1", 8),
    ),
    *_table("password_composition", pci=("8.3.6", "letters_and_digits")),
    *_table("password_history", pci=("8.3.7", 4)),
    *_table("password_max_age_seconds", pci=("8.3.9", 90 * DAY)),
    *_table(
        "unused_account_seconds",
        soc2=("*", 90 * DAY),
        iso27001=("*", 90 * DAY),
        pci=("8.2.6", 90 * DAY),
        hipaa=("*", 90 * DAY),
        gdpr=("*", 730 * DAY),
        fedramp_moderate=("AC-2(3)", 90 * DAY),
        fedramp_high=("AC-2(3)", 35 * DAY),
        asvsl3=("*", 90 * DAY),
    ),
    *_table(
        "audit_retention_seconds",
        soc2=("*", 365 * DAY),
        iso27001=("*", 365 * DAY),
        pci=("10.5.1", 365 * DAY),
        hipaa=("316(b)(2)(i)", 2192 * DAY),
        gdpr=("*", 365 * DAY),
        fedramp_moderate=("AU-11", 913 * DAY),
        fedramp_high=("AU-11", 913 * DAY),
        asvsl3=("*", 365 * DAY),
    ),
    *_table("audit_ip_retention_seconds", gdpr=("*", 30 * DAY)),
)
"""All of them."""


def numbers_of(key: str) -> list[Any]:
    """The cases of a test: every framework that has a number of this kind, named after the clause."""
    return [pytest.param(one, id=f"{one.preset} {one.clause}") for one in NUMBERS if one.key == key]
