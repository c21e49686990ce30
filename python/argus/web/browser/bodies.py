"""Reads JSON that strangers send, under limits: one object, no member twice, none that nobody knows."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from starlette.requests import Request

from argus.base import strict_json
from argus.base.errors import InvalidFieldError
from argus.devices.traits import MAX_COMPONENT, MAX_COMPONENTS

MOST_BYTES: Final = 64 * 1024
"""Longest body; a passkey's answer is the largest that is meant."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DEEPEST: Final = 8


class BodyTooLongError(InvalidFieldError):
    """A body is longer than anything that is meant; what is left of it is not read."""

    def __init__(self) -> None:
        super().__init__("body", f"must have at most {MOST_BYTES} bytes")


async def read(request: Request) -> bytes:
    """The body.

    Raises:
        BodyTooLongError: It is too long.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise BodyTooLongError
    return bytes(content)


def members(content: bytes, known: Collection[str]) -> dict[str, Any]:
    """The members of a JSON object; nothing is an empty one.

    Raises:
        InvalidFieldError: It is something else, or has a member that is not `known`.
    """
    if not content:
        return {}
    try:
        found = strict_json.parse(content)
    except ValueError:
        raise InvalidFieldError("body", "must be a JSON object in UTF-8 without members that are there twice") from None
    if not isinstance(found, dict):
        raise InvalidFieldError("body", "must be a JSON object")
    for name, value in found.items():
        if name not in known:
            # Not which: it may be a secret in the wrong place.
            raise InvalidFieldError("body", f"has a member that is none of {', '.join(sorted(known))}")
        _check_depth(value, name, _DEEPEST)
    return found


def has_controls(value: str) -> bool:
    """Whether a text has characters that nobody types, and that would begin a line of their own in a mail or a log."""
    return _CONTROL.search(value) is not None


def text(body: Mapping[str, Any], name: str, longest: int, *, required: bool = False) -> str:
    """A text member; "" where it is not there."""
    value = body.get(name)
    if value is None or value == "":
        if required:
            raise InvalidFieldError(name, "is required")
        return ""
    if not isinstance(value, str):
        raise InvalidFieldError(name, "must be text")
    if len(value) > longest:
        raise InvalidFieldError(name, f"must have at most {longest} characters")
    if has_controls(value):
        raise InvalidFieldError(name, "must not have control characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidFieldError(name, "must be Unicode") from None
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """A member that is true or false; false where it is not there."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise InvalidFieldError(name, "must be true or false")
    return value


def texts(body: Mapping[str, Any], name: str, longest: int, most: int) -> list[str]:
    """A member that is a list of texts; empty where it is not there."""
    values = body.get(name, [])
    if not isinstance(values, list) or len(values) > most:
        raise InvalidFieldError(name, f"must be a list of at most {most} texts")
    return [text({name: value}, name, longest, required=True) for value in values]


def fingerprint(value: Any, name: str) -> dict[str, str]:
    """A member that is an object of texts; empty where it is not there."""
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_COMPONENTS:
        raise InvalidFieldError(name, f"must be an object of at most {MAX_COMPONENTS} texts")
    return {one: text(value, one, MAX_COMPONENT) for one in value}


def fingerprint_text(content: str) -> dict[str, str]:
    """The same out of a form's field, which only a script fills: whatever is wrong with it, nothing is known."""
    try:
        return fingerprint(strict_json.parse(content.encode()) if content else None, "fingerprint")
    except (ValueError, InvalidFieldError):
        return {}


def _check_depth(value: Any, name: str, left: int) -> None:
    if left == 0:
        raise InvalidFieldError(name, "is nested too deeply")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(one, name, left - 1)
