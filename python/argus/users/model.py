"""What a user and its identifiers are, which identifiers are good, and what can go wrong."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.base.languages import check_locale
from argus.v1 import errors_pb2

IdentifierKind = Literal["email", "username", "phone"]
IDENTIFIER_KINDS: Final[tuple[IdentifierKind, ...]] = get_args(IdentifierKind)

UNUSED: Final = "UNUSED"
"""Reason of the events that tell of a user whom nobody has used."""

MAX_DISPLAY_NAME: Final = 200
MAX_IDENTIFIERS: Final = 10
MAX_IDENTIFIER: Final = 320

# RFC 5321 lengths; the shape that mailers accept unquoted, in any script.
_LOCAL_PART: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\]{1,64}")
_DOMAIN: Final = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W_](?:[\w-]{0,61}[^\W_])?")
_MAX_DOMAIN: Final = 253
# Compared as "ss" and "σ", but domains of their own (IDNA 2008): mail for one domain would go to another one.
_DEVIATING: Final = frozenset("ßẞς")
_USERNAME: Final = re.compile(r"[^\W_][\w.-]{0,63}")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


class UserNotFoundError(ArgusError):
    """There is no such user, or it was deleted."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND, errors_pb2.ERROR_REASON_USER_NOT_FOUND, f"user {user_id} was not found", userId=user_id
        )


class UserDisabledError(ArgusError):
    """The user may not sign in."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            errors_pb2.ERROR_REASON_USER_DISABLED,
            f"user {user_id} is disabled",
            userId=user_id,
        )


class IdentifierTakenError(ArgusError):
    """A user of the tenant has the identifier already."""

    def __init__(self, field: str) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            errors_pb2.ERROR_REASON_IDENTIFIER_TAKEN,
            f"{field}: a user of the tenant has this identifier already",
            field=field,
        )


class IdentifierNotFoundError(ArgusError):
    """The user has no such identifier."""

    def __init__(self, identifier_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            errors_pb2.ERROR_REASON_IDENTIFIER_NOT_FOUND,
            f"identifier {identifier_id} was not found",
            identifierId=identifier_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIdentifier:
    """An identifier that a user is to get.

    Attributes:
        verify_time: When its user proved elsewhere to own it.
    """

    kind: IdentifierKind
    value: str
    verify_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """What a user types to say who it is; unique in its tenant."""

    identifier_id: str
    kind: IdentifierKind
    value: str
    verify_time: datetime | None
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person that signs in.

    Attributes:
        locale: Language that it is written to in, as BCP 47; empty: none is known.
    """

    tenant_id: str
    user_id: str
    display_name: str
    disabled: bool
    not_before: datetime | None
    create_time: datetime
    revision: int
    locale: str = ""
    identifiers: Sequence[Identifier] = ()
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A user that is to be taken over from another system."""

    display_name: str = ""
    identifiers: Sequence[NewIdentifier] = ()
    disabled: bool = False
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who gets a user's mail.

    Attributes:
        addresses: Those that are known to be the user's own; without any, its first one.
        locale: Language that it is written to in; empty: none is known.
    """

    addresses: Sequence[str]
    locale: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What became of one of several users that were to be taken over.

    Attributes:
        user_id: The new user, or the one that has all the identifiers already; empty: it was refused.
        is_new: It was made.
        error: Why it was refused.
    """

    user_id: str = ""
    is_new: bool = False
    error: ArgusError | None = None


class IdentifierRaceError(Exception):
    """Somebody else took an identifier between the look and the write; the whole is to be done anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has an identifier, before anything is proven: nobody looks like somebody.

    Attributes:
        user_id: None: nobody has it.
        disabled: The user is disabled.
    """

    user_id: str | None
    disabled: bool


def canonical_identifier(value: str) -> str:
    """The form in which identifiers are compared: NFKC, case-folded, without space around it."""
    folded = unicodedata.normalize("NFKC", value.strip()).casefold()
    # Folding can undo the normal form, and normalising can undo the folding; two rounds are stable.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold()).strip()


def check_display_name(display_name: str, *, field: str) -> None:
    """Raises `InvalidFieldError` for a name that is too long or no text."""
    if len(display_name) > MAX_DISPLAY_NAME:
        raise InvalidFieldError(field, f"must have at most {MAX_DISPLAY_NAME} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in display_name):
        raise InvalidFieldError(field, "must be text without control characters")


def check_identifier(kind: IdentifierKind, value: str, *, field: str) -> str:
    """The canonical form of an identifier that a user can have.

    Args:
        kind: What it must look like.
        value: As typed.
        field: Path of the value in the request.

    Raises:
        InvalidFieldError: It does not look like its kind.
    """
    if not value.strip():
        raise InvalidFieldError(field, "is required")
    canonical = canonical_identifier(value)
    if max(len(value), len(canonical)) > MAX_IDENTIFIER:
        raise InvalidFieldError(field, f"must have at most {MAX_IDENTIFIER} characters")
    is_good, demand = _RULES[kind]
    if any(map(_is_invisible, value)) or not is_good(canonical):
        raise InvalidFieldError(field, demand)
    if kind == "email" and not _DEVIATING.isdisjoint(value.rpartition("@")[2]):
        raise InvalidFieldError(field, 'must have its domain in ASCII ("xn--…"): it has one of the letters ß and ς')
    return canonical


def check_identifiers(identifiers: Sequence[NewIdentifier]) -> list[str]:
    """The canonical forms of a new user's identifiers.

    Raises:
        InvalidFieldError: There are none or too many, one of them is malformed, or two are the same.
    """
    if not identifiers:
        raise InvalidFieldError("user.identifiers", "at least one is required")
    if len(identifiers) > MAX_IDENTIFIERS:
        raise InvalidFieldError("user.identifiers", f"must have at most {MAX_IDENTIFIERS} items")
    canonical: list[str] = []
    for index, identifier in enumerate(identifiers):
        field = f"user.identifiers[{index}].value"
        form = check_identifier(identifier.kind, identifier.value, field=field)
        if form in canonical:
            raise InvalidFieldError(field, "is the same as another one")
        canonical.append(form)
    return canonical


def check_new_user(user: NewUser) -> list[str]:
    """The canonical forms of a new user's identifiers.

    Raises:
        InvalidFieldError: Its name or one of its identifiers is no good.
    """
    check_display_name(user.display_name, field="user.display_name")
    check_locale(user.locale, field="user.locale")
    return check_identifiers(user.identifiers)


def _is_invisible(character: str) -> bool:
    """Controls, formats (zero width, direction, tags) and variation selectors: one name could look like another's."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or unicodedata.name(
        character, ""
    ).startswith("VARIATION SELECTOR")


def _is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and _LOCAL_PART.fullmatch(local) and len(domain) <= _MAX_DOMAIN and _DOMAIN.fullmatch(domain))


def _is_username(text: str) -> bool:
    return _USERNAME.fullmatch(text) is not None


def _is_phone(text: str) -> bool:
    return _E164.fullmatch(text) is not None


_RULES: Final[dict[IdentifierKind, tuple[Callable[[str], bool], str]]] = {
    "email": (_is_email, "must be an e-mail address"),
    "username": (_is_username, "must be a letter or digit and up to 63 letters, digits, dots, underscores and hyphens"),
    "phone": (_is_phone, "must be a telephone number in E.164 form: + and 7 to 15 digits"),
}
