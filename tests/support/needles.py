"""The search for key material: in whatever form somebody could have written it down."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CHUNK: Final = 24


def secret_parts(private_key: bytes) -> Iterator[bytes]:
    """What of a private key is secret: the numbers, the seed, or all of it where it is no PKCS#8."""
    try:
        key = load_der_private_key(private_key, None)
    except ValueError:
        yield private_key
        return
    if isinstance(key, RSAPrivateKey):
        numbers = key.private_numbers()
        for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
            yield number.to_bytes((number.bit_length() + 7) // 8, "big")
    else:
        assert isinstance(key, Ed25519PrivateKey)
        yield key.private_bytes_raw()


def needles(secret: bytes) -> set[bytes]:
    """A piece of a secret in every form: raw, hexadecimal, base64 at any offset, decimal, as Python shows bytes."""
    piece = secret[: _CHUNK + 2]
    made = {piece[:_CHUNK], piece[:_CHUNK].hex().encode(), piece[:_CHUNK].hex().upper().encode()}
    made.add(str(int.from_bytes(secret, "big"))[:40].encode())
    made.add(repr(piece[:_CHUNK])[2:-1].encode())
    made.add(", ".join(map(str, piece[:12])).encode())
    for offset in range(3):
        # Whole groups only: those at the ends depend on what is beside them.
        aligned = piece[offset : offset + _CHUNK - 3]
        made |= {base64.b64encode(aligned), base64.urlsafe_b64encode(aligned)}
    return made


def found_in(content: bytes, secrets: Mapping[str, bytes]) -> set[str]:
    """Names of the secrets that are in a content in any form; line breaks hide none."""
    joined = content.replace(b"\r", b"").replace(b"\n", b"")
    return {
        name
        for name, secret in secrets.items()
        if any(needle in content or needle in joined for needle in needles(secret))
    }


def found_below(folder: Path, secrets: Mapping[str, bytes]) -> dict[str, set[str]]:
    """The same for all files of a folder, by their paths; those with nothing are left out."""
    found = {str(file): found_in(file.read_bytes(), secrets) for file in folder.rglob("*") if file.is_file()}
    return {file: names for file, names in found.items() if names}
