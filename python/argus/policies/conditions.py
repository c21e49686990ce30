"""Rules of a policy document: fields that hold where a condition over the facts of a sign-in is met.

A document may say `rules: [{name, when, then}]`. `when` is a condition in a part of CEL whose cost has a bound
(`rust_core/core/src/condition.rs`); `then` is a document without rules. Where several conditions are met the strictest
value counts, over what the document says for all; what holds for all scopes (`Rule.is_for_all`) no rule loosens. A
condition that depends on a fact which is not known is not met.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Self

from argus._core import Condition
from argus.base.policy import RULES
from argus.base.policy_rules import Fault, did_you_mean
from argus.policies.resolve import Document, Layer, strictest

RULES_KEY: Final = "rules"
"""Key of the rules in a document."""

MOST_RULES: Final = 50
"""Most rules of a document."""

VARIABLES: Final[Mapping[str, tuple[str, str]]] = {
    "client_id": ("text", "Id of the client."),
    "user_id": ("text", "Id of the user."),
    "groups": ("texts", "Ids of the user's groups."),
    "acr": ("number", "Level that was proved: 1, 2 or 3."),
    "amr": ("texts", "Methods that were used (RFC 8176)."),
    "device_class": ("text", "desktop, phone, tablet, …"),
    "device_trusted": ("flag", "The device is one that its user trusts."),
    "country": ("text", "ISO 3166-1 code of the country."),
    "network_class": ("text", "hosting, anonymiser, access, …"),
    "hour": ("number", "Hour of the day, 0 to 23, UTC."),
    "weekday": ("number", "Day of the week, 1 (Monday) to 7, UTC."),
    "unknown": ("texts", "Names of the facts that are not known; this one always is."),
}
"""The facts that conditions speak of: what each is, and what it means."""

_CHANGING: Final = frozenset(VARIABLES) - {"client_id", "user_id", "groups", "device_class"}
# Words of a condition, those in its texts too: one too many costs a judgement that changes nothing.
_WORD: Final = re.compile("[a-z_]+")

_KINDS: Final = {name: kind for name, (kind, _) in VARIABLES.items()}
_KEYS: Final = ("name", "when", "then")
_LONGEST_NAME: Final = 63
# What is not one of them: words of the language, as hints.
_FUNCTIONS: Final = ("contains", "endsWith", "size", "startsWith", "exists", "all", "exists_one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a decision is made; None and an empty text are not known.

    Attributes:
        time: When.
        client_id: The client.
        user_id: The user.
        groups: Groups of the user; None: not known.
        acr: Level that was proved.
        amr: Methods that were used; None: not known.
        device_class: desktop, phone, tablet, …
        device_trusted: The device is one that its user trusts.
        country: ISO 3166-1 code.
        network_class: hosting, anonymiser, access, …
    """

    time: datetime | None = None
    client_id: str = ""
    user_id: str = ""
    groups: Sequence[str] | None = None
    acr: int | None = None
    amr: Sequence[str] | None = None
    device_class: str = ""
    device_trusted: bool | None = None
    country: str = ""
    network_class: str = ""

    def to_json(self) -> dict[str, Any]:
        """What is known, as it is recorded."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        said = {name: value for name, value in known.items() if value not in (None, "")}
        return said | ({} if self.time is None else {"time": self.time.isoformat()})

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """What was recorded."""
        known: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in said.items()}
        if "time" in said:
            known["time"] = datetime.fromisoformat(said["time"])
        return cls(**known)

    def variables(self) -> dict[str, Any]:
        """The values of `VARIABLES`; None: not known."""
        time = None if self.time is None else self.time.astimezone(UTC)
        values: dict[str, Any] = {
            "client_id": self.client_id or None,
            "user_id": self.user_id or None,
            "groups": None if self.groups is None else list(self.groups),
            "acr": self.acr,
            "amr": None if self.amr is None else list(self.amr),
            "device_class": self.device_class or None,
            "device_trusted": self.device_trusted,
            "country": self.country or None,
            "network_class": self.network_class or None,
            "hour": None if time is None else time.hour,
            "weekday": None if time is None else time.isoweekday(),
        }
        return values | {"unknown": [name for name, value in values.items() if value is None]}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What became of a rule.

    Attributes:
        layer: The document that it stands in.
        rule: Its name.
        is_met: Its condition was met.
        unknown: What would have to be known to say.
    """

    layer: Layer
    rule: str
    is_met: bool
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Clients at whose refreshes rules are judged: all, or some."""

    of_all: bool
    of_clients: frozenset[str]

    def holds(self, client_id: str) -> bool:
        """Whether a client is one of them."""
        return self.of_all or client_id in self.of_clients


def rule_faults(written: object, path: str, then_faults: Any) -> Iterator[Fault]:
    """What is wrong with the rules of a document.

    Args:
        written: The rules.
        path: Their path.
        then_faults: Says what is wrong with the document of a rule, given it and its path.
    """
    if not isinstance(written, list | tuple) or len(written) > MOST_RULES:
        yield Fault(path=path, reason=f"must be a list of at most {MOST_RULES} rules")
        return
    seen: dict[str, int] = {}
    for place, rule in enumerate(written):
        here = f"{path}[{place}]"
        if not isinstance(rule, Mapping):
            yield Fault(path=here, reason="must be an object of name, when and then")
            continue
        for key in rule.keys() - set(_KEYS):
            yield Fault(path=f"{here}.{key}", reason="is not part of a rule", hint=did_you_mean(key, _KEYS))
        yield from _name_faults(rule.get("name"), f"{here}.name", seen, place)
        yield from condition_faults(rule.get("when"), f"{here}.when")
        then = rule.get("then")
        if not isinstance(then, Mapping) or not then:
            yield Fault(path=f"{here}.then", reason="must be an object of the fields that hold")
        elif RULES_KEY in then:
            yield Fault(path=f"{here}.then.{RULES_KEY}", reason="can't stand within a rule")
        else:
            yield from then_faults(then, f"{here}.then")


def condition_faults(written: object, path: str) -> Iterator[Fault]:
    """What is wrong with a condition, and where in it."""
    if not isinstance(written, str):
        yield Fault(path=path, reason="must be a condition", hint="such as \"'staff' in groups\"")
        return
    try:
        _compiled(written)
    except ValueError as error:
        reason, word, line, column, hint = error.args
        place = f" (line {line}, column {column})" if line else ""
        said = f'"{word}" {reason}' if word else reason
        yield Fault(path=path, reason=said + place, hint=hint or _known_names(word, reason))


def _known_names(word: str, reason: str) -> str:
    """What a name may have been meant to be, which is none; empty: it is not about a name."""
    near = did_you_mean(word, [*VARIABLES, *_FUNCTIONS])
    if near or not word:
        return near
    return f"functions are {', '.join(_FUNCTIONS)}" if "function" in reason else f"facts are {', '.join(VARIABLES)}"


def speaks_of_changes(document: Document) -> bool:
    """Whether a rule of a document depends on what may be another thing while a session lives.

    Groups are left out: sessions follow their changes when they are made (`flows.policy_following`).
    """
    return any(not _CHANGING.isdisjoint(_WORD.findall(rule["when"])) for rule in document.get(RULES_KEY, ()))


def apply_rules(layers: Sequence[Layer], facts: Facts) -> tuple[list[Layer], list[RuleOutcome]]:
    """The documents as they hold under these facts, and what became of each rule."""
    applied: list[Layer] = []
    outcomes: list[RuleOutcome] = []
    variables: dict[str, Any] | None = None
    for layer in layers:
        rules = layer.document.get(RULES_KEY)
        if rules:
            variables = facts.variables() if variables is None else variables
            judged = [_judge(layer, rule, variables) for rule in rules]
            outcomes += judged
            met = [rule for rule, outcome in zip(rules, judged, strict=True) if outcome.is_met]
            applied.append(_with(layer, met))
        else:
            applied.append(layer)
    return applied, outcomes


def _judge(layer: Layer, rule: Mapping[str, Any], variables: dict[str, Any]) -> RuleOutcome:
    is_met, unknown = _compiled(rule["when"]).judge(variables)
    return RuleOutcome(layer=layer, rule=rule["name"], is_met=is_met, unknown=tuple(unknown))


def _with(layer: Layer, met: Sequence[Mapping[str, Any]]) -> Layer:
    """The document as it holds where these rules are met: no rule loosens what the document says of a field for all."""
    said: Document = {key: value for key, value in layer.document.items() if key != RULES_KEY}
    ruled = strictest([rule["then"] for rule in met])
    own = {key: said[key] for key in ruled if key in said and RULES[key].is_for_all}
    values = {**ruled, **strictest([own, {key: ruled[key] for key in own}])}
    names = {key: [rule["name"] for rule in met if key in rule["then"]] for key in values}
    for key, value in own.items():
        if values[key] == value:
            del names[key]  # the rules add nothing to it
        elif values[key] != ruled[key]:
            names[key].insert(0, "")  # presets of both hold
    return replace(layer, document={**said, **values}, rules=names)


def _name_faults(name: object, path: str, seen: dict[str, int], place: int) -> Iterator[Fault]:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        yield Fault(path=path, reason=f"must be a text of 1 to {_LONGEST_NAME} printable characters")
    elif seen.setdefault(name, place) != place:
        yield Fault(path=path, reason=f"is the name of rule {seen[name]}, too")


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Condition:
    return Condition(source, _KINDS)
