"""Makes one policy of what several scopes say and presets demand, and says where each of its values comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from argus.base.policy import RULES
from argus.policies.presets import demands

ScopeKind = Literal["tenant", "client", "group", "user"]
SourceKind = Literal["default", "installation", "tenant", "client", "group", "user", "preset", "bound"]

Document = Mapping[str, Any]
"""Some of a policy's fields, as JSON; times in whole seconds, the unit in the key."""

SCOPE_KINDS: Final[tuple[ScopeKind, ...]] = ("tenant", "client", "group", "user")
"""From the least to the most specific."""

GRACE, DEADLINE = "grace_seconds", "request_deadline_seconds"
"""Set together, so that no scope can break `grace >= 2 * request_deadline` of another (rotation.md, section 1)."""

_OF_CLIENT: Final = ("tenant", "client")
_PRESETS: Final = "presets"
_PRIVILEGED: Final = "privileged"
SESSION: Final = "absolute_seconds"
"""The longest life of a session."""

WITHIN: Final = ("idle_seconds", "access_seconds", "refresh_seconds")
"""What never outlives the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What a scope says.

    Attributes:
        kind: Kind of the scope.
        id: Its id.
        revision: Number of the document among the scope's.
        document: The fields that it sets.
        rules: By field, the names of the document's rules that set it.
    """

    kind: ScopeKind
    id: str = ""
    revision: int = 0
    document: Document
    rules: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value comes from.

    Attributes:
        kind: A scope; "default": Argus's own; "installation": the settings; "preset"; "bound": another field, which it
            can't exceed.
        name: Id of the scope, name of the preset or key of the field.
        revision: Of the scope's document.
        rule: The rule of the document whose condition was met; empty: the document says it for all.
        clause: Of a preset: where the number stands.
        is_ours: Of a preset: the framework gives no number, it is Argus's choice.
    """

    kind: SourceKind
    name: str = ""
    revision: int = 0
    rule: str = ""
    clause: str = ""
    is_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A field of a policy.

    Attributes:
        value: What is in force, as documents have it.
        sources: Where it comes from; several if they say the same, or only together.
        is_narrower: A group, a user or a rule set it, presets aside: it is not what all sessions of the client have.
        is_by_rule: Rules alone set it.
    """

    value: Any
    sources: tuple[Source, ...]
    is_narrower: bool = False
    is_by_rule: bool = False


def resolve(layers: Sequence[Layer], *, defaults: Document) -> dict[str, Resolved]:
    """All fields of the policy that some scopes make together.

    Field by field the most specific scope wins; where several groups of a user set a field, the strictest does, and of
    those fields that hold for all (`Rule.is_for_all`) the strictest of all scopes and the installation. What a preset
    of any of them demands can't be loosened by any. A span that is longer than the session counts as the session's.

    Args:
        layers: What is set, in any order.
        defaults: What holds where nothing is set: all fields.
    """
    resolved = {key: Resolved(value=value, sources=(_default(key, value),)) for key, value in defaults.items()}
    for kind in SCOPE_KINDS:
        resolved.update(_strictest([layer for layer in layers if layer.kind == kind], lambda _: True))
    resolved.update(_strictest(layers, lambda key: RULES[key].is_for_all))
    _hold_to_installation(resolved, defaults)
    _hold_to_presets(resolved)
    for key in WITHIN:
        if key in resolved and resolved[key].value > resolved[SESSION].value:
            sources = (Source(kind="bound", name=SESSION), *resolved[SESSION].sources)
            resolved[key] = replace(resolved[key], value=resolved[SESSION].value, sources=sources)
    return resolved


def strictest(documents: Sequence[Document]) -> dict[str, Any]:
    """The strictest value of each field that any of some documents sets."""
    layers = [Layer(kind="group", document=document) for document in documents]
    return {key: one.value for key, one in _strictest(layers, lambda _: True).items()}


def _default(key: str, value: Any) -> Source:
    rule = RULES[key]
    return Source(kind="default" if value == rule.write(rule.default) else "installation")


def _strictest(layers: Sequence[Layer], is_meant: Callable[[str], bool]) -> dict[str, Resolved]:
    by_key: dict[str, list[tuple[Any, Layer]]] = {}
    for layer in layers:
        # A later version may know more fields.
        for key in layer.document.keys() & RULES.keys():
            if is_meant(key):
                by_key.setdefault(key, []).append((layer.document[key], layer))
    values = {key: RULES[key].strictest([value for value, _ in said]) for key, said in by_key.items()}
    if GRACE in values:
        pairs = [(layer.document[GRACE], layer.document[DEADLINE]) for _, layer in by_key[GRACE]]
        values[GRACE], values[DEADLINE] = min(pairs)
    return {key: _resolved(values[key], _sources(key, values[key], said)) for key, said in by_key.items()}


def _resolved(value: Any, sources: tuple[Source, ...]) -> Resolved:
    is_narrower = any(source.rule or source.kind not in _OF_CLIENT for source in sources)
    is_by_rule = all(source.rule for source in sources)
    return Resolved(value=value, sources=sources, is_narrower=is_narrower, is_by_rule=is_by_rule)


def _sources(key: str, value: Any, said: Sequence[tuple[Any, Layer]]) -> tuple[Source, ...]:
    layers = [layer for one, layer in said if one == value] or [layer for _, layer in said]
    return tuple(
        Source(kind=layer.kind, name=layer.id, revision=layer.revision, rule=rule)
        for layer in layers
        for rule in layer.rules.get(key, ("",))
    )


def _hold_to_installation(resolved: dict[str, Resolved], defaults: Document) -> None:
    """What holds for all and is the installation's own default counts beside the scopes: nobody takes it away."""
    for key, default in defaults.items():
        if not RULES[key].is_for_all:
            continue
        chosen = resolved[key]
        value = RULES[key].strictest([chosen.value, default])
        if value == default != chosen.value:
            resolved[key] = Resolved(value=value, sources=(_default(key, default),))
        elif value != chosen.value:
            resolved[key] = replace(chosen, value=value, sources=(*chosen.sources, _default(key, default)))


def _hold_to_presets(resolved: dict[str, Resolved]) -> None:
    for key, demanded in demands(resolved[_PRESETS].value, privileged=resolved[_PRIVILEGED].value).items():
        value = RULES[key].strictest([resolved[key].value, *(demand.value for _, demand in demanded)])
        if value == resolved[key].value:
            continue
        deciding = [one for one in demanded if one[1].value == value] or demanded
        sources = tuple(
            Source(kind="preset", name=name, clause=demand.clause, is_ours=demand.is_ours) for name, demand in deciding
        )
        resolved[key] = replace(resolved[key], value=value, sources=sources)
