"""What a key is, the stages of its life, and what can go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from argus.base.errors import ArgusError, Code
from argus.v1 import errors_pb2

KeyUse = Literal["access", "refresh", "refresh_id"]
KeyState = Literal["pending", "active", "retiring", "retired", "revoked"]
Algorithm = Literal["RS256", "EdDSA", "HS256"]
RefreshAlgorithm = Literal["EdDSA", "RS256"]

KEY_USES: Final[tuple[KeyUse, ...]] = get_args(KeyUse)
MOST_REFRESH_ID_KEYS: Final = 256
"""Ids of refresh-id keys (claim `jk`) fit a byte."""
EMERGENCY_REFRESH_ID_KEYS: Final = 16
"""So many of them are left for keys that take the place of one that was pulled."""
MOST_KEYS: Final[Mapping[KeyUse, int]] = {"access": 48, "refresh": 256, "refresh_id": MOST_REFRESH_ID_KEYS}
"""Keys of a ring that sign or verify, or will.

A public key of 4096 bits is 0.8 KiB in the key set, so 48 are 38 KiB: `argus.sdk.jwks` takes no set beyond 64 KiB,
and Nimbus none beyond 50. A key of refresh tokens is kept for 90 days: at a rotation a day, the shortest schedule,
there are 92.
"""


class KeyNotFoundError(ArgusError):
    """The tenant has no such key."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND, errors_pb2.ERROR_REASON_KEY_NOT_FOUND, f"key {key_id} was not found", keyId=key_id
        )


class KeyRingFullError(ArgusError):
    """The ring has as many keys as it may have: the oldest must go first."""

    def __init__(self, use: KeyUse, oldest: "SigningKey", *, kept: timedelta) -> None:
        """Says how there will be room.

        Args:
            use: Of the ring's keys.
            oldest: The key that goes first.
            kept: How long one is kept that no longer signs.
        """
        seconds = int(kept.total_seconds())
        super().__init__(
            Code.FAILED_PRECONDITION,
            errors_pb2.ERROR_REASON_KEY_STATE_INVALID,
            f"there are as many keys of {use} as there may be: rotate again when no token of the oldest one, "
            f"{oldest.kid} ({oldest.state}), can be good any more, {seconds} s after it stopped signing; a key that "
            "has leaked can be revoked all the same",
            keyUse=use,
            keyId=oldest.kid,
            state=oldest.state,
            keptSeconds=seconds,
        )


class UnreadableSecretError(Exception):
    """What is stored can't be decrypted: the start stops.

    Not an `ArgusError`: no caller can cause it, and none is told of it.
    """


class WrongKeyEncryptionKeyError(UnreadableSecretError):
    """What is stored was encrypted with another key-encryption key than those that are set."""

    def __init__(self, what: str, *, kek_id: str, known: tuple[str, ...]) -> None:
        known_ones = f"known are {', '.join(known)}" if known else "none is set"
        super().__init__(
            f"{what} is encrypted with the key-encryption key {kek_id}, and {known_ones}: set ARGUS_KEY_ENCRYPTION_KEY "
            "(or _FILE, or _COMMAND) to what this database was made with, or ARGUS_KEY_ENCRYPTION_KEY_PREVIOUS (or "
            "ARGUS_KEY_ENCRYPTION_COMMAND_PREVIOUS) if it was replaced since"
        )


class DamagedSecretError(UnreadableSecretError):
    """What is stored was changed, or moved from another place."""

    def __init__(self, what: str, *, kek_id: str) -> None:
        super().__init__(
            f"{what} is not what was encrypted there with the key-encryption key {kek_id}: it was changed, or "
            "moved from another place; restore it from a backup"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key without its private half.

    Attributes:
        kid: RFC 7638 thumbprint; of a refresh-id key the decimal `jk`.
        active_time: When it signs from.
        retire_time: When it stopped signing.
        end_time: When it was over: retired, or revoked.
    """

    tenant_id: str
    kid: str
    use: KeyUse
    algorithm: Algorithm
    bits: int
    state: KeyState
    public_jwk: dict[str, Any] | None
    create_time: datetime
    active_time: datetime
    retire_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaterial:
    """A key that was just generated; of a refresh-id key `kid` is chosen when it is written."""

    use: KeyUse
    algorithm: Algorithm
    bits: int
    kid: str
    public_jwk: dict[str, Any] | None
    private_key: bytes

    def __repr__(self) -> str:
        """Without the private half."""
        return f"KeyMaterial(use={self.use!r}, kid={self.kid!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableKey:
    """A key with its private half, for the engine.

    Attributes:
        key: The key.
        private_key: Its private half; empty: it was pulled and its name is enough, or it can't be read.
        fault: Why it can't be read, if so.
    """

    key: SigningKey
    private_key: bytes
    fault: Exception | None = None

    def __repr__(self) -> str:
        """Without the private half."""
        return f"UsableKey(use={self.key.use!r}, kid={self.key.kid!r})"
