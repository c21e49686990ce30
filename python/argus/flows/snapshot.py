"""What the engine knows from PostgreSQL may be behind: then it is read anew before anything is refused."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from argus.base.errors import UnavailableError
from argus.internal.v1.engine_pb2 import TokenClaims
from argus.v1.types_pb2 import TokenSet

_GOOD: Final = 0
# It does not know something.
_BEHIND: Final = 2
_AWAY: Final = 3


class Snapshot(Protocol):
    """What keeps the engine's picture of keys, clients and policies up to date."""

    async def refresh(self) -> None:
        """Comes back after a reading that began after the call: what the engine does not know then there is not.

        Raises:
            UnavailableError: PostgreSQL is away.
        """

    async def confirm(self) -> None:
        """The same for calls of strangers: never waits for long.

        Raises:
            UnavailableError: PostgreSQL is away, or hangs.
        """


async def confirmed(ask: Callable[[bool], tuple[int, bytes]], snapshot: Snapshot) -> tuple[int, bytes]:
    """What the engine answers, where it does not know something after the snapshot was confirmed.

    Args:
        ask: Asks it; is told whether the snapshot is confirmed.
        snapshot: Confirms it.

    Raises:
        UnavailableError: What it does not know can't be looked up now.
    """
    outcome, content = ask(False)
    if outcome == _BEHIND:
        await snapshot.confirm()
        outcome, content = ask(True)
    return outcome, content


async def read_claims(read: Callable[[bool], tuple[int, bytes]], snapshot: Snapshot) -> tuple[TokenClaims, str]:
    """The claims of a token and "", or none and the class of its fault.

    Args:
        read: `Engine.read_token` or `Engine.read_refresh_token`; is told whether the snapshot is confirmed.
        snapshot: Confirms it.

    Raises:
        UnavailableError: Whether the token is good can't be told now.
    """
    outcome, content = await confirmed(read, snapshot)
    if outcome == _AWAY:
        raise UnavailableError(content.decode())
    if outcome != _GOOD:
        return TokenClaims(), content.decode()
    return TokenClaims.FromString(content), ""


async def issue(make: Callable[[bytes], bytes], request: bytes, snapshot: Snapshot) -> TokenSet:
    """Tokens, where a policy, client or key may be newer than the engine's picture.

    Args:
        make: `Engine.issue` or `Engine.issue_client_token`.
        request: What it takes.
        snapshot: Reads it anew.

    Raises:
        UnavailableError: This process has no key to sign with: it can't read the one that signs now.
    """
    try:
        return TokenSet.FromString(await asyncio.to_thread(make, request))
    except KeyError:
        await snapshot.refresh()
    try:
        return TokenSet.FromString(await asyncio.to_thread(make, request))
    except KeyError:
        raise UnavailableError("keys") from None
