"""What a policy says, how the scopes' documents become one, and which documents are good."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any, Final, Literal

from argus.base.errors import InvalidFieldError
from argus.base.limits import LONGEST_ACCESS_LIFE, LONGEST_SESSION
from argus.base.settings import Settings, SettingsError

Rotation = Literal["resilient", "strict"]
Reuse = Literal["contest", "end"]
OnLimit = Literal["deny", "end_oldest", "end_least_recent"]
ScopeKind = Literal["tenant", "client", "group", "user"]

Document = Mapping[str, Any]
"""Some of a policy's fields, as JSON; times in whole seconds, the unit in the key."""

SCOPE_KINDS: Final[tuple[ScopeKind, ...]] = ("tenant", "client", "group", "user")
"""From the least to the most specific."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is in force for a session. The defaults are those of an installation where nothing is set.

    Attributes:
        idle: Longest gap between two uses.
        absolute: Longest life.
        access: Life of access tokens.
        grace: How long the refresh token before the newest is still answered.
        request_deadline: Longest time that a request may take.
        refresh_is_activity: A refresh moves the idle deadline by itself.
        rotation: resilient, or strict by the letter of RFC 9700.
        reuse: What the use of an old refresh token does: contest the session, or end it.
        session_limit: Most sessions of a user at a time.
        on_limit: What one session more does.
        password_min_alone: Fewest characters of a password that is the only factor.
        password_min_with_second_factor: Fewest characters of one that is not.
        required_acr: Lowest level that a session may begin or be refreshed at; whoever has no factor for it is asked to
            enrol one. The highest that any scope sets: what is required of all is required of each.
        script_access_token: Scripts in browsers may see the access token that a cookie holds.
        self_registration: Whoever reads the mail of an address may register; counts for a whole tenant.
        recovery_ends_sessions: A password set by a link in a mail ends all sessions of its user.
    """

    idle: timedelta = timedelta(hours=8)
    absolute: timedelta = timedelta(hours=24)
    access: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(seconds=30)
    request_deadline: timedelta = timedelta(seconds=10)
    refresh_is_activity: bool = True
    rotation: Rotation = "resilient"
    reuse: Reuse = "contest"
    session_limit: int = 10
    on_limit: OnLimit = "end_oldest"
    password_min_alone: int = 15
    password_min_with_second_factor: int = 8
    required_acr: int = 1
    script_access_token: bool = False
    self_registration: bool = False
    recovery_ends_sessions: bool = True

    @property
    def password_minimum(self) -> int:
        """Fewest characters of a password here: where no session begins with a password alone, it is never alone."""
        return self.password_min_with_second_factor if self.required_acr > 1 else self.password_min_alone


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One field of the document."""

    name: str
    least: int = 0
    most: int = 0
    # From the loosest to the strictest; empty: a number or span.
    choices: tuple[str | bool, ...] = ()
    is_span: bool = False
    is_stricter_when_larger: bool = False

    @property
    def key(self) -> str:
        return f"{self.name}_seconds" if self.is_span else self.name


def _span(name: str, least: timedelta, most: timedelta) -> _Field:
    return _Field(name=name, least=int(least.total_seconds()), most=int(most.total_seconds()), is_span=True)


_FIELDS: Final = (
    _span("idle", timedelta(minutes=1), LONGEST_SESSION),
    _span("absolute", timedelta(minutes=1), LONGEST_SESSION),
    _span("access", timedelta(seconds=30), LONGEST_ACCESS_LIFE),
    _span("grace", timedelta(seconds=2), timedelta(minutes=5)),
    _span("request_deadline", timedelta(seconds=1), timedelta(seconds=60)),
    _Field(name="refresh_is_activity", choices=(True, False)),
    _Field(name="rotation", choices=("resilient", "strict")),
    _Field(name="reuse", choices=("contest", "end")),
    _Field(name="session_limit", least=1, most=10_000),
    _Field(name="on_limit", choices=("end_least_recent", "end_oldest", "deny")),
    # Never below what NIST SP 800-63B-4, 3.1.1.2 asks for.
    _Field(name="password_min_alone", least=15, most=128, is_stricter_when_larger=True),
    _Field(name="password_min_with_second_factor", least=8, most=128, is_stricter_when_larger=True),
    _Field(name="required_acr", least=1, most=3, is_stricter_when_larger=True),
    _Field(name="script_access_token", choices=(True, False)),
    _Field(name="self_registration", choices=(True, False)),
    _Field(name="recovery_ends_sessions", choices=(False, True)),
)
_BY_KEY: Final = {field.key: field for field in _FIELDS}
# Set together, so that no scope can break `grace >= 2 * request_deadline` of another (rotation.md, section 1).
_GRACE, _DEADLINE = "grace_seconds", "request_deadline_seconds"
_REQUIRED: Final = "required_acr"


def check_document(document: Document, *, field: str = "policy") -> None:
    """Raises `InvalidFieldError`, naming the field, for a document that can't be set.

    Args:
        document: Some of the fields.
        field: Path of the document in the request.
    """
    for key, value in document.items():
        if key not in _BY_KEY:
            raise InvalidFieldError(f"{field}.{key}", "is not a field of a policy")
        _check_value(_BY_KEY[key], value, f"{field}.{key}")
    if (_GRACE in document) != (_DEADLINE in document):
        raise InvalidFieldError(f"{field}.{_GRACE}", f"is set together with {_DEADLINE}")
    if _GRACE in document and document[_GRACE] < 2 * document[_DEADLINE]:
        raise InvalidFieldError(f"{field}.{_GRACE}", f"must be at least twice {_DEADLINE}")


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
    # A narrower scope can't undercut it: refreshes are held to what is required of a client, whoever its user.
    merged.update(_strictest([{_REQUIRED: one[_REQUIRED]} for _, one in documents if _REQUIRED in one]))
    policy = _from_document(merged)
    idle = min(policy.idle, policy.absolute)
    return replace(policy, idle=idle, access=min(policy.access, policy.absolute))


def to_document(policy: Policy) -> dict[str, Any]:
    """All fields of a policy as JSON."""
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return {one.key: int(values[one.name].total_seconds()) if one.is_span else values[one.name] for one in _FIELDS}


def from_document(document: Document) -> Policy:
    """The policy of a whole document; fields that a later version added have their defaults."""
    return _from_document({key: value for key, value in document.items() if key in _BY_KEY})


@lru_cache(maxsize=1024)
def digest(policy: Policy) -> bytes:
    """SHA-256 of the canonical document: the same policy has the same digest."""
    text = json.dumps(to_document(policy), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()


def _from_document(document: Document) -> Policy:
    values: dict[str, Any] = {
        _BY_KEY[key].name: timedelta(seconds=value) if _BY_KEY[key].is_span else value
        for key, value in document.items()
    }
    return Policy(**values)


def _check_value(rule: _Field, value: object, field: str) -> None:
    if rule.choices:
        if not any(type(value) is type(choice) and value == choice for choice in rule.choices):
            raise InvalidFieldError(field, f"must be one of {', '.join(str(choice) for choice in rule.choices)}")
        return
    # A bool is an int to Python, not to an administrator.
    if type(value) is not int or not rule.least <= value <= rule.most:
        unit = " seconds" if rule.is_span else ""
        raise InvalidFieldError(field, f"must be a whole number from {rule.least} to {rule.most}{unit}")


def _strictest(documents: Sequence[Document]) -> dict[str, Any]:
    """The strictest value of each field that any of the documents sets."""
    chosen: dict[str, Any] = {}
    for key, rule in _BY_KEY.items():
        values = [document[key] for document in documents if key in document]
        if values and key not in {_GRACE, _DEADLINE}:
            chosen[key] = max(values, key=partial(_strictness, rule))
    pairs = [(document[_GRACE], document[_DEADLINE]) for document in documents if _GRACE in document]
    if pairs:
        chosen[_GRACE], chosen[_DEADLINE] = min(pairs)
    return chosen


def _strictness(rule: _Field, value: Any) -> int:
    if rule.choices:
        return rule.choices.index(value)
    number = int(value)
    return number if rule.is_stricter_when_larger else -number
