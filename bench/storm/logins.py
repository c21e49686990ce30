"""Logins by password, as many at a time as one likes: each costs a server an argon2id hash."""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from argus.server.bench.hot import WrongStateError
from argus.server.bench.private import PrivateArgus
from argus.server.bench.runs import Calls, Pace, Turn, run
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users

_CREATE: Final = "/argus.v1.UserService/CreateUser"
_START: Final = "/argus.v1.AuthenticationService/StartLogin"
_SUBMIT: Final = "/argus.v1.AuthenticationService/SubmitFactor"
_PASSWORD: Final = "seven quiet otters under a bridge"  # noqa: S105  # of users that live as long as the run
_USER_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_IN_FLIGHT: Final = 8


class Logins:
    """Users of a tenant who come back again and again."""

    def __init__(self, argus: PrivateArgus, *, tick: Callable[[int], object]) -> None:
        """Has no users yet.

        Args:
            argus: The tenant.
            tick: Told how many calls were answered since it was told last.
        """
        self._argus = argus
        self._tick = tick
        self._identifiers: list[str] = []
        self._addresses = 0

    async def create(self, count: int) -> None:
        """Makes so many users with a password."""
        self._identifiers = [f"u{secrets.token_hex(8)}@example.com" for _ in range(count)]
        requests = [self._new_user(identifier) for identifier in self._identifiers]
        await self._run(_CREATE, requests, Pace(in_flight=_IN_FLIGHT))

    async def begin(self, count: int) -> list[bytes]:
        """Begins so many logins; answers the requests that bring their passwords."""
        contexts = [self._context() for _ in range(count)]
        starts = [
            authentication.StartLoginRequest(
                parent=self._argus.api.parent,
                identifier=self._identifiers[number % len(self._identifiers)],
                client_context=context,
            ).SerializeToString()
            for number, context in enumerate(contexts)
        ]
        _, answers = await self._run(_START, starts, Pace(in_flight=_IN_FLIGHT))
        begun = map(authentication.StartLoginResponse.FromString, answers)
        return [
            authentication.SubmitFactorRequest(
                parent=self._argus.api.parent, login_token=one.login_token, password=_PASSWORD, client_context=context
            ).SerializeToString()
            for one, context in zip(begun, contexts, strict=True)
        ]

    async def storm(self, passwords: Sequence[bytes], in_flight: int) -> Turn:
        """Submits the passwords, so many at a time.

        Raises:
            WrongStateError: A login did not end with a session.
        """
        turn, answers = await self._run(_SUBMIT, passwords, Pace(in_flight=in_flight))
        ended = [authentication.SubmitFactorResponse.FromString(one) for one in answers]
        if len({one.session.name for one in ended if one.tokens.access_token}) != len(passwords):
            raise WrongStateError("a login did not end with a session of its own")
        return turn

    def _new_user(self, identifier: str) -> bytes:
        one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=identifier)
        user = users.User(identifiers=[one])
        return users.CreateUserRequest(parent=self._argus.api.parent, user=user, password=_PASSWORD).SerializeToString()

    def _context(self) -> types.ClientContext:
        """From an address in a network of its own, so that none comes near the budget of an address."""
        self._addresses += 1
        number = self._addresses
        address = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
        return types.ClientContext(ip_address=address, user_agent=_USER_AGENT)

    async def _run(self, method: str, requests: Sequence[bytes], pace: Pace) -> tuple[Turn, list[bytes]]:
        calls = Calls(
            address=self._argus.address,
            method=method,
            authorization=await self._argus.authorization(),
            requests=requests,
            count=len(requests),
            connections=1,
            deadline_ms=60_000,
        )
        return await run(calls, pace, self._argus.processes, tick=self._tick)
