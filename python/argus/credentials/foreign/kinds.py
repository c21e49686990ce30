"""The kinds of password hashes: what each costs at most, and how it is checked.

The work is that of well-kept libraries (argon2-cffi, bcrypt, OpenSSL through hashlib); all of them free the GIL. A
check takes about a second at most (ADR 34 has the times), so that no import can occupy the hashing pool for good.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

import bcrypt
from argon2 import Type
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import verify_secret

_MIB: Final = 1024 * 1024

MAX_ARGON2_MEMORY_KIB: Final = 256 * 1024
MAX_ARGON2_WORK_KIB: Final = 1024 * 1024
MAX_ARGON2_LANES: Final = 16
MAX_BCRYPT_COST: Final = 14
MAX_SCRYPT_BYTES: Final = 256 * _MIB
MAX_PBKDF2_ITERATIONS: Final = 2_000_000

_BCRYPT_BYTES: Final = 72
_BCRYPT_SALT: Final = 7
_BCRYPT_SALT_END: Final = 29
_SCRYPT_SPARE: Final = _MIB
_SCRYPT_BLOCK: Final = 32

Argon2Type = Literal["argon2i", "argon2d", "argon2id"]
Digest = Literal["sha1", "sha224", "sha256", "sha384", "sha512"]
Prehash = Literal["", "django", "passlib-1", "passlib-2"]

_ARGON2_TYPES: Final[dict[Argon2Type, Type]] = {"argon2i": Type.I, "argon2d": Type.D, "argon2id": Type.ID}


def encode(content: bytes) -> str:
    """Base64 without padding, as PHC strings have it."""
    return base64.b64encode(content).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2:
    """Argon2 (RFC 9106), version 1.3 or 1.0."""

    type: Argon2Type
    version: int
    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    digest: bytes

    @property
    def kind(self) -> str:
        """Name of the algorithm."""
        return self.type

    def __str__(self) -> str:
        # The first version is the one that is not named.
        version = f"v={self.version}$" if self.version == _ARGON2_1_3 else ""
        costs = f"m={self.memory_kib},t={self.passes},p={self.lanes}"
        return f"${self.type}${version}{costs}${encode(self.salt)}${encode(self.digest)}"

    def fits(self, password: bytes) -> bool:
        """Whether the password has this hash."""
        try:
            return verify_secret(str(self).encode(), password, _ARGON2_TYPES[self.type])
        except VerifyMismatchError:
            return False

    @property
    def reach(self) -> int | None:
        """All of it counts."""
        return None

    def excess(self) -> str | None:
        """Memory, lanes or work beyond the bounds."""
        if self.memory_kib > MAX_ARGON2_MEMORY_KIB:
            return f"takes {self.memory_kib // 1024} MiB; at most {MAX_ARGON2_MEMORY_KIB // 1024} MiB are given"
        if self.lanes > MAX_ARGON2_LANES:
            return f"has {self.lanes} lanes; at most {MAX_ARGON2_LANES} are computed"
        work = self.memory_kib * self.passes
        if work > MAX_ARGON2_WORK_KIB:
            return f"passes over {work // 1024} MiB; at most {MAX_ARGON2_WORK_KIB // 1024} MiB are computed"
        return None

    def lookalike(self) -> Self:
        """The same costs."""
        return replace(self, salt=bytes(len(self.salt)), digest=secrets.token_bytes(len(self.digest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bcrypt:
    """bcrypt, of the password or of a digest of it.

    Attributes:
        prehash: What bcrypt was given: "": the password; "django": the SHA-256 of it in hex; "passlib-1" and
            "passlib-2": its SHA-256, or HMAC-SHA-256 under the salt, in base64.
        text: `$2a$`, `$2b$` or `$2y$`, as bcrypt itself writes it: 60 characters.
    """

    prehash: Prehash
    text: str

    @property
    def kind(self) -> str:
        """Name of the algorithm."""
        return "bcrypt-sha256" if self.prehash else "bcrypt"

    @property
    def cost(self) -> int:
        """Binary logarithm of the rounds."""
        return int(self.text[4:6])

    def __str__(self) -> str:
        salt, digest = self.text[_BCRYPT_SALT:_BCRYPT_SALT_END], self.text[_BCRYPT_SALT_END:]
        if self.prehash == "passlib-1":
            return f"$bcrypt-sha256${self.text[1:3]},{self.cost}${salt}${digest}"
        if self.prehash == "passlib-2":
            return f"$bcrypt-sha256$v=2,t={self.text[1:3]},r={self.cost}${salt}${digest}"
        return f"bcrypt_sha256${self.text}" if self.prehash else self.text

    def fits(self, password: bytes) -> bool:
        """Whether the password has this hash."""
        # bcrypt reads no further, and the library refuses what it would not read.
        content = self._input(password)[:_BCRYPT_BYTES]
        found = bcrypt.hashpw(content, self.text.encode()).decode()
        # Not the salt: of its last character two bits count for nothing, and the library clears them.
        return hmac.compare_digest(found[_BCRYPT_SALT_END:], self.text[_BCRYPT_SALT_END:])

    @property
    def reach(self) -> int | None:
        """Bare bcrypt reads the first 72 bytes."""
        return None if self.prehash else _BCRYPT_BYTES

    def excess(self) -> str | None:
        """A cost beyond the bound."""
        return (
            f"has a cost of {self.cost}; at most {MAX_BCRYPT_COST} is computed" if self.cost > MAX_BCRYPT_COST else None
        )

    def lookalike(self) -> Self:
        """The same cost."""
        # What is behind the cost is never looked at by the work: 22 characters of salt, 31 of digest.
        return replace(self, text=f"{self.text[:_BCRYPT_SALT]}{'.' * 22}{'.' * 31}")

    def _input(self, password: bytes) -> bytes:
        if self.prehash == "django":
            return hashlib.sha256(password).hexdigest().encode()
        if self.prehash == "passlib-1":
            return base64.b64encode(hashlib.sha256(password).digest())
        if self.prehash == "passlib-2":
            return base64.b64encode(hmac.digest(self.text[_BCRYPT_SALT:_BCRYPT_SALT_END].encode(), password, "sha256"))
        return password


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrypt:
    """scrypt (RFC 7914)."""

    log_n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @property
    def kind(self) -> str:
        """Name of the algorithm."""
        return "scrypt"

    def __str__(self) -> str:
        return f"$scrypt$ln={self.log_n},r={self.r},p={self.p}${encode(self.salt)}${encode(self.digest)}"

    def fits(self, password: bytes) -> bool:
        """Whether the password has this hash."""
        # OpenSSL counts two blocks more than RFC 7914 does.
        memory = 128 * self.r * ((1 << self.log_n) + self.p + 2) + _SCRYPT_SPARE
        found = hashlib.scrypt(
            password, salt=self.salt, n=1 << self.log_n, r=self.r, p=self.p, maxmem=memory, dklen=len(self.digest)
        )
        return hmac.compare_digest(found, self.digest)

    @property
    def reach(self) -> int | None:
        """All of it counts."""
        return None

    def excess(self) -> str | None:
        """Memory, or passes over it, beyond the bound: 128 N r p bytes."""
        work = (128 * self.r * self.p) << self.log_n
        if work > MAX_SCRYPT_BYTES:
            return f"passes over {work // _MIB} MiB; at most {MAX_SCRYPT_BYTES // _MIB} MiB are computed"
        return None

    def lookalike(self) -> Self:
        """The same costs."""
        return replace(self, salt=bytes(len(self.salt)), digest=secrets.token_bytes(len(self.digest)))

    def shortened(self) -> Self:
        """Its first block alone: each of the others goes through all of the memory again, and tells nothing more."""
        return replace(self, digest=self.digest[:_SCRYPT_BLOCK])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pbkdf2:
    """PBKDF2 (RFC 8018) with an HMAC."""

    hash: Digest
    iterations: int
    salt: bytes
    digest: bytes

    @property
    def kind(self) -> str:
        """Name of the algorithm."""
        return f"pbkdf2-{self.hash}"

    def __str__(self) -> str:
        parameters = f"i={self.iterations},l={len(self.digest)}"
        return f"$pbkdf2-{self.hash}${parameters}${encode(self.salt)}${encode(self.digest)}"

    def fits(self, password: bytes) -> bool:
        """Whether the password has this hash."""
        found = hashlib.pbkdf2_hmac(self.hash, password, self.salt, self.iterations, len(self.digest))
        return hmac.compare_digest(found, self.digest)

    @property
    def reach(self) -> int | None:
        """All of it counts."""
        return None

    def excess(self) -> str | None:
        """Iterations beyond the bound."""
        if self.iterations > MAX_PBKDF2_ITERATIONS:
            return f"has {self.iterations} iterations; at most {MAX_PBKDF2_ITERATIONS} are computed"
        return None

    def lookalike(self) -> Self:
        """The same costs."""
        return replace(self, salt=bytes(len(self.salt)), digest=secrets.token_bytes(len(self.digest)))

    def shortened(self) -> Self:
        """Its first block alone: each of the others costs as much again and tells nothing more about the password."""
        return replace(self, digest=self.digest[: hashlib.new(self.hash).digest_size])


_ARGON2_1_3: Final = 0x13
