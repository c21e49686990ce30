"""What is odd about a document that can be set: it says less, or other than its writer may think."""

from collections.abc import Iterator
from typing import Any, Final

from argus.base.policy import RULES
from argus.base.policy_rules import Fault
from argus.policies.conditions import RULES_KEY
from argus.policies.presets import demands
from argus.policies.resolve import Document

_SESSION: Final = "absolute_seconds"
_STEP_UP, _DENY = "trust_step_up_below", "trust_deny_below"
_ALLOWED, _DENIED = "allowed_countries", "denied_countries"
_WITHIN_SESSION: Final = ("idle_seconds", "access_seconds", "refresh_seconds")
# NIST SP 800-63B-4, 2.1.3, 2.2.3 and 2.3.3: what a session of each level should at most live, in seconds.
_HOUR: Final = 3600
_RECOMMENDED: Final[dict[int, dict[str, int]]] = {
    1: {_SESSION: 30 * 24 * _HOUR},
    2: {"idle_seconds": _HOUR, _SESSION: 24 * _HOUR},
    3: {"idle_seconds": _HOUR // 4, _SESSION: 12 * _HOUR},
}

# What ASVS 5.0 asks to be left out.
_NOT_BY_ASVS: Final = {"password_composition": "V6.2.5", "password_max_age_seconds": "V6.2.10"}


def warnings(document: Document, *, field: str = "policy") -> Iterator[Fault]:
    """What may not be meant. The document is one that can be set.

    Args:
        document: Some of the fields.
        field: Path of the document.
    """
    yield from _without_effect(document, field)
    yield from _beyond_recommendation(document, field)
    yield from _against_asvs(document, field)
    for place, rule in enumerate(document.get(RULES_KEY, ())):
        here = f"{field}.{RULES_KEY}[{place}].then"
        presets = {*document.get("presets", ()), *rule["then"].get("presets", ())}
        within = {**rule["then"], "presets": sorted(presets)}
        yield from _without_effect(within, here)
        for key, value in rule["then"].items():
            if document.get(key) == value:
                yield Fault(path=f"{here}.{key}", reason="is what the document says for all", hint="leave it out")
            elif (
                key in document
                and RULES[key].is_for_all
                and RULES[key].strictest([document[key], value]) == RULES[key].strictest([document[key]])
            ):
                shown = RULES[key].show(document[key])
                yield Fault(path=f"{here}.{key}", reason=f"has no effect: {shown} holds for all", hint="leave it out")


def _without_effect(document: Document, field: str) -> Iterator[Fault]:
    """Values that a preset of the same document overrules, or the life of the session."""
    # What is not privileged by this document may be by another: only what counts for neither has no effect.
    least = bool(document.get("privileged", False))
    cases = [demands(document.get("presets", ()), privileged=one) for one in (False, True)[least:]]
    for key in [key for key in document if all(key in case for case in cases)]:
        strictest = [RULES[key].strictest([document[key], *(one.value for _, one in case[key])]) for case in cases]
        if document[key] not in strictest:
            names = ", ".join(name for name, demand in cases[0][key] if demand.value == strictest[0])
            shown = RULES[key].show(strictest[0])
            yield Fault(path=f"{field}.{key}", reason=f"has no effect: {names} demands {shown}", hint="leave it out")
    if 0 < document.get(_STEP_UP, 0) <= document.get(_DENY, 0):
        yield Fault(path=f"{field}.{_STEP_UP}", reason=f"has no effect: below {_DENY} it is refused", hint="raise it")
    both = set(document.get(_ALLOWED, ())) & set(document.get(_DENIED, ()))
    if both:
        named = ", ".join(sorted(both))
        yield Fault(
            path=f"{field}.{_ALLOWED}", reason=f"has no effect for {named}: {_DENIED} has it", hint="choose one"
        )
    for key in _WITHIN_SESSION:
        if key in document and _SESSION in document and document[key] > document[_SESSION]:
            yield Fault(path=f"{field}.{key}", reason=f"has no effect beyond {_SESSION}", hint="shorten it")


def _against_asvs(document: Document, field: str) -> Iterator[Fault]:
    """What a framework forbids can't be a ceiling: a document may ask for it all the same, or another preset."""
    presets = document.get("presets", ())
    asvs = next((name for name in presets if name.startswith("asvs-")), "")
    demanded = demands(presets, privileged=False)
    for key, clause in _NOT_BY_ASVS.items() if asvs else ():
        default = RULES[key].write(RULES[key].default)
        if document.get(key, default) != default:
            reason = f"is against {clause} of {asvs}, which asks for none"
            yield Fault(path=f"{field}.{key}", reason=reason, hint="leave it out")
        elif key in demanded:
            reason = f"{demanded[key][0][0]} demands {key}, which is against {clause} of {asvs}"
            yield Fault(path=f"{field}.presets", reason=reason, hint="say why in the reason")


def _beyond_recommendation(document: Document, field: str) -> Iterator[Fault]:
    level: Any = document.get("required_acr", 1)
    for key, longest in _RECOMMENDED[level].items():
        if key in document and document[key] > longest:
            shown = RULES[key].show(longest)
            yield Fault(
                path=f"{field}.{key}",
                reason=f"is longer than NIST SP 800-63B-4 recommends at level {level}: {shown}",
                hint="say why in the reason",
            )
