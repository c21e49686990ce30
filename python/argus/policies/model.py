"""What a policy says, how the scopes' documents become one, and which documents are good."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from argus.base.errors import InvalidFieldError
from argus.base.policy import RULES, Policy
from argus.base.policy_lists import as_json
from argus.base.policy_rules import Fault, did_you_mean
from argus.base.settings import Settings, SettingsError
from argus.policies.conditions import RULES_KEY, rule_faults
from argus.policies.resolve import DEADLINE, GRACE, SCOPE_KINDS, Document, Layer, Resolved, ScopeKind, resolve

__all__ = ["SCOPE_KINDS", "Document", "ScopeKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectivePolicy:
    """A policy as it is in force somewhere, under the number that sessions keep.

    Attributes:
        revision: The number.
        policy: What is in force.
        narrower: The fields of it, by their keys, that a group, a user or a rule gave, of those that bite on living
            sessions: what the client says of them does not count (ADR 49).
        tried: What would be in force with what is only tried (report-only); None: nothing is tried.
    """

    revision: int
    policy: Policy
    narrower: frozenset[str] = frozenset()
    tried: Policy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a document is set: for a tenant, a client, a group or a user of it."""

    kind: ScopeKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDocument:
    """What is set for a scope.

    Attributes:
        document: What is in force.
        revision: Its number; 0: nothing is set.
        tried: What is tried beside it; None: nothing.
        tried_revision: Its number.
        update_time: When any of that was changed last; None: it was not asked for.
    """

    document: Document
    revision: int
    tried: Document | None = None
    tried_revision: int = 0
    update_time: datetime | None = None


class InvalidPolicyError(InvalidFieldError):
    """A document can't be set; every field at fault is named, with what to write in its place."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first, *others = faults
        super().__init__(first.path, first.text + (f" (and {len(others)} more)" if others else ""))
        self.faults = tuple(faults)
        self.violations = tuple((fault.path, f"{fault.path}: {fault.text}") for fault in faults)


def check_document(document: Document, *, field: str = "policy") -> None:
    """Raises `InvalidPolicyError`, naming every field at fault, for a document that can't be set.

    Args:
        document: Some of the fields.
        field: Path of the document in the request.
    """
    if faults := list(document_faults(document, field=field)):
        raise InvalidPolicyError(faults)


def document_faults(document: Document, *, field: str = "policy") -> Iterator[Fault]:
    """Everything that keeps a document from being set.

    Args:
        document: Some of the fields.
        field: Path of the document in the request.
    """
    said = {key: value for key, value in document.items() if key != RULES_KEY}
    yield from _field_faults(said, field)
    if RULES_KEY in document:
        yield from rule_faults(document[RULES_KEY], f"{field}.{RULES_KEY}", _field_faults)


def default_policy(settings: Settings) -> Policy:
    """What tenants live by that have set nothing themselves.

    Raises:
        SettingsError: The settings don't make a policy.
    """
    others = {"request_deadline": settings.request_deadline, "remember_me": settings.keep_cookies}
    given = {name: value for name, value in settings.policy if value is not None}
    policy = replace(Policy(), **{**others, **given})
    try:
        check_document(to_document(policy))
    except InvalidFieldError as error:
        raise SettingsError([f"ARGUS_POLICY: {error.message}"]) from None
    return policy


def merge(documents: Sequence[tuple[ScopeKind, Document]], *, defaults: Policy | None = None) -> Policy:
    """The policy that documents of several scopes make together.

    Args:
        documents: What is set, in any order; see `resolve`.
        defaults: What holds where nothing is set.
    """
    layers = [Layer(kind=kind, document=document) for kind, document in documents]
    return policy_of(resolve(layers, defaults=to_document(defaults or Policy())))


def policy_of(resolved: Mapping[str, Resolved]) -> Policy:
    """The policy of all its fields."""
    return _from_document({key: one.value for key, one in resolved.items()})


def document_key(name: str) -> str:
    """What documents call a field."""
    return next(key for key, rule in RULES.items() if key == name + rule.suffix)


def to_document(policy: Policy) -> dict[str, Any]:
    """All fields of a policy as JSON."""
    return {key: rule.write(getattr(policy, key.removesuffix(rule.suffix))) for key, rule in RULES.items()}


def from_document(document: Document) -> Policy:
    """The policy of a whole document; fields that a later version added have their defaults."""
    return _from_document({key: value for key, value in document.items() if key in RULES})


@lru_cache(maxsize=1024)
def digest(policy: Policy, narrower: frozenset[str] = frozenset()) -> bytes:
    """SHA-256 of the canonical document: the same policy has the same digest.

    Args:
        policy: The policy.
        narrower: The fields of it that a narrower scope than the client gave.
    """
    given = as_json(sorted(narrower)) if narrower else ""
    return hashlib.sha256((as_json(to_document(policy)) + given).encode()).digest()


def _from_document(document: Document) -> Policy:
    values = {key.removesuffix(RULES[key].suffix): RULES[key].read(value) for key, value in document.items()}
    return Policy(**values)


def _field_faults(document: Document, field: str) -> Iterator[Fault]:
    found = [fault for key, value in document.items() for fault in _value_faults(key, value, f"{field}.{key}")]
    yield from found
    if (GRACE in document) != (DEADLINE in document):
        yield Fault(path=f"{field}.{GRACE}", reason=f"is set together with {DEADLINE}")
    elif not found and GRACE in document and document[GRACE] < 2 * document[DEADLINE]:
        yield Fault(path=f"{field}.{GRACE}", reason=f"must be at least twice {DEADLINE}")


def _value_faults(key: str, value: object, path: str) -> Iterator[Fault]:
    if key in RULES:
        return RULES[key].faults(value, path)
    whole = next((one for one in RULES if one.removesuffix(RULES[one].suffix) == key), "")  # as settings have it
    hint = did_you_mean(whole or key, [*RULES, RULES_KEY])
    return iter([Fault(path=path, reason="is not a field of a policy", hint=hint)])
