"""Page sizes and page tokens of lists (AIP-158)."""

import base64
import binascii
import json
from typing import Final

from argus.base.errors import InvalidFieldError, PageTokenInvalidError
from argus.base.ids import sha256

DEFAULT_PAGE_SIZE: Final = 25
MAX_PAGE_SIZE: Final = 100
_CHECK_BYTES: Final = 6


def page_size(asked: int) -> int:
    """How many rows a page has: 0 means 25, more than 100 means 100.

    Raises:
        InvalidFieldError: A negative size was asked for.
    """
    if asked < 0:
        raise InvalidFieldError("page_size", "must not be negative")
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def encode_page(kind: str, key: tuple[str, ...]) -> str:
    """A token that continues a list after the row with this sort key.

    Args:
        kind: Which list, and under which parent and filter: a token is good for that list alone.
        key: Sort key of the last row; not a secret, and worth nothing outside of the caller's own tenant.
    """
    body = json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_check(kind, body) + body).rstrip(b"=").decode()


def decode_page(kind: str, token: str) -> tuple[str, ...]:
    """The sort key that `encode_page` was given.

    Raises:
        PageTokenInvalidError: The token is damaged or another list's.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if check != _check(kind, body):
            raise PageTokenInvalidError
        key = json.loads(body)
    except (binascii.Error, ValueError):
        raise PageTokenInvalidError from None
    if not isinstance(key, list) or not all(isinstance(part, str) and "\0" not in part for part in key):
        raise PageTokenInvalidError
    return tuple(key)


def _check(kind: str, body: bytes) -> bytes:
    return sha256(kind.encode() + b"\0" + body)[:_CHECK_BYTES]
