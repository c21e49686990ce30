"""The hot calls, and whether each did what it said."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from argus.server.bench.runs import Calls, Pace, Turn, run
from argus.v1.session_service_pb2 import CreateSessionRequest, CreateSessionResponse
from argus.v1.token_service_pb2 import (
    RefreshTokenRequest,
    RefreshTokenResponse,
    VerifyAccessTokenRequest,
    VerifyAccessTokenResponse,
)
from argus.v1.types_pb2 import ClientContext, TokenSet

VERIFY: Final = "/argus.v1.TokenService/VerifyAccessToken"
REFRESH: Final = "/argus.v1.TokenService/RefreshToken"
_CREATE: Final = "/argus.v1.SessionService/CreateSession"
_SCOPE: Final = "documents.read documents.write"
_CONTEXT: Final = ClientContext(
    ip_address="198.51.100.7",
    user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
)
# Fewer than a user may have, so that no session makes room for another.
SESSIONS_A_USER: Final = 8
_SETUP_IN_FLIGHT: Final = 16
CONNECTIONS: Final = 4
"""Most connections of a run; one caller has one."""


class WrongStateError(Exception):
    """The server's answers or its state are not what the calls should have made of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A session, and its tokens as they are now."""

    name: str
    session_id: str
    generation: int
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @classmethod
    def of(cls, name: str, tokens: TokenSet) -> Self:
        """From what a server has said."""
        claims = claims_of(tokens.refresh_token)
        return cls(
            name=name,
            session_id=claims["sid"],
            generation=claims["gen"],
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
        )


class Contender(Protocol):
    """A server that speaks `argus.v1`, and what is known about it."""

    @property
    def address(self) -> str:
        """Host and port."""
        ...

    @property
    def processes(self) -> Mapping[str, int]:
        """Process ids by a name: the server's, and those of its stores."""
        ...

    async def authorization(self) -> str:
        """Metadata of that name for a caller with every scope."""
        ...

    async def users(self, count: int) -> list[str]:
        """Resource names of users that have no sessions yet."""
        ...

    async def generations(self, session_ids: Sequence[str]) -> list[int]:
        """The newest generation of each session, by what the server's store says."""
        ...


class Hot:
    """The hot calls on one server."""

    def __init__(self, contender: Contender, *, tick: Callable[[int], object] = lambda _: None) -> None:
        """Calls a server.

        Args:
            contender: The server.
            tick: Told how many calls were answered since it was told last.
        """
        self._contender = contender
        self._tick = tick

    async def begin(self, count: int) -> list[Begun]:
        """So many new sessions, each of which will rotate at its first refresh."""
        users = await self._contender.users(-(-count // SESSIONS_A_USER))
        requests = [
            CreateSessionRequest(parent=user, scope=_SCOPE, amr=["pwd"], client_context=_CONTEXT).SerializeToString()
            for user in users
        ]
        _, answers = await self._run(_CREATE, requests, count, Pace(in_flight=_SETUP_IN_FLIGHT))
        created = map(CreateSessionResponse.FromString, answers)
        return [Begun.of(one.session.name, one.tokens) for one in created]

    async def verify(self, sessions: Sequence[Begun], count: int, pace: Pace) -> Turn:
        """Verifies the access tokens of the sessions in turn.

        Raises:
            WrongStateError: An answer speaks of another session than the token's.
        """
        turn, answers = await self.ask(sessions, count, pace)
        check_verified(sessions, answers)
        return turn

    async def ask(self, sessions: Sequence[Begun], count: int, pace: Pace) -> tuple[Turn, list[bytes]]:
        """The same without a look at what was answered, which comes back."""
        requests = [
            VerifyAccessTokenRequest(access_token=one.access_token, client_context=_CONTEXT).SerializeToString()
            for one in sessions
        ]
        return await self._run(VERIFY, requests, count, pace)

    async def refresh(self, sessions: Sequence[Begun], pace: Pace) -> tuple[Turn, list[Begun]]:
        """Changes each session's refresh token once; answers what there is then.

        Raises:
            WrongStateError: Some session has not rotated exactly once.
        """
        requests = [
            RefreshTokenRequest(refresh_token=one.refresh_token, client_context=_CONTEXT).SerializeToString()
            for one in sessions
        ]
        turn, answers = await self._run(REFRESH, requests, len(sessions), pace)
        renewed = check_rotated(sessions, answers)
        check_state(renewed, await self._contender.generations([one.session_id for one in renewed]))
        return turn, renewed

    async def _run(self, method: str, requests: Sequence[bytes], count: int, pace: Pace) -> tuple[Turn, list[bytes]]:
        calls = Calls(
            address=self._contender.address,
            method=method,
            authorization=await self._contender.authorization(),
            requests=requests,
            count=count,
            connections=min(CONNECTIONS, pace.in_flight or CONNECTIONS),
        )
        return await run(calls, pace, self._contender.processes, tick=self._tick)


def check_verified(sessions: Sequence[Begun], answers: Sequence[bytes]) -> None:
    """Every answer speaks of the session whose token was shown, and tells its token.

    Raises:
        WrongStateError: One does not.
    """
    ids = [claims_of(one.access_token)["jti"] for one in sessions]
    for number, answer in enumerate(answers):
        response, place = VerifyAccessTokenResponse.FromString(answer), number % len(sessions)
        if (response.session, response.jti) != (sessions[place].name, ids[place]):
            raise WrongStateError(f"call {number} was to verify {sessions[place].name}, not {response.session!r}")


def check_rotated(sessions: Sequence[Begun], answers: Sequence[bytes]) -> list[Begun]:
    """Every session has the next generation, and an access token that nobody else has.

    Returns:
        The sessions with their new tokens.

    Raises:
        WrongStateError: A call was answered without a rotation, or more than once.
    """
    responses = [RefreshTokenResponse.FromString(answer) for answer in answers]
    renewed = [Begun.of(one.session, one.tokens) for one in responses]
    for before, after in zip(sessions, renewed, strict=True):
        if (after.session_id, after.generation) != (before.session_id, before.generation + 1):
            raise WrongStateError(
                f"{before.name} at {before.generation} was followed by {after.name} at {after.generation}"
            )
    if len({one.access_token for one in renewed}) != len(renewed):
        raise WrongStateError("two calls got the same access token")
    return renewed


def check_state(sessions: Sequence[Begun], generations: Sequence[int]) -> None:
    """The store has every session at the generation that its newest token says.

    Raises:
        WrongStateError: One is at another.
    """
    for one, generation in zip(sessions, generations, strict=True):
        if generation != one.generation:
            raise WrongStateError(f"{one.name}: the token says generation {one.generation}, the store {generation}")


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
