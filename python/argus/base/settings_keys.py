"""Key-encryption keys as people write them into settings."""

import base64
import binascii
import re
from typing import Final

_KEY_BYTES: Final = 32


def read_keys(text: str) -> list[bytes]:
    """The keys of a text, separated by commas or white space.

    Raises:
        ValueError: One is not 32 random bytes in base64; the message does not repeat it.
    """
    try:
        keys = [base64.b64decode(one, validate=True) for one in re.split(r"[\s,]+", text) if one]
    except (binascii.Error, ValueError):
        keys = [b""]
    # 32 random bytes have about 30 different ones; so few are a pattern that somebody typed.
    if any(len(key) != _KEY_BYTES or len(set(key)) < _KEY_BYTES // 2 for key in keys):
        raise ValueError("not 32 random bytes in base64; make some: openssl rand -base64 32")
    return keys
