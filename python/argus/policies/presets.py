"""What frameworks demand of sessions: each number with the clause that it comes from.

A preset is a ceiling. It is chosen by a document's `presets`, holds for whatever is below that scope, and loosens
nothing; of several the strictest number counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from argus.base.policy import PRESET_NAMES

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a preset demands of a field.

    Attributes:
        key: The field.
        value: The loosest value that meets it, as documents have it.
        clause: Where it stands; if it is our choice, what it is to serve, or empty.
        is_ours: The framework gives no number: the value is our choice.
        privileged: It is demanded of privileged access alone, or of other access alone; None: of all.
    """

    key: str
    value: Any
    clause: str = ""
    is_ours: bool = False
    privileged: bool | None = None


def _said(key: str, value: Any, clause: str, *, privileged: bool | None = None) -> Demand:
    return Demand(key=key, value=value, clause=clause, privileged=privileged)


def _ours(key: str, value: Any, clause: str = "") -> Demand:
    return Demand(key=key, value=value, clause=clause, is_ours=True)


# An automatic refresh would defeat every idle timeout: only what the user does is activity.
_NO_AUTOMATIC_ACTIVITY: Final = _ours("refresh_is_activity", False)
_PASSWORDS: Final = (
    _ours("password_min_alone", 15, "NIST SP 800-63B-4, 3.1.1.2"),
    _ours("password_min_with_second_factor", 8, "NIST SP 800-63B-4, 3.1.1.2"),
)
# A proof of no time ago: one for every act.
_EVERY_TIME: Final = 0


