"""Files of vectors, and the little of JOSE that their tests need beside Argus.

They are read from the folder `ARGUS_VECTORS`, else from the usual one beside the project; a test is skipped, saying so,
where there is none. Third parties' files are never committed.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_USUAL: Final = Path(__file__).parents[3] / "shared/standards/vectors"


@functools.cache
def vectors(name: str) -> Any:
    """A file of vectors in JSON; its test is skipped where `vector_path` skips it."""
    return json.loads(vector_path(name).read_text("utf-8"))


def vector_path(name: str) -> Path:
    """Where a file of vectors is; its test is skipped where no folder is named and none is at the usual place."""
    named = os.environ.get("ARGUS_VECTORS")
    path = (Path(named) if named else _USUAL) / name
    if not named and not path.exists():
        pytest.skip(f"no {name}: set ARGUS_VECTORS to the folder of vectors")
    return path


def data_path(name: str) -> Path:
    """Where a file of other people's data is (`data` beside the vectors); its test is skipped as by `vector_path`."""
    return vector_path(f"../../data/{name}")


def encode(content: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """base64url, whatever is wrong with its form."""
    bare = "".join(text.split()).rstrip("=\0").translate(str.maketrans("+/", "-_"))
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def number(text: str) -> int:
    """A number of a JWK."""
    return int.from_bytes(decode(text), "big")


def private_key(jwk: dict[str, Any]) -> rsa.RSAPrivateKey | Ed25519PrivateKey:
    """The private key of a JWK: RSA or Ed25519."""
    if jwk["kty"] == "OKP":
        return Ed25519PrivateKey.from_private_bytes(decode(jwk["d"]))
    n, e, d, p, q = (number(jwk[name]) for name in ("n", "e", "d", "p", "q"))
    halves = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *halves, rsa.RSAPublicNumbers(e, n)).private_key()


def pkcs8(key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    """A private key as an administrator would bring it."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Padding:
    """What an RSA signature says once its public key is applied: right or wrong in the very way of a vector.

    Attributes:
        block: The block that was signed; None where the signature is no number of the modulus's length.
        signature: The signature, as the vector has it.
        turns: How often the modulus was added to the number.
        digest: SHA-256 of what the vector's signature is over.
    """

    block: bytes | None
    signature: bytes
    turns: int
    digest: bytes

    @classmethod
    def of(cls, signature: bytes, message: bytes, *, n: int, e: int) -> Padding:
        """That of a vector."""
        length = (n.bit_length() + 7) // 8
        turns, value = divmod(int.from_bytes(signature, "big"), n)
        block = pow(value, e, n).to_bytes(length, "big") if len(signature) == length else None
        return cls(block=block, signature=signature, turns=turns, digest=hashlib.sha256(message).digest())

    def over(self, message: bytes, key: rsa.RSAPrivateKey) -> bytes | None:
        """A signature over another message by another key of the same size, right or wrong in the same way.

        None: with the modulus added as often it would be longer; another message may do.
        """
        if self.block is None:
            return self.signature
        block = self.block.replace(self.digest, hashlib.sha256(message).digest())
        modulus = key.public_key().public_numbers().n
        value = _apply(int.from_bytes(block, "big") % modulus, key) + self.turns * modulus
        beyond = 256 ** len(self.signature)
        if value >= beyond and self.digest not in self.block:  # another message makes no other number
            value = modulus + value % (beyond - modulus)
        return value.to_bytes(len(self.signature), "big") if value < beyond else None


def _apply(value: int, key: rsa.RSAPrivateKey) -> int:
    """The bare operation of a private key, by its two primes: a quarter of the work."""
    numbers = key.private_numbers()
    of_p, of_q = pow(value, numbers.dmp1, numbers.p), pow(value, numbers.dmq1, numbers.q)
    return of_q + (of_p - of_q) * numbers.iqmp % numbers.p * numbers.q
