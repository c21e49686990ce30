"""What is known to be over: sessions, users, clients, a tenant and keys, each until its last token has expired."""

import heapq
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from argus.sdk.errors import TokenRefusedError
from argus.v1 import revocation_service_pb2 as pb

__all__ = ["NO_NEWS", "RevocationList", "Standing"]

_KEY: Final = pb.REVOCATION_KIND_KEY
_SESSION: Final = pb.REVOCATION_KIND_SESSION
# In what of a token a kind is found whose tokens up to a time are over.
_SO_FAR: Final = {
    pb.REVOCATION_KIND_USER: "sub",
    pb.REVOCATION_KIND_CLIENT: "client_id",
    pb.REVOCATION_KIND_TENANT: None,
}
_NEVER: Final = float("-inf")
_KNOWN: Final = frozenset({_KEY, _SESSION, *_SO_FAR})


class Standing(Protocol):
    """Whether what a good token stands for still stands."""

    def check(self, kid: str, claims: dict[str, Any]) -> tuple[datetime | None, timedelta | None]:
        """Refuses a token that is over; else of when that is known, and how old it is. None and None: nothing is known.

        Args:
            kid: Name of the key that signed it.
            claims: Its claims.

        Raises:
            TokenRefusedError: It is over.
            VerifierUnavailableError: What is known is too old to go by.
        """


class _NoNews:
    def check(self, _kid: str, _claims: dict[str, Any]) -> tuple[None, None]:
        return None, None


NO_NEWS: Final[Standing] = _NoNews()
"""Nothing is known of ends: tokens are good until they expire."""


class RevocationList:
    """What the stream has told so far. It only grows, but for what has expired."""

    def __init__(self, *, most: int) -> None:
        """Knows nothing yet.

        Args:
            most: Most entries held; while more count, `is_whole` is false. Pulled keys are few, and always held.
        """
        self._most = most
        # By kind and subject: up to which `iat` tokens are over, and when the last of them has expired.
        self._entries: dict[tuple[int, str], tuple[int, float]] = {}
        self._by_end: list[tuple[float, tuple[int, str]]] = []
        self._has_unread = False
        # When the last of those that did not fit is about no living token any more.
        self._left_out_until = _NEVER

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_whole(self) -> bool:
        """Whether it holds everything that it was told, but for what has expired."""
        return not self._has_unread and self._left_out_until == _NEVER

    def add(self, revocations: Iterable[pb.Revocation]) -> None:
        """Adds what was told; of what is known already the later times count."""
        for one in revocations:
            if one.kind not in _KNOWN:
                # A later release's: what it is about can't be judged here any more.
                self._has_unread = True
                continue
            key = (one.kind, one.subject)
            end = one.expire_time.seconds + 1.0
            before = self._entries.get(key)
            if before is None and len(self._entries) >= self._most and one.kind != _KEY:
                self._left_out_until = max(self._left_out_until, end)
                continue
            until = one.time.seconds
            entry = (until, end) if before is None else (max(until, before[0]), max(end, before[1]))
            if entry != before:
                self._entries[key] = entry
                heapq.heappush(self._by_end, (entry[1], key))

    def trim(self, now: float) -> None:
        """Drops what is about no living token any more; pulled keys stay, for whoever has one makes tokens for ever.

        Args:
            now: Seconds since 1970, by whichever clock is behind: Argus's or this machine's.
        """
        while self._by_end and self._by_end[0][0] <= now:
            end, key = heapq.heappop(self._by_end)
            if key[0] != _KEY and self._entries.get(key, (0, 0.0))[1] == end:
                del self._entries[key]
        if self._left_out_until <= now:
            self._left_out_until = _NEVER

    def check(self, kid: str, claims: dict[str, Any]) -> None:
        """Refuses a token that is over.

        Raises:
            TokenRefusedError: It is.
        """
        if (_KEY, kid) in self._entries:
            raise TokenRefusedError(fault="key")
        if (_SESSION, claims.get("sid", "")) in self._entries:
            raise TokenRefusedError("SESSION_ENDED")
        for kind, claim in _SO_FAR.items():
            found = self._entries.get((kind, claims[claim] if claim else ""))
            if found is not None and claims["iat"] <= found[0]:
                raise TokenRefusedError("SESSION_ENDED")
