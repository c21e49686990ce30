"""The table of a policy's fields: whatever a document may set is declared here, once.

The rule of a field says what may be set, which of two values is stricter, and what it means; see
`argus.base.policy_fields`. A new field is one line here, a use of it in a flow, and `make generate`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from argus.base.device_classes import DEVICE_CLASSES
from argus.base.limits import LONGEST_ACCESS_LIFE, LONGEST_SESSION
from argus.base.policy_fields import choice, flag, names, networks, number, numbers, rows, rules_of, span, word
from argus.base.policy_lists import EVERYTHING
from argus.base.policy_rules import Rule

__all__ = ["EVERYTHING", "RULES", "Policy", "TrustFloor"]

Rotation = Literal["resilient", "strict"]
Reuse = Literal["contest", "end"]
OnLimit = Literal["deny", "end_oldest", "end_least_recent", "end_lowest_trust", "ask_user"]
SecondFactor = Literal["any", "replay_resistant", "phishing_resistant", "hardware"]
"""Kind of factor without which what was proved counts as level 1 (NIST SP 800-53 IA-2(8), SP 800-63B-4 3.2.5)."""
PasswordComposition = Literal["none", "letters_and_digits"]
CookieSameSite = Literal["lax", "strict"]
OnChange = Literal["allow", "signal", "step_up", "end"]

_LONGEST: Final = timedelta(days=3660)

PRESET_NAMES: Final = (
    "soc2",
    "iso27001",
    "pci-dss",
    "hipaa",
    "gdpr",
    "fedramp-moderate",
    "fedramp-high",
    "asvs-l1",
    "asvs-l2",
    "asvs-l3",
)
"""Frameworks whose numbers `argus.policies.presets` has."""


def _on_change(text: str) -> Any:
    return choice("allow", f"{text} to a session at refresh and use.", choices=("allow", "signal", "step_up", "end"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFloor:
    """Floors of trust for whoever uses a scope or asks for an action."""

    scope: str = word("Scope that it is a floor of.")
    action: str = word("Action that it is a floor of.")
    step_up_below: int = number(
        0, "Trust (0-100) below which a step-up is asked for.", least=0, most=100, larger_is_stricter=True
    )
    deny_below: int = number(0, "Trust (0-100) below which it is refused.", least=0, most=100, larger_is_stricter=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is in force for a session. The defaults are those of an installation where nothing is set."""

    presets: tuple[str, ...] = names(
        (),
        "Frameworks whose demands no narrower scope can loosen; of several the strictest number counts.",
        choices=PRESET_NAMES,
        is_for_all=True,
    )

    privileged: bool = flag(
        "Whether access is privileged: to functions of security or administration that others may not use (NIST SP "
        "800-53). Presets have numbers of their own for it. A yes of any scope counts.",
        default=False,
        stricter=True,
        is_for_all=True,
    )

    # How long sessions and tokens live.
    idle: timedelta = span("8h", "Longest gap between two uses of a session.", least="1m", most=LONGEST_SESSION)
    absolute: timedelta = span("24h", "Longest life of a session whatever its use.", least="1m", most=LONGEST_SESSION)
    access: timedelta = span("5m", "Life of an access token.", least="30s", most=LONGEST_ACCESS_LIFE)
    refresh: timedelta = span(
        "0s",
        "Longest life of a refresh token, counted from the refresh that made it; never beyond the session's end.",
        least="1m",
        most=LONGEST_SESSION,
        zero="as long as the session",
    )
    grace: timedelta = span(
        "30s",
        "How long the refresh token before the newest counts; at least 2 x request_deadline.",
        least="2s",
        most="5m",
    )
    request_deadline: timedelta = span(
        "10s", "Longest time that a request may take.", least="1s", most="60s", is_setting=False
    )
    refresh_is_activity: bool = flag("Whether a refresh extends the idle deadline.", default=True, stricter=False)
    rotation: Rotation = choice(
        "resilient",
        "resilient forgives lost answers; strict ends the family at any reuse (RFC 9700).",
        choices=("resilient", "strict"),
    )
    reuse: Reuse = choice(
        "contest", "What a refresh token two generations old does to the session.", choices=("contest", "end")
    )

    # How many sessions there may be.
    session_limit: int = number(10, "Sessions a user may have.", least=1, most=10_000, zero="no limit")
    client_session_limit: int = number(
        0, "Sessions a user may have with one client.", least=1, most=10_000, zero="no limit"
    )
    device_class_limits: tuple[tuple[str, int], ...] = numbers(
        "Sessions a user may have on devices of one class; without a number there is no limit.",
        names=DEVICE_CLASSES,
        least=1,
        most=10_000,
        zero="no limit",
    )
    on_limit: OnLimit = choice(
        "end_oldest",
        "What a sign-in beyond one of the limits does.",
        choices=("end_least_recent", "end_oldest", "end_lowest_trust", "ask_user", "deny"),
    )

    # What a sign-in must prove. Passwords are never shorter than NIST SP 800-63B-4, 3.1.1.2 asks for.
    password_min_alone: int = number(
        15,
        "Shortest password that is the only factor (SP 800-63B-4).",
        least=15,
        most=128,
        larger_is_stricter=True,
    )
    password_min_with_second_factor: int = number(
        8, "Shortest password beside a second factor.", least=8, most=128, larger_is_stricter=True
    )
    # For all: refreshes are held to a client's, whoever its user, so that no narrower scope may undercut it.
    required_acr: int = number(
        1,
        "Lowest level that a session may begin or be refreshed at (urn:argus:acr:N); whoever has no factor for it is "
        "asked to enrol one. The highest of all scopes counts.",
        least=1,
        most=3,
        larger_is_stricter=True,
        is_for_all=True,
    )

    second_factor: SecondFactor = choice(
        "any",
        "Kind of second factor without which no session reaches level 2 or 3. The strictest of all scopes counts.",
        choices=("any", "replay_resistant", "phishing_resistant", "hardware"),
        is_for_all=True,
    )
    step_up_age: timedelta = span(
        "5m",
        "How old the proof may be that a change of factors needs; with 0s each change needs one of its own.",
        least="0s",
        most="1d",
    )
    # Of a tenant or client: who is guessed at, and whether there is such a user, must not show in a wait.
    lockout_tries: int = number(
        10, "Failures before further tries have to wait; counts for a tenant or client.", least=1, most=100
    )
    lockout: timedelta = span(
        "0s",
        "How long each further try waits at least; with 0s a second, doubled by each failure. For a tenant or client.",
        least="0s",
        most="1d",
        longer_is_stricter=True,
    )

    # What a new password must be, and how long it counts.
    password_composition: PasswordComposition = choice(
        "none", "Characters that a password must have.", choices=("none", "letters_and_digits")
    )
    password_history: int = number(
        0,
        "Passwords, the present one among them, that a new one must differ from.",
        least=0,
        most=24,
        larger_is_stricter=True,
    )
    password_max_age: timedelta = span(
        "0s",
        "How long after it was set a password begins sessions that is the only factor.",
        least="1h",
        most=_LONGEST,
        zero="for ever",
    )

    # How long accounts and records last.
    unused_account: timedelta = span(
        "0s", "After how long without a use a user is disabled.", least="1h", most=_LONGEST, zero="never"
    )
    unused_account_kept: timedelta = span(
        "0s",
        "How long a user that was disabled for want of use is kept before it is deleted; enabling or disabling it ends "
        "that.",
        least="1h",
        most=_LONGEST,
        zero="for ever",
    )
    audit_retention: timedelta = span(
        "0s",
        "How long audit events are kept before they are deleted; counts for a whole tenant.",
        least="1d",
        most=_LONGEST,
        longer_is_stricter=True,
        zero="for ever, unless a preset says how long",
    )
    audit_ip_retention: timedelta = span(
        "0s",
        "How long addresses in audit events are whole before they are cut to /24 (IPv4) or /48 (IPv6); counts for a "
        "whole tenant.",
        least="1d",
        most=_LONGEST,
        zero="for ever",
    )

    # Devices.
    new_device_notice: bool = flag(
        "Whether a user is told by mail of a sign-in on a new device.", default=True, stricter=True
    )
    posture_max_age: timedelta = span(
        "24h", "How long a report on the state of a device counts.", least="1m", most="90d"
    )
    device_trusted_for: timedelta = span(
        "30d", "How long a device may be trusted; with 0s not at all.", least="0s", most="365d"
    )

    # How far devices, sessions and places are trusted.
    trust_step_up_below: int = number(
        0, "Trust (0-100) of a session below which a step-up is asked for.", least=0, most=100, larger_is_stricter=True
    )
    trust_deny_below: int = number(
        0, "Trust (0-100) of a session below which it is refused.", least=0, most=100, larger_is_stricter=True
    )
    trust_floors: tuple[TrustFloor, ...] = rows(
        "Floors of trust for single scopes and actions, beside those for everything.", table=TrustFloor
    )
    on_device_change: OnChange = _on_change("What another device (installation, TLS print, browser family) does")
    on_country_change: OnChange = _on_change("What another country does")
    on_network_change: OnChange = _on_change("What another class of network (access, hosting, anonymiser) does")
    on_listed_network: OnChange = _on_change("What one of listed_networks does")
    listed_networks: tuple[str, ...] = networks("Networks that on_listed_network is about.")
    allowed_countries: tuple[str, ...] = names(
        ("*",),
        "Countries (ISO 3166-1 alpha-2) that users may sign in from; an unknown one is none that is forbidden.",
        pattern="[A-Z]{2}",
        is_allowing=True,
    )
    denied_countries: tuple[str, ...] = names(
        (), "Countries (ISO 3166-1 alpha-2) that nobody may sign in from.", pattern="[A-Z]{2}"
    )
    denied_networks: tuple[str, ...] = networks("Networks that nobody may sign in from.")

    # Browsers and accounts.
    remember_me: bool = flag(
        "Whether browsers keep a session's cookies until it ends, else until they are closed; counts for a whole "
        "tenant. An installation's own default is keep_cookies.",
        default=False,
        stricter=False,
    )
    cookie_same_site: CookieSameSite = choice(
        "lax",
        "SameSite of the cookie that holds an access token; counts for a whole tenant.",
        choices=("lax", "strict"),
    )
    script_access_token: bool = flag(
        "Whether scripts in browsers may see the access token that a cookie holds.", default=False, stricter=False
    )
    self_registration: bool = flag(
        "Whether whoever reads the mail of an address may register; counts for a whole tenant.",
        default=False,
        stricter=False,
    )
    recovery_ends_sessions: bool = flag(
        "Whether a password set by a link in a mail ends all sessions of its user.", default=True, stricter=True
    )

    @property
    def password_minimum(self) -> int:
        """Fewest characters of a password here: where no session begins with a password alone, it is never alone."""
        return self.password_min_with_second_factor if self.required_acr > 1 else self.password_min_alone


RULES: Final[dict[str, Rule]] = rules_of(Policy)
"""The rules of all fields, by the fields' keys in documents."""
