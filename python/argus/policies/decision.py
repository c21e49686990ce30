"""What a policy decides of a sign-in: one pure function, for the live flow, trials and reports alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from argus.base.device_classes import device_class
from argus.base.factor_kinds import has_counting_factor
from argus.base.policy import RULES, Policy
from argus.policies.conditions import Facts, RuleOutcome
from argus.policies.resolve import Resolved, Source

Outcome = Literal["ALLOW", "STEP_UP", "DENY"]

# What a session is given when it begins; where two policies differ in one of these, they decide otherwise.
_GIVEN: Final = (
    *("idle_seconds", "absolute_seconds", "access_seconds"),
    *("session_limit", "client_session_limit", "device_class_limits", "on_limit"),
)
_OF_CLASS: Final = "device_class_limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a sign-in.

    Attributes:
        outcome: ALLOW; STEP_UP: a higher level has to be proved first; DENY: no proof helps.
        required_acr: The level that is required.
        second_factor: Kind of second factor that is required and was not used; empty: none.
        given: What a session that begins is given, by field; of limits by class that of its device's.
        refused_by: What refuses it beside the level: a field that denies its place, or "trust"; empty: nothing, or
            nobody asked (`flows.deciding`).
    """

    outcome: Outcome
    required_acr: int
    second_factor: str = ""
    given: tuple[tuple[str, Any], ...]
    refused_by: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is recorded."""
        lacking = {"second_factor": self.second_factor} if self.second_factor else {}
        refused = {"refused_by": self.refused_by} if self.refused_by else {}
        return {"outcome": self.outcome, "required_acr": self.required_acr, **lacking, **refused, **dict(self.given)}


def decide(policy: Policy, facts: Facts) -> Decision:
    """What a policy decides under these facts; a level that is not known is none. Places and trust are not asked."""
    has_level = (facts.acr or 0) >= policy.required_acr
    lacks_kind = policy.required_acr > 1 and not has_counting_factor(facts.amr or (), policy.second_factor)
    given = {key: RULES[key].write(getattr(policy, key.removesuffix(RULES[key].suffix))) for key in _GIVEN}
    kind = device_class(facts.device_class)
    given[_OF_CLASS] = {name: most for name, most in given[_OF_CLASS].items() if name == kind}
    return Decision(
        outcome="ALLOW" if has_level and not lacks_kind else "STEP_UP",
        required_acr=policy.required_acr,
        second_factor=policy.second_factor if lacks_kind else "",
        given=tuple(given.items()),
    )


def explain(
    decision: Decision, facts: Facts, resolved: Mapping[str, Resolved], rules: Sequence[RuleOutcome]
) -> list[str]:
    """Why, in sentences."""
    proved = "no level is known to be proved" if facts.acr is None else f"level {facts.acr} is proved"
    required = f"level {decision.required_acr} is required by {_by(resolved['required_acr'].sources)}"
    said = [f"{decision.outcome}: {proved}, {required}"]
    if decision.refused_by in resolved:
        said.append(
            f"{decision.refused_by} lets nobody sign in from there: {_by(resolved[decision.refused_by].sources)}"
        )
    if decision.second_factor:
        by = _by(resolved["second_factor"].sources)
        said.append(f"a second factor that is {decision.second_factor} is required by {by}, and none was used")
    for key, value in decision.given:
        said.append(f"{key.removesuffix(RULES[key].suffix)} {RULES[key].show(value)}: {_by(resolved[key].sources)}")
    for one in rules:
        where = f'rule "{one.rule}" of {one.layer.kind} {one.layer.id}'.rstrip()
        if one.unknown:
            said.append(f"{where} is not met: {', '.join(one.unknown)} unknown")
        else:
            said.append(f"{where} is {'met' if one.is_met else 'not met'}")
    return said


def _by(sources: Sequence[Source]) -> str:
    return " and ".join(describe(source) for source in sources)


def describe(source: Source) -> str:
    """Where a value comes from, in words."""
    match source.kind:
        case "default":
            return "Argus's default"
        case "installation":
            return "the installation's settings"
        case "preset":
            where = f" ({source.clause})" if source.clause else ""
            return f"preset {source.name}{where}" + (", our choice" if source.is_ours else "")
        case "bound":
            return f"{source.name}, which it can't exceed"
    revision = f", revision {source.revision}" if source.revision else ""
    rule = f', rule "{source.rule}"' if source.rule else ""
    return f"{source.kind} {source.name}".rstrip() + revision + rule
