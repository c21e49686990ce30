"""What a user and its identifiers are, which identifiers are good, and what can go wrong."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.v1 import errors_pb2

IdentifierKind = Literal["email", "username", "phone"]
IDENTIFIER_KINDS: Final[tuple[IdentifierKind, ...]] = get_args(IdentifierKind)

MAX_DISPLAY_NAME: Final = 200
MAX_IDENTIFIERS: Final = 10
MAX_IDENTIFIER: Final = 320

# RFC 5321 lengths; the shape that mailers accept unquoted, in any script.
_LOCAL_PART: Final = re.compile(r"[^\s@\"(),:;<>\[\]\\]{1,64}")
_DOMAIN: Final = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W_](?:[\w-]{0,61}[^\W_])?")
_MAX_DOMAIN: Final = 253
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
    """An identifier that a user is to get."""

    kind: IdentifierKind
    value: str


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
    """A person that signs in."""

    tenant_id: str
    user_id: str
    display_name: str
    disabled: bool
    not_before: datetime | None
    create_time: datetime
    revision: int
    identifiers: Sequence[Identifier] = ()
    groups: Sequence[str] = ()


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
    """Raises `InvalidFieldError` for a name that is too long."""
    if len(display_name) > MAX_DISPLAY_NAME:
        raise InvalidFieldError(field, f"must have at most {MAX_DISPLAY_NAME} characters")


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
    return canonical


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
