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
        preset: The preset that has it.
        clause: Where it stands there.
        key: The policy's field that holds it, as documents have it; "password_closed_after" is no field: it is 100
            whatever the policy.
        value: The loosest value that meets it.
        privileged: It is asked for of privileged access alone, or of other access alone; None: of all.
    """

    preset: str
    clause: str
    key: str
    value: Any
    privileged: bool | None = None

    @property
    def control(self) -> str:
        """What it is a number of."""
        return f"{self.key} (privileged)" if self.privileged else self.key

    @property
    def name(self) -> str:
        """What it is called by."""
        return f"{self.preset} {self.control}"


def _table(key: str, *, privileged: bool | None = None, **rows: tuple[str, Any]) -> list[Number]:
    names = {name: name.replace("_", "-").replace("pci", "pci-dss").replace("asvs", "asvs-") for name in rows}
    return [
        Number(preset=names[name], clause=clause, key=key, value=value, privileged=privileged)
        for name, (clause, value) in rows.items()
    ]


NUMBERS: Final = (
    *_table(
        "idle_seconds",
        soc2=("CC6.1*", 30 * MINUTE),
        iso27001=("A.8.5*", 30 * MINUTE),
        pci=("8.2.8", 15 * MINUTE),
        hipaa=("312(a)(2)(iii)*", 15 * MINUTE),
        gdpr=("32*", 60 * MINUTE),
        fedramp_moderate=("AC-11, SC-10", 15 * MINUTE),
        fedramp_high=("AC-11, SC-10", 15 * MINUTE),
        asvsl2=("V7.3.1*", 60 * MINUTE),
        asvsl3=("V7.3.1*", 15 * MINUTE),
    ),
    *_table(
        "idle_seconds",
        privileged=True,
        fedramp_moderate=("SC-10", 10 * MINUTE),
        fedramp_high=("SC-10", 10 * MINUTE),
    ),
    *_table(
        "absolute_seconds",
        soc2=("CC6.1*", 12 * HOUR),
        iso27001=("A.8.5*", 12 * HOUR),
        pci=("*", 12 * HOUR),
        hipaa=("*", 12 * HOUR),
        gdpr=("32*", 24 * HOUR),
        fedramp_moderate=("IA-11", 12 * HOUR),
        fedramp_high=("IA-11", 12 * HOUR),
        asvsl2=("V7.3.2*", 24 * HOUR),
        asvsl3=("V7.3.2*", 12 * HOUR),
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
        asvsl2=("*", 10 * MINUTE),
        asvsl3=("*", 5 * MINUTE),
    ),
    # As long as the session.
    *_table(
        "refresh_seconds",
        soc2=("*", 12 * HOUR),
        iso27001=("*", 12 * HOUR),
        pci=("*", 12 * HOUR),
        hipaa=("*", 12 * HOUR),
        gdpr=("*", 24 * HOUR),
        fedramp_moderate=("*", 12 * HOUR),
        fedramp_high=("*", 12 * HOUR),
        asvsl2=("*", 24 * HOUR),
        asvsl3=("*", 12 * HOUR),
    ),
    *_table(
        "refresh_is_activity",
        soc2=("*", False),
        iso27001=("*", False),
        pci=("*", False),
        hipaa=("*", False),
        gdpr=("*", False),
        fedramp_moderate=("*", False),
        fedramp_high=("*", False),
        asvsl2=("*", False),
        asvsl3=("*", False),
    ),
    *_table(
        "lockout_tries",
        soc2=("*", 10),
        iso27001=("*", 10),
        pci=("8.3.4", 10),
        hipaa=("*", 10),
        gdpr=("*", 10),
        fedramp_moderate=("AC-7*", 5),
        fedramp_high=("AC-7*", 5),
        asvsl1=("V6.3.1", 100),
        asvsl2=("V6.3.1", 100),
        asvsl3=("V6.3.1*", 5),
    ),
    # How long each further try waits; without a number longer and longer (SP 800-63B-4, 3.2.2).
    *_table(
        "lockout_seconds",
        soc2=("*", 15 * MINUTE),
        iso27001=("*", 15 * MINUTE),
        pci=("8.3.4", 30 * MINUTE),
        hipaa=("*", 30 * MINUTE),
        gdpr=("*", 15 * MINUTE),
        asvsl1=("V6.3.1*", 15 * MINUTE),
        asvsl2=("V6.3.1*", 15 * MINUTE),
    ),
    *_table(
        "password_closed_after",
        fedramp_moderate=("AC-7", 100),
        fedramp_high=("AC-7", 100),
        asvsl3=("V6.3.1", 100),
    ),
    *_table(
        "required_acr",
        soc2=("CC6.1*", 2),
        iso27001=("A.8.5*", 2),
        pci=("8.4.2", 2),
        hipaa=("312(d)*", 2),
        fedramp_moderate=("IA-2(1)(2)", 2),
        fedramp_high=("IA-2(1)(2)", 3),
        asvsl2=("V6.3.3", 2),
        asvsl3=("V6.3.3", 3),
    ),
    *_table(
        "second_factor",
        pci=("8.5.1", "replay_resistant"),
        fedramp_moderate=("IA-2(1)(2)(8)", "phishing_resistant"),
        fedramp_high=("IA-2(1)(2)(8)", "hardware"),
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
        asvsl2=("V7.5.1*", 5 * MINUTE),
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
        asvsl2=("V7.1.2*", 10),
        asvsl3=("V7.1.2*", 3),
    ),
    *_table("session_limit", privileged=False, fedramp_high=("AC-10", 2)),
    *_table("session_limit", privileged=True, fedramp_high=("AC-10", 3)),
    *_table(
        "password_min_alone",
        soc2=("*", 15),
        iso27001=("*", 15),
        pci=("8.3.6", 15),
        hipaa=("*", 15),
        gdpr=("*", 15),
        fedramp_moderate=("IA-5(1)", 15),
        fedramp_high=("IA-5(1)", 15),
        asvsl1=("V6.2.1", 15),
        asvsl2=("V6.2.1", 15),
        asvsl3=("V6.2.1", 15),
    ),
    *_table(
        "password_min_with_second_factor",
        soc2=("*", 8),
        iso27001=("*", 8),
        pci=("8.3.6", 12),
        hipaa=("*", 8),
        gdpr=("*", 8),
        fedramp_moderate=("IA-5(1)", 8),
        fedramp_high=("IA-5(1)", 8),
        asvsl1=("V6.2.1", 8),
        asvsl2=("V6.2.1", 8),
        asvsl3=("V6.2.1", 8),
    ),
    *_table("password_composition", pci=("8.3.6", "letters_and_digits")),
    *_table("password_history", pci=("8.3.7", 4)),
    *_table("password_max_age_seconds", pci=("8.3.9", 90 * DAY)),
    *_table("recovery_ends_sessions", asvsl2=("V7.4.3*", True), asvsl3=("V7.4.3*", True)),
    *_table(
        "unused_account_seconds",
        soc2=("*", 90 * DAY),
        iso27001=("*", 90 * DAY),
        pci=("8.2.6", 90 * DAY),
        hipaa=("*", 90 * DAY),
        gdpr=("5(1)(e)*", 730 * DAY),
        fedramp_moderate=("AC-2(3)", 90 * DAY),
        fedramp_high=("AC-2(3)", 35 * DAY),
        asvsl3=("*", 90 * DAY),
    ),
    # After the two years: as long as there is to come back before all is erased.
    *_table("unused_account_kept_seconds", gdpr=("5(1)(e), 17*", 30 * DAY)),
    *_table(
        "audit_retention_seconds",
        soc2=("*", 365 * DAY),
        iso27001=("*", 365 * DAY),
        pci=("10.5.1", 365 * DAY),
        hipaa=("316(b)(2)(i)", 2192 * DAY),
        gdpr=("5(1)(e)*", 365 * DAY),
        fedramp_moderate=("AU-11", 913 * DAY),
        fedramp_high=("AU-11", 913 * DAY),
        asvsl2=("V16.1.1*", 365 * DAY),
        asvsl3=("V16.1.1*", 365 * DAY),
    ),
    *_table("audit_ip_retention_seconds", gdpr=("5(1)(c)*", 30 * DAY)),
)
"""All of them."""


def numbers_of(key: str, *, most: int | None = None) -> list[Any]:
    """The cases of a test: every framework that has a number of this kind, named after the clause.

    Args:
        key: The field.
        most: Those up to this value alone; None: all.
    """
    of = {None: "", True: " privileged", False: " other"}
    return [
        pytest.param(one, id=f"{one.preset} {one.clause}{of[one.privileged]}")
        for one in NUMBERS
        if one.key == key and (most is None or one.value <= most)
    ]


def concerns(*controls: str) -> pytest.MarkDecorator:
    """Marks a test that is about no framework's number, and may turn red where one of these controls is taken away."""
    return pytest.mark.concerns(*controls)
