"""What every kind of password hash can do, and why one is refused."""

from typing import Final, Literal, Protocol, Self

from argus.base.errors import ArgusError, Code
from argus.v1 import errors_pb2

HashRule = Literal["UNKNOWN_FORMAT", "MALFORMED", "TOO_COSTLY", "TOO_SHORT"]

MAX_HASH: Final = 2048
"""Characters of a hash as it is written."""

SHORTEST_DIGEST: Final = 16
"""Bytes: a shorter one could be met by many passwords."""


class PasswordHashRefusedError(ArgusError):
    """The password hash can't be taken over, and this says why; the hash itself is not repeated."""

    def __init__(self, rule: HashRule, message: str, *, field: str = "password_hash") -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            errors_pb2.ERROR_REASON_PASSWORD_HASH_REFUSED,
            f"{field}: {message}",
            field=field,
            rule=rule,
        )


class UnreadableHashError(ValueError):
    """A text is no password hash of a known kind; its message does not repeat the text."""

    def __init__(self, rule: HashRule, message: str) -> None:
        super().__init__(message)
        self.rule: HashRule = rule


class PasswordHash(Protocol):
    """The hash of a password, with all that is needed to check one."""

    @property
    def kind(self) -> str:
        """Name of the algorithm, for the audit."""

    def __str__(self) -> str:
        """As it is stored; reading that gives the same hash again."""

    def fits(self, password: bytes) -> bool:
        """Whether the password has this hash. Long work, without the GIL."""

    @property
    def reach(self) -> int | None:
        """How many bytes of a password are read at most; None: all of them."""

    def excess(self) -> str | None:
        """What makes a check too costly, for a person; None: nothing does."""

    def lookalike(self) -> Self:
        """A hash that costs exactly the same and that no known password has."""
