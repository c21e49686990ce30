"""What a credential is, which passwords are good (NIST SP 800-63B-4, 3.1.1.2), and what can go wrong."""

import functools
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from argus.base.errors import ArgusError, Code
from argus.v1 import errors_pb2

PasswordRule = Literal[
    "TOO_SHORT", "TOO_LONG", "COMPOSITION", "BLOCKLISTED", "CONTAINS_IDENTIFIER", "NOT_UNICODE", "REUSED"
]
"""What a refused password breaks."""
Composition = Literal["none", "letters_and_digits"]
"""Characters that a password must have."""

_LIMITS: Final[Mapping[PasswordRule, str]] = {
    "TOO_SHORT": "minLength",
    "TOO_LONG": "maxLength",
    "REUSED": "passwordHistory",
}

CredentialKind = Literal["password", "totp", "recovery_codes", "webauthn"]

MAX_PASSWORD_BYTES: Final = 1024
MIN_PASSWORD_ALONE: Final = 15
# A word that is looked for has at least so many characters, and so many are left of a good password without it.
_SHORTEST_WORD: Final = 3
_MIN_REST: Final = 8
_LONGEST_UNIT: Final = 4


class PasswordRefusedError(ArgusError):
    """The password breaks a rule, and this says which."""

    def __init__(self, rule: PasswordRule, message: str, *, field: str = "password", limit: int = 0) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            errors_pb2.ERROR_REASON_PASSWORD_REFUSED,
            f"{field}: {message}",
            field=field,
            rule=rule,
        )
        if limit:
            self.metadata[_LIMITS[rule]] = str(limit)


class CredentialNotFoundError(ArgusError):
    """The user has no such credential."""

    def __init__(self, credential_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            errors_pb2.ERROR_REASON_CREDENTIAL_NOT_FOUND,
            f"credential {credential_id} was not found",
            credentialId=credential_id,
        )


class CredentialUserNotFoundError(ArgusError):
    """The user that is to get a credential does not exist."""

    def __init__(self, user_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND, errors_pb2.ERROR_REASON_USER_NOT_FOUND, f"user {user_id} was not found", userId=user_id
        )


class EnrolmentNotFoundError(ArgusError):
    """No such enrolment of the user, or it has expired."""

    def __init__(self) -> None:
        # Not which: its id is no resource name, and people paste secrets into the wrong field.
        super().__init__(
            Code.NOT_FOUND, errors_pb2.ERROR_REASON_ENROLMENT_NOT_FOUND, "the enrolment was not found; begin a new one"
        )


class TooManyCredentialsError(ArgusError):
    """The user has as many credentials of the kind as it may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            errors_pb2.ERROR_REASON_TOO_MANY_CREDENTIALS,
            f"the user has {limit} credentials of this kind, which is the most; delete one first",
            limit=limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Something that a user proves itself with, without its secret.

    Attributes:
        display_name: What the user calls it.
    """

    tenant_id: str
    credential_id: str
    user_id: str
    kind: CredentialKind
    display_name: str = ""
    create_time: datetime
    last_use_time: datetime | None
    closed_to_unknown_devices: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordCheck:
    """What a check found. It looks the same for a user that does not exist."""

    ok: bool
    credential_id: str | None = None
    closed_to_unknown_devices: bool = False
    to_be_replaced: bool = False
    secret_hash: str = field(default="", repr=False)


def normalised(password: str) -> str:
    """The form in which passwords are counted and hashed: NFC."""
    return unicodedata.normalize("NFC", password)


def is_text(password: str) -> bool:
    """It has neither control characters nor halves of surrogate pairs."""
    return all(unicodedata.category(character) not in {"Cc", "Cs"} for character in password)


def forms(password: str) -> Sequence[bytes]:
    """Normalised, as passwords are hashed here, and as typed, as they may have been hashed elsewhere."""
    return list(dict.fromkeys(text.encode() for text in (normalised(password), password)))


def check_password(
    password: str,
    *,
    minimum: int = MIN_PASSWORD_ALONE,
    composition: Composition = "none",
    context: Sequence[str] = (),
    field: str = "password",
) -> str:
    """The normalised password, if it is a good one.

    Args:
        password: As typed.
        minimum: Fewest code points (15 alone, 8 beside a second factor).
        composition: Characters that it must have. SP 800-63B-4 advises against such rules; PCI DSS 8.3.6 has one.
        context: Words that make it easy to guess here: the user's identifiers, names of the service.
        field: Path of the password in the request.

    Raises:
        PasswordRefusedError: Says the rule that it breaks.
    """
    if not is_text(password):
        raise PasswordRefusedError("NOT_UNICODE", "must be text without control characters", field=field)
    text = normalised(password)
    if len(text.encode()) > MAX_PASSWORD_BYTES:
        raise PasswordRefusedError(
            "TOO_LONG", f"must have at most {MAX_PASSWORD_BYTES} bytes", field=field, limit=MAX_PASSWORD_BYTES
        )
    if len(text) < minimum:
        raise PasswordRefusedError("TOO_SHORT", f"must have at least {minimum} characters", field=field, limit=minimum)
    if composition == "letters_and_digits" and not _has_letters_and_digits(text):
        raise PasswordRefusedError("COMPOSITION", "must have both letters and digits", field=field)
    if _is_blocklisted(text):
        raise PasswordRefusedError("BLOCKLISTED", "is a well-known password or repeats one", field=field)
    if _is_mostly_context(text, context):
        raise PasswordRefusedError(
            "CONTAINS_IDENTIFIER", "is little more than the user's identifiers or the service's name", field=field
        )
    return text


def context_words(context: Sequence[str]) -> list[str]:
    """The words in identifiers and names, whole and in parts, longest first."""
    words: set[str] = set()
    for text in context:
        folded = _folded(text)
        words.add(folded)
        words.add(folded.partition("@")[0])
        words.update(folded.replace("@", " ").replace(".", " ").replace("-", " ").replace("_", " ").split())
    return sorted((word for word in words if len(word) >= _SHORTEST_WORD), key=lambda word: (-len(word), word))


@functools.cache
def _blocklist() -> frozenset[str]:
    """Common passwords, words and names: the frequency lists of zxcvbn (Dropbox and contributors, MIT licence)."""
    return frozenset(word for words in FREQUENCY_LISTS.values() for word in words)


def _has_letters_and_digits(password: str) -> bool:
    """In any script: people write their own."""
    return any(one.isalpha() for one in password) and any(one.isdecimal() for one in password)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _is_blocklisted(password: str) -> bool:
    """The whole password is on the list, or is nothing but repetitions of a few characters or of a listed word."""
    text = _folded(password)
    if text in _blocklist():
        return True
    # Every period of a text shows as a place where it is found again in its own double.
    unit = text[: (text + text).find(text, 1)]
    return len(unit) < len(text) and (len(unit) <= _LONGEST_UNIT or unit in _blocklist())


def _is_mostly_context(password: str, context: Sequence[str]) -> bool:
    """What is left of the password without the words of the context is too short to be one."""
    text = _folded(password)
    rest = text
    for word in context_words(context):
        rest = rest.replace(word, "")
    return rest != text and len(rest) < _MIN_REST