def _commercial(clause: str, *, mfa: str) -> tuple[Demand, ...]:
    """What SOC 2 and ISO 27001 lead to: neither gives numbers."""
    return (
        _ours("idle_seconds", 30 * _MINUTE, clause),
        _ours("absolute_seconds", 12 * _HOUR, clause),
        _ours("access_seconds", 10 * _MINUTE),
        _ours("refresh_seconds", 12 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        _ours("lockout_tries", 10),
        _ours("lockout_seconds", 15 * _MINUTE),
        _ours("required_acr", 2, mfa),
        _ours("step_up_age_seconds", 15 * _MINUTE),
        _ours("session_limit", 10),
        *_PASSWORDS,
        _ours("unused_account_seconds", 90 * _DAY),
        _ours("audit_retention_seconds", 365 * _DAY),
    )


def _fedramp(*others: Demand) -> tuple[Demand, ...]:
    """What both baselines demand; NIST SP 800-53 rev. 5 with the parameters of FedRAMP."""
    return (
        _said("idle_seconds", 15 * _MINUTE, "AC-11, SC-10"),
        _said("idle_seconds", 10 * _MINUTE, "SC-10: privileged access", privileged=True),
        _said("absolute_seconds", 12 * _HOUR, "IA-11 guidance"),
        _ours("access_seconds", 5 * _MINUTE),
        _ours("refresh_seconds", 12 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        # Each further try waits longer, and at 100 the password is closed to unknown devices whatever the policy.
        _ours("lockout_tries", 5, "AC-7 (as NIST SP 800-63B-4, 3.2.2)"),
        _ours("step_up_age_seconds", 15 * _MINUTE, "IA-11"),
        _said("password_min_alone", 15, "IA-5(1): 14 where no second factor is possible; 63B: 15"),
        _said("password_min_with_second_factor", 8, "IA-5(1), NIST SP 800-63B-4, 3.1.1.2"),
        _said("audit_retention_seconds", 913 * _DAY, "AU-11; M-21-31: 12 months at hand and 18 more"),
        *others,
    )


PRESETS: Final[Mapping[str, Sequence[Demand]]] = {
    "soc2": _commercial("CC6.1", mfa="CC6.1"),
    # Whether access is remote is not known here: it is demanded of all.
    "iso27001": _commercial("A.8.5", mfa="A.8.5: privileged and remote access"),
    "pci-dss": (
        _said("idle_seconds", 15 * _MINUTE, "8.2.8"),
        _ours("absolute_seconds", 12 * _HOUR),
        _ours("access_seconds", 5 * _MINUTE),
        _ours("refresh_seconds", 12 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        _said("lockout_tries", 10, "8.3.4"),
        _said("lockout_seconds", 30 * _MINUTE, "8.3.4"),
        _said("required_acr", 2, "8.4.2"),
        _said("second_factor", "replay_resistant", "8.5.1"),
        _ours("step_up_age_seconds", 15 * _MINUTE, "8.3.3: a proof before factors are changed"),
        _ours("session_limit", 3),
        _said("password_min_alone", 15, "8.3.6: 12; NIST SP 800-63B-4: 15"),
        _said("password_min_with_second_factor", 12, "8.3.6"),
        _said("password_composition", "letters_and_digits", "8.3.6"),
        _said("password_history", 4, "8.3.7"),
        _said("password_max_age_seconds", 90 * _DAY, "8.3.9: where it is the only factor"),
        _said("unused_account_seconds", 90 * _DAY, "8.2.6"),
        _said("audit_retention_seconds", 365 * _DAY, "10.5.1"),
    ),
    "hipaa": (
        _ours("idle_seconds", 15 * _MINUTE, "164.312(a)(2)(iii) gives no number"),
        _ours("absolute_seconds", 12 * _HOUR),
        _ours("access_seconds", 5 * _MINUTE),
        _ours("refresh_seconds", 12 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        _ours("lockout_tries", 10),
        _ours("lockout_seconds", 30 * _MINUTE),
        _ours("required_acr", 2, "164.312(d)"),
        _ours("step_up_age_seconds", 15 * _MINUTE),
        _ours("session_limit", 3),
        *_PASSWORDS,
        _ours("unused_account_seconds", 90 * _DAY),
        _said("audit_retention_seconds", 2192 * _DAY, "164.316(b)(2)(i): 6 years of documentation"),
    ),
    # A second factor by risk, not for all: `required_acr` is left to the tenant.
    "gdpr": (
        _ours("idle_seconds", 60 * _MINUTE, "Art. 32"),
        _ours("absolute_seconds", 24 * _HOUR, "Art. 32"),
        _ours("access_seconds", 10 * _MINUTE),
        _ours("refresh_seconds", 24 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        _ours("lockout_tries", 10),
        _ours("lockout_seconds", 15 * _MINUTE),
        _ours("step_up_age_seconds", 15 * _MINUTE),
        _ours("session_limit", 10),
        *_PASSWORDS,
        _ours("unused_account_seconds", 730 * _DAY, "Art. 5(1)(e)"),
        # Erased after the two years; whoever comes back late has as long as Art. 12(3) gives for an answer.
        _ours("unused_account_kept_seconds", 30 * _DAY, "Art. 5(1)(e), 17: then erased"),
        _ours("audit_retention_seconds", 365 * _DAY, "Art. 5(1)(e)"),
        _ours("audit_ip_retention_seconds", 30 * _DAY, "Art. 5(1)(c): then cut to /24 and /48"),
    ),
    "fedramp-moderate": _fedramp(
        _said("required_acr", 2, "IA-2(1), IA-2(2)"),
        _said("second_factor", "phishing_resistant", "IA-2(1), IA-2(2), IA-2(8)"),
        _ours("session_limit", 5, "AC-10 is not in this baseline"),
        _said("unused_account_seconds", 90 * _DAY, "AC-2(3)"),
    ),
    "fedramp-high": _fedramp(
        _said("required_acr", 3, "IA-2(1), IA-2(2): AAL3"),
        _said("second_factor", "hardware", "IA-2(1), IA-2(2): AAL3"),
        # The one number that is looser for privileged access: a yes of `privileged` allows one session more.
        _said("session_limit", 2, "AC-10: other access", privileged=False),
        _said("session_limit", 3, "AC-10: privileged access", privileged=True),
        _said("unused_account_seconds", 35 * _DAY, "AC-2(3)"),
    ),
    # Level 1 asks for no timeout; its numbers are those of passwords and guessing.
    "asvs-l1": (
        _said("password_min_alone", 15, "V6.2.1: 8, 15 recommended"),
        _said("password_min_with_second_factor", 8, "V6.2.1"),
        _said("lockout_tries", 100, "V6.3.1 (as NIST SP 800-63B-4, 3.2.2)"),
        _ours("lockout_seconds", 15 * _MINUTE, "V6.3.1"),
    ),
    "asvs-l2": (
        _ours("idle_seconds", 60 * _MINUTE, "V7.3.1 (as NIST SP 800-63B-4 for AAL2)"),
        _ours("absolute_seconds", 24 * _HOUR, "V7.3.2 (as NIST SP 800-63B-4 for AAL2)"),
        _ours("access_seconds", 10 * _MINUTE),
        _ours("refresh_seconds", 24 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        _said("lockout_tries", 100, "V6.3.1 (as NIST SP 800-63B-4, 3.2.2)"),
        _ours("lockout_seconds", 15 * _MINUTE, "V6.3.1"),
        _said("required_acr", 2, "V6.3.3"),
        _ours("step_up_age_seconds", 5 * _MINUTE, "V7.5.1"),
        _ours("session_limit", 10, "V7.1.2"),
        _said("password_min_alone", 15, "V6.2.1: 8, 15 recommended"),
        _said("password_min_with_second_factor", 8, "V6.2.1"),
        _ours("recovery_ends_sessions", True, "V7.4.3"),
        _ours("audit_retention_seconds", 365 * _DAY, "V16.1.1"),
    ),
    "asvs-l3": (
        _ours("idle_seconds", 15 * _MINUTE, "V7.3.1 (as NIST SP 800-63B-4 for AAL3)"),
        _ours("absolute_seconds", 12 * _HOUR, "V7.3.2 (as NIST SP 800-63B-4 for AAL3)"),
        _ours("access_seconds", 5 * _MINUTE),
        _ours("refresh_seconds", 12 * _HOUR),
        _NO_AUTOMATIC_ACTIVITY,
        _ours("lockout_tries", 5, "V6.3.1 (as NIST SP 800-63B-4, 3.2.2)"),
        _said("required_acr", 3, "V6.3.3"),
        _said("second_factor", "hardware", "V6.3.3"),
        _ours("step_up_age_seconds", _EVERY_TIME, "V7.5.3"),
        _ours("session_limit", 3, "V7.1.2"),
        _said("password_min_alone", 15, "V6.2.1: 8, 15 recommended"),
        _said("password_min_with_second_factor", 8, "V6.2.1"),
        _ours("recovery_ends_sessions", True, "V7.4.3"),
        _ours("unused_account_seconds", 90 * _DAY),
        _ours("audit_retention_seconds", 365 * _DAY, "V16.1.1"),
    ),
}
"""All presets by name, in the order of `PRESET_NAMES`."""


def demands(presets: Sequence[str], *, privileged: bool) -> dict[str, list[tuple[str, Demand]]]:
    """What some presets demand, by field: each with the preset that it comes from.

    Args:
        presets: Their names.
        privileged: Whether it is demanded of privileged access.
    """
    found: dict[str, list[tuple[str, Demand]]] = {}
    for name in PRESET_NAMES:
        for demand in PRESETS[name] if name in presets else ():
            if demand.privileged in (None, privileged):
                found.setdefault(demand.key, []).append((name, demand))
    return found
