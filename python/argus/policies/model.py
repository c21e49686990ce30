"""What a policy says, how the scopes' documents become one, and which documents are good."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

from argus.base.errors import InvalidFieldError
from argus.base.policy import RULES, Policy
from argus.base.policy_lists import as_json
from argus.base.policy_rules import Fault, did_you_mean
from argus.base.settings import Settings, SettingsError

ScopeKind = Literal["tenant", "client", "group", "user"]

Document = Mapping[str, Any]
"""Some of a policy's fields, as JSON; times in whole seconds, the unit in the key."""

SCOPE_KINDS: Final[tuple[ScopeKind, ...]] = ("tenant", "client", "group", "user")
"""From the least to the most specific."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectivePolicy:
    """A policy as it is in force somewhere, under the number that sessions keep."""

    revision: int
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a document is set: for a tenant, a client, a group or a user of it."""

    kind: ScopeKind
    id: str


# Set together, so that no scope can break `grace >= 2 * request_deadline` of another (rotation.md, section 1).
_GRACE, _DEADLINE = "grace_seconds", "request_deadline_seconds"
_FOR_ALL: Final = frozenset(key for key, rule in RULES.items() if rule.is_for_all)


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
    found = [fault for key, value in document.items() for fault in _value_faults(key, value, f"{field}.{key}")]
    yield from found
    if (_GRACE in document) != (_DEADLINE in document):
        yield Fault(path=f"{field}.{_GRACE}", reason=f"is set together with {_DEADLINE}")
    elif not found and _GRACE in document and document[_GRACE] < 2 * document[_DEADLINE]:
        yield Fault(path=f"{field}.{_GRACE}", reason=f"must be at least twice {_DEADLINE}")


def default_policy(settings: Settings) -> Policy:
    """What tenants live by that have set nothing themselves.

    Raises:
        SettingsError: The settings don't make a policy.
    """
    given = {name: value for name, value in settings.policy if value is not None}
    policy = replace(Policy(), request_deadline=settings.request_deadline, **given)
    try:
        check_document(to_document(policy))
    except InvalidFieldError as error:
        raise SettingsError([f"ARGUS_POLICY: {error.message}"]) from None
    return policy


def merge(documents: Sequence[tuple[ScopeKind, Document]], *, defaults: Policy | None = None) -> Policy:
    """The policy that documents of several scopes make together.

    Field by field the most specific scope wins; where several groups of a user set a field, the strictest does, and
    of the required level the strictest of all scopes. A span that another scope made longer than the session counts as
    the session's.

    Args:
        documents: What is set, in any order.
        defaults: What holds where nothing is set.
    """
    merged = to_document(defaults or Policy())
    for kind in SCOPE_KINDS:
        equals = [document for scope, document in documents if scope == kind]
        merged.update(_strictest(equals))
    merged.update(_strictest([{key: one[key] for key in _FOR_ALL & one.keys()} for _, one in documents]))
    policy = _from_document(merged)
    idle = min(policy.idle, policy.absolute)
    return replace(policy, idle=idle, access=min(policy.access, policy.absolute))


def to_document(policy: Policy) -> dict[str, Any]:
    """All fields of a policy as JSON."""
    return {key: rule.write(getattr(policy, key.removesuffix(rule.suffix))) for key, rule in RULES.items()}


def from_document(document: Document) -> Policy:
    """The policy of a whole document; fields that a later version added have their defaults."""
    return _from_document({key: value for key, value in document.items() if key in RULES})


@lru_cache(maxsize=1024)
def digest(policy: Policy) -> bytes:
    """SHA-256 of the canonical document: the same policy has the same digest."""
    return hashlib.sha256(as_json(to_document(policy)).encode()).digest()


def _from_document(document: Document) -> Policy:
    values = {key.removesuffix(RULES[key].suffix): RULES[key].read(value) for key, value in document.items()}
    return Policy(**values)


def _value_faults(key: str, value: object, path: str) -> Iterator[Fault]:
    if key in RULES:
        return RULES[key].faults(value, path)
    return iter([Fault(path=path, reason="is not a field of a policy", hint=did_you_mean(key, RULES))])


def _strictest(documents: Sequence[Document]) -> dict[str, Any]:
    """The strictest value of each field that any of the documents sets."""
    values: dict[str, list[Any]] = defaultdict(list)
    for document in documents:
        for key in document.keys() & RULES.keys():
            values[key].append(document[key])
    chosen = {key: RULES[key].strictest(some) for key, some in values.items()}
    if _GRACE in chosen:
        pairs = [(document[_GRACE], document[_DEADLINE]) for document in documents if _GRACE in document]
        chosen[_GRACE], chosen[_DEADLINE] = min(pairs)
    return chosen
