"""What recovery codes look like."""

import secrets
from dataclasses import dataclass, field
from typing import Final

CODES: Final = 10

# Neither 0, O, 1, I nor L, nor U (30 characters): a code holds 58 bits.
_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS: Final = 3
_GROUP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCheck:
    """What a look at a code found.

    Attributes:
        credential_id: The user's set, if the code is one of it.
    """

    credential_id: str | None = None
    code_hmac: bytes = field(default=b"", repr=False)
    closed_to_unknown_devices: bool = False


def new_codes() -> list[str]:
    """Ten codes, to be written down: XXXX-XXXX-XXXX."""
    codes: set[str] = set()
    while len(codes) < CODES:
        codes.add("-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS)))
    return sorted(codes)


def canonical_code(code: str) -> str:
    """The form that is hashed: capitals, nothing between them."""
    return "".join(character for character in code.upper() if character.isalnum())
